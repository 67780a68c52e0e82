"""Which hosts a ModelMirror names."""

import pytest

from escadre.api.mirror import ModelMirrorSpec, OciRegistry, S3Bucket
from escadre.clients.sources.reach import reach_of

SPEC = ModelMirrorSpec(
    type="oci",
    url="https://hub.bank.example/prefix",
    manifests_url="http://files.bank.example:8080/manifests",
    redirect_hosts=["store.bank.example", "other.bank.example:9000", "[fd00::1]", "[fd00::2]:9000"],
    oci=OciRegistry(auth_hosts=["auth.bank.example"]),
)


@pytest.mark.parametrize(
    ("url", "owns", "redirects"),
    [
        ("https://hub.bank.example/x", True, False),
        ("https://HUB.bank.example:443/x", True, False),
        ("http://hub.bank.example/x", False, False),
        ("https://hub.bank.example:8443/x", False, False),
        ("http://files.bank.example:8080/x", True, False),
        ("https://auth.bank.example/token", True, False),
        ("https://auth.bank.example:444/token", False, False),
        ("https://store.bank.example/x?X-Amz-Signature=s", False, True),
        ("http://store.bank.example/x", False, True),
        ("https://store.bank.example:9000/x", False, False),
        ("http://other.bank.example:9000/x", False, True),
        ("https://other.bank.example/x", False, False),
        ("https://evil.example/?store.bank.example", False, False),
        ("https://store.bank.example@evil.example/", False, False),
        ("https://store.bank.example:x/", False, False),
        ("https://store bank.example/x", False, False),
        ("https://störe.bank.example/x", False, False),
        ("https://[fd00::1]/x", False, True),
        ("https://[fd00::1]:9000/x", False, False),
        ("http://[FD00::2]:9000/x", False, True),
        ("https://[fd00::2]/x", False, False),
        ("ftp://store.bank.example/x", False, False),
    ],
)
def test_hosts_and_ports_count(url: str, owns: bool, redirects: bool) -> None:
    reach = reach_of(SPEC)
    assert (reach.owns(url), reach.redirects(url)) == (owns, redirects)


def test_a_bucket_before_the_host_is_the_mirror_s_own() -> None:
    bucket = S3Bucket(bucket="weights", addressing="VirtualHost")
    spec = ModelMirrorSpec(type="s3", url="https://s3.bank.example:9000", s3=bucket)
    assert reach_of(spec).owns("https://weights.s3.bank.example:9000/key")
    assert not reach_of(spec).owns("https://other.s3.bank.example:9000/key")
