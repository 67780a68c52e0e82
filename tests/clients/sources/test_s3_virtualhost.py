"""A bucket before the host, as AWS wants it, on a real store."""

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from e2e.cluster.binaries import provide_programs
from e2e.cluster.programs import Tier
from e2e.engine.mirror.versitygw import versitygw
from tests.agent.conftest import COMMIT, SampleModel, lay_out, sample_model
from tests.clients.sources.faulty import LOCAL

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import AccessKey, Credentials
from escadre.clients.sources.errors import NotFound, Unauthorized
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.probe import probe, sample_of
from escadre.clients.sources.protocol import Source

pytestmark = pytest.mark.cluster

DOMAIN = "s3.bank.example"
KEY = ("AKID", "s3cr3t-canary")


@pytest.fixture(scope="module")
def model() -> SampleModel:
    return sample_model(
        {
            "consolidated.safetensors": hashlib.shake_256(b"weights").digest(100_001),
            "params.json": b"{}",
            "sub/a b+c#d%20.json": b"odd",
        }
    )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, model: SampleModel) -> Iterator[int]:
    work = tmp_path_factory.mktemp("s3")
    lay_out(work / "buckets" / "weights" / "models", model)
    program = provide_programs(print, Tier.MIRRORS)["versitygw"].path
    with versitygw(program, work / "buckets", work, key=KEY, domain=DOMAIN) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every name below the domain is this machine; what was asked for."""
    resolve, asked = socket.getaddrinfo, list[str]()

    def here(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if host.endswith(DOMAIN) else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    return asked


def opened(port: int, bucket: str = "weights", secret: str = KEY[1]) -> Source:
    s3 = {"bucket": bucket, "prefix": "models", "addressing": "VirtualHost"}
    spec = {"type": "s3", "url": f"http://{DOMAIN}:{port}", "s3": s3}
    return open_source(
        "mirror",
        ModelMirrorSpec.model_validate(spec),
        repository="org/model",
        revision=COMMIT,
        credentials=Credentials(access_key=AccessKey(KEY[0], secret)),
        guard=LOCAL,
    )


def test_what_is_asked_of_it_goes_to_the_bucket_s_own_name(
    port: int, model: SampleModel, names: list[str]
) -> None:
    with closing(opened(port)) as source:
        listed = {one.path: one.size for one in source.list()}
        probed = probe(source, sample_of(model.manifest.files, model.digest), time.monotonic)
        assert source.url("params.json") == (
            f"http://weights.{DOMAIN}:{port}/models/org/model/{COMMIT}/params.json"
        )
    assert listed == {path: len(text) for path, text in model.contents.items()}
    assert [one.words for one in probed.findings if one.fault] == []
    assert probed.ranges is True
    assert {name for name in names if name != "127.0.0.1"} == {f"weights.{DOMAIN}"}


def test_another_bucket_is_told(port: int) -> None:
    says = "NoSuchBucket: the store has no bucket of that name"
    with closing(opened(port, bucket="other")) as source, pytest.raises(NotFound, match=says):
        source.list()


def test_another_secret_is_told(port: int) -> None:
    """The signature is over the bucket's own name as well."""
    with closing(opened(port, secret="wrong")) as source:
        with pytest.raises(Unauthorized, match="SignatureDoesNotMatch") as caught:
            source.list()
        assert KEY[1] not in caught.value.message
