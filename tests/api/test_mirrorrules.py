"""Which members go with which type of ModelMirror; on the API server: e2e/test_api_rules.py."""

from typing import Any

import pytest

from escadre.api.mirror import ModelMirrorSpec
from escadre.api.mirrorrules import MIRROR_RULES, broken_rule
from escadre.cli.shared.mirroraccess import spec_of
from escadre.errors import EscadreError
from escadre.state.views import MirrorView

Json = dict[str, Any]

URL = "https://mirror.bank.example"
WELL: dict[str, Json] = {
    "huggingface": {"url": URL, "manifestsURL": f"{URL}/manifests"},
    "http": {"url": URL},
    "s3": {"url": URL, "s3": {"bucket": "weights"}},
    "oci": {"url": URL},
    "folder": {"folder": {"name": "share"}},
}
# Members, and the types that take them beside what they need.
MEMBERS: list[tuple[Json, set[str]]] = [
    ({"url": URL}, {"huggingface", "http", "s3", "oci"}),
    ({"manifestsURL": URL}, {"huggingface", "http"}),
    ({"s3": {"bucket": "other"}}, {"s3"}),
    ({"oci": {"authHosts": ["auth.bank.example"]}}, {"oci"}),
    ({"oci": {}}, {"oci"}),
    ({"folder": {"name": "other"}}, {"folder"}),
    *(
        (member, {"huggingface", "http", "s3", "oci"})
        for member in (
            {"credentialsSecretName": "key"},
            {"caBundle": "PEM"},
            {"redirectHosts": ["store.bank.example"]},
            {"proxyURL": "http://proxy.bank.example:3128"},
            {"timeouts": {"idleSeconds": 5}},
        )
    ),
    ({"redirectHosts": []}, set(WELL)),
    ({"maxConcurrentPulls": 2}, set(WELL)),
]


@pytest.mark.parametrize("kind", WELL)
def test_each_type_needs_no_more_than_its_own(kind: str) -> None:
    assert broken_rule(read(kind, {})) == ""


@pytest.mark.parametrize("kind", WELL)
@pytest.mark.parametrize(("member", "taken"), MEMBERS, ids=[",".join(one) for one, _ in MEMBERS])
def test_a_member_that_makes_no_sense_for_a_type_is_refused_by_name(
    kind: str, member: Json, taken: set[str]
) -> None:
    words = broken_rule(read(kind, member))
    if kind in taken:
        assert words == ""
    else:
        assert next(iter(member)) in words


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("huggingface", "manifestsURL"),
        ("s3", "s3"),
        ("folder", "folder"),
        *((kind, "url") for kind in ("huggingface", "http", "s3", "oci")),
    ],
)
def test_what_a_type_needs_is_asked_for(kind: str, needed: str) -> None:
    spec = {name: value for name, value in {**WELL[kind], "type": kind}.items() if name != needed}
    assert broken_rule(ModelMirrorSpec.model_validate(spec)).startswith(f"{needed} is required")


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://s3.bank.example:9000/tier", True),
        ("https://10.bank.example", True),
        ("https://10.1.2.3", False),
        ("http://10.1.2.3:9000/tier", False),
        ("http://[fd00::1]:9000", False),
    ],
)
def test_no_bucket_stands_before_an_address(url: str, fits: bool) -> None:
    s3 = {"bucket": "weights", "addressing": "VirtualHost"}
    words = broken_rule(read("s3", {"url": url, "s3": s3}))
    assert ("s3.addressing VirtualHost" not in words) == fits
    assert broken_rule(read("s3", {"url": url})) == ""


def test_operator_and_command_line_say_the_same_of_one_that_no_crd_judged() -> None:
    spec = {"type": "folder", **WELL["folder"], "redirectHosts": ["store.bank.example"]}
    stored = {"metadata": {"name": "m", "uid": "u", "resourceVersion": "1"}, "spec": spec}
    view = MirrorView.of(stored)
    assert view.source is None
    assert view.invalid == (
        "spec: a folder takes no credentialsSecretName, caBundle, redirectHosts, proxyURL or "
        "timeouts: nothing is connected to"
    )
    with pytest.raises(EscadreError, match=r"a folder takes no .*redirectHosts.*\nnext: correct"):
        spec_of(stored)


def test_each_rule_says_another_thing() -> None:
    assert len({one.message for one in MIRROR_RULES}) == len(MIRROR_RULES)
    assert len({one.cel for one in MIRROR_RULES}) == len(MIRROR_RULES)


def read(kind: str, more: Json) -> ModelMirrorSpec:
    return ModelMirrorSpec.model_validate({"type": kind, **WELL[kind], **more})
