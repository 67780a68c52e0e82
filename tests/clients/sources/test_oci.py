"""An OCI registry as a source: which blob a file is, what is no file, whom it gives credentials."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clients.sources.faulty import LOCAL, Answer, Fault, Faulty, faulty

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import AccessKey, Credentials
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorError,
    MirrorUnavailable,
    NotFound,
    Unauthorized,
)
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.oci import artifact as oci
from escadre.clients.sources.protocol import ListedFile, RemoteFile, Source
from escadre.errors import Refusal

COMMIT = "0" * 40
TAG = f"/v2/models/org/model-7b/manifests/{COMMIT}"
RAW = "application/vnd.cncf.model.weight.v1.raw"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar"
FILEPATH, TITLE = "org.cncf.model.filepath", "org.opencontainers.image.title"
CONTENT = b"0123456789"
SECRET = "s3cr3t-canary"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(path: str, content: bytes = CONTENT, kind: str = RAW, **more: Any) -> dict[str, Any]:
    given = {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    return {**given, "annotations": {FILEPATH: path}, **more}


def artifact(*layers: Any, **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": list(layers), **more}).encode()


def blob(content: bytes = CONTENT) -> str:
    return f"/v2/models/org/model-7b/blobs/{digest_of(content)}"


@pytest.fixture
def server() -> Iterator[Faulty]:
    files = {TAG: artifact(layer("sub/w.safetensors")), blob(): CONTENT}
    with faulty(files) as world:
        yield world


def registry(server: Faulty, credentials: Credentials | None = None, *hosts: str) -> Source:
    spec = ModelMirrorSpec.model_validate(
        {"type": "oci", "url": f"{server.url}/models", "oci": {"authHosts": list(hosts)}}
    )
    return open_source(
        "harbor",
        spec,
        repository="org/Model-7B",
        revision=COMMIT,
        credentials=credentials,
        guard=LOCAL,
    )


def read(source: Source, path: str = "sub/w.safetensors", size: int = len(CONTENT)) -> bytes:
    got = bytearray()
    source.read(RemoteFile(path, size), 0, size, got.extend)
    return bytes(got)


def test_a_commit_is_a_tag_and_a_file_a_blob_with_its_own_digest(server: Faulty) -> None:
    source = registry(server)
    assert source.list() == [ListedFile("sub/w.safetensors", 10, digest_of(CONTENT)[7:])]
    assert read(source) == CONTENT
    assert source.url("sub/w.safetensors") == server.url + blob()
    assert server.paths() == [TAG, blob()]


def test_a_manifest_is_the_blob_with_its_digest(server: Faulty) -> None:
    server.files[blob(b"text")] = b"text"
    assert registry(server).manifest(digest_of(b"text")) == b"text"
    assert server.paths() == [blob(b"text")]


def test_a_tag_that_moves_meanwhile_mixes_nothing(server: Faulty) -> None:
    source = registry(server)
    source.list()
    server.files[TAG] = artifact(layer("sub/w.safetensors", b"other"))
    assert read(source) == CONTENT


def test_another_size_and_a_missing_file_are_told(server: Faulty) -> None:
    with pytest.raises(DigestMismatch, match="has 10 bytes, the approved file has 11"):
        read(registry(server), size=11)
    with pytest.raises(NotFound, match=r"has no layer for the file tekken.json"):
        read(registry(server), "tekken.json")


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        pytest.param("mistralai/Mistral-7B-v0.3", "models/mistralai/mistral-7b-v0.3", id="usual"),
        pytest.param("a/b__c", "models/a/b__c", id="two underscores"),
    ],
)
def test_names_are_in_lower_case_below_the_path_of_the_url(repository: str, name: str) -> None:
    assert oci.repository_name("https://harbor.bank.example/models/", repository) == name


def test_a_name_that_no_registry_takes_is_refused() -> None:
    spec = ModelMirrorSpec(type="oci", url="https://harbor.bank.example")
    with pytest.raises(Refusal, match="org/model- can be no name") as caught:
        open_source("harbor", spec, repository="org/model-", revision=COMMIT)
    assert caught.value.reason == reasons.INVALID_SPEC


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(layer("w"), id="ModelPack, raw"),
        pytest.param(layer("w", kind=IMAGE_LAYER, annotations={TITLE: "w"}), id="oras push FILE"),
        pytest.param(
            layer("w", kind="application/octet-stream", annotations={TITLE: "w"}),
            id="a type of its own",
        ),
        pytest.param(
            layer("w", annotations={FILEPATH: "w", TITLE: "other"}), id="ModelPack's path first"
        ),
    ],
)
def test_layers_that_are_a_file_as_it_is(one: dict[str, Any]) -> None:
    assert oci.layers_of(artifact(one), "x") == {"w": oci.Layer(digest_of(CONTENT), 10)}


ARCHIVE = "is an archive: push each file as a layer of its own, uncompressed (ModelPack: raw)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            artifact(layer("w.tar", kind="application/vnd.cncf.model.weight.v1.tar")),
            f"x: layers[0] ('w.tar', 'application/vnd.cncf.model.weight.v1.tar') {ARCHIVE}",
            id="ModelPack, tar",
        ),
        pytest.param(
            artifact(layer("w", kind="application/vnd.cncf.model.weight.v1.tar+zstd")),
            ARCHIVE,
            id="compressed",
        ),
        pytest.param(
            artifact(layer("w"), layer("", kind=f"{IMAGE_LAYER}+gzip", annotations=None)),
            f"x: layers[1] (without a name, '{IMAGE_LAYER}+gzip') {ARCHIVE}",
            id="an image with code",
        ),
        pytest.param(
            artifact(
                layer(
                    "",
                    kind=IMAGE_LAYER,
                    annotations={TITLE: "sub", "io.deis.oras.content.unpack": "true"},
                )
            ),
            ARCHIVE,
            id="oras push FOLDER",
        ),
        pytest.param(artifact(layer("w", annotations={})), "says no file name", id="no name"),
        pytest.param(artifact(layer("w", annotations={TITLE: 7})), "says no file name", id="7"),
        pytest.param(
            artifact(layer("w"), layer("w", b"other")),
            "layers[1]: 'w' stands there twice, with other bytes",
            id="a name twice",
        ),
        pytest.param(artifact(), "has no layers", id="no layers"),
        pytest.param(artifact("w"), "layers[0] is no object", id="a layer that is none"),
        pytest.param(
            artifact(layer("w", digest="sha512:" + "a" * 128)),
            "is not sha256:<64 hex>",
            id="another digest",
        ),
        pytest.param(artifact(layer("w", size=-1)), "size -1 is no", id="a negative size"),
        pytest.param(artifact(layer("w", size=7.0)), "size 7.0 is no", id="a fraction"),
        pytest.param(artifact(layer("w", size=True)), "size true is no", id="true"),
        pytest.param(
            json.dumps({"mediaType": "application/vnd.oci.image.index.v1+json"}).encode(),
            "x is an index of several manifests",
            id="an index",
        ),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b"<html>", "not the JSON of an OCI manifest", id="a page"),
        pytest.param(b"[" * 100_000, "not the JSON of an OCI manifest", id="nested without end"),
    ],
)
def test_artifacts_that_are_no_files(text: bytes, says: str) -> None:
    with pytest.raises(MirrorUnavailable, match=re.escape(says)):
        oci.layers_of(text, "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "annotations", FILEPATH, TITLE, "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(layers=st.lists(values | st.just(layer("w")), max_size=3))
def test_whatever_it_holds_an_artifact_is_files_or_told(layers: list[Any]) -> None:
    with suppress(MirrorUnavailable):
        assert oci.layers_of(artifact(*layers), "x")


@given(st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_they_hold_errors_are_told(text: bytes) -> None:
    told = oci.explain(text)
    assert re.fullmatch("([A-Z][A-Z0-9_]*)?", told.code)


def test_an_artifact_without_end_is_not_read(server: Faulty) -> None:
    server.files[TAG] = b" " * (oci.MAX_ARTIFACT_BYTES + 1)
    with pytest.raises(DigestMismatch, match="not a manifest"):
        registry(server).list()


def told(status: int, text: bytes, challenge: str = "") -> Fault:
    def fault(answer: Answer) -> None:
        answer.status, answer.body = status, text
        answer.headers = {"WWW-Authenticate": challenge} if challenge else {}

    return fault


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        pytest.param(
            404,
            "MANIFEST_UNKNOWN",
            NotFound,
            "HTTP 404 MANIFEST_UNKNOWN: the repository has no such tag; push the model under its "
            "commit",
            id="no such tag",
        ),
        pytest.param(404, "NAME_UNKNOWN", NotFound, "no repository of that name", id="no such"),
        pytest.param(403, "DENIED", Unauthorized, "HTTP 403 DENIED: the", id="denied"),
        pytest.param(429, "TOOMANYREQUESTS", MirrorError, "429 TOOMANYREQUESTS", id="no words"),
        pytest.param(404, "canary <b>", NotFound, "HTTP 404: the mirror has no", id="no code"),
    ],
)
def test_errors_are_told_by_their_code(
    server: Faulty, status: int, code: str, kind: type[MirrorError], says: str
) -> None:
    text = {"errors": [{"code": code, "message": "canary", "detail": "canary"}]}
    server.always[TAG] = told(status, json.dumps(text).encode())
    with pytest.raises(kind, match=re.escape(says)) as caught:
        registry(server).list()
    assert "canary" not in str(caught.value)


USER = Credentials.basic("robot", SECRET)
BASIC = "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()
TOKEN = "/token?service=harbor&scope=repository%3Amodels%2Forg%2Fmodel-7b%3Apull"


def wants(realm: str) -> Fault:
    """The registry's question; its scope is more than is needed."""
    asked = f'Bearer realm="{realm}",service="harbor",scope="repository:other:pull,push"'
    return told(401, b"", asked)


def test_a_token_is_asked_for_once_and_for_pulling_alone(server: Faulty) -> None:
    server.files[TOKEN] = b'{"token": "t0k"}'
    server.faults[TAG] = [wants(f"{server.url}/token")]
    source = registry(server, USER)
    read(source)
    said = [(one.path, one.headers.get("Authorization")) for one in server.log]
    assert said == [
        (TAG, None),
        (TOKEN, BASIC),
        (TAG, "Bearer t0k"),
        (blob(), "Bearer t0k"),
    ]


def test_a_token_that_has_ended_is_renewed_by_one_of_all_threads(server: Faulty) -> None:
    server.files[TOKEN] = b'{"access_token": "t0k"}'
    server.faults[TAG] = [wants(f"{server.url}/token")]
    source = registry(server, USER)
    source.list()
    server.files[TOKEN] = b'{"token": "t1k"}'
    gate = threading.Barrier(4)

    def ended(answer: Answer) -> None:
        gate.wait(60)
        wants(f"{server.url}/token")(answer)

    server.faults[blob()] = [ended] * 4
    threads = [threading.Thread(target=read, args=(source,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.paths().count(TOKEN) == 2
    assert [one.headers["Authorization"] for one in server.log[-4:]] == ["Bearer t1k"] * 4


def test_nobody_in_particular_gets_a_token_too(server: Faulty) -> None:
    server.files[TOKEN] = b'{"token": "t0k"}'
    server.faults[TAG] = [wants(f"{server.url}/token")]
    assert read(registry(server)) == CONTENT
    assert server.log[1].headers.get("Authorization") is None


def test_an_access_key_is_refused() -> None:
    spec = ModelMirrorSpec(type="oci", url="https://harbor.bank.example")
    key = Credentials(access_key=AccessKey("AKID", SECRET))
    with pytest.raises(Refusal, match="needs username and password, or token, in") as caught:
        open_source("harbor", spec, repository="o/m", revision=COMMIT, credentials=key)
    assert caught.value.reason == reasons.SECRET_NOT_FOUND


def test_user_and_password_are_sent_only_where_they_are_asked_for(server: Faulty) -> None:
    server.faults[TAG] = [told(401, b"", 'Basic realm="registry"')]
    read(registry(server, USER))
    assert [one.headers.get("Authorization") for one in server.log] == [None, BASIC, BASIC]


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(None, id="none"),
        pytest.param(USER, id="a password"),
        pytest.param(Credentials.bearer(SECRET), id="a token of its own"),
    ],
)
def test_refused_for_good(server: Faulty, credentials: Credentials | None) -> None:
    server.always[TAG] = told(401, b"", 'Basic realm="registry"')
    with pytest.raises(Unauthorized, match="HTTP 401") as caught:
        registry(server, credentials).list()
    assert SECRET not in str(caught.value)
    assert len(server.log) == (2 if credentials is USER else 1)


def test_a_token_service_elsewhere_gets_credentials_only_when_it_is_listed(server: Faulty) -> None:
    with faulty({TOKEN: b'{"token": "t0k"}'}) as other:
        there = other.url.removeprefix("http://")
        server.faults[TAG] = [wants(f"{other.url}/token")]
        with pytest.raises(MirrorUnavailable, match=f"{there}, which spec.oci.authHosts does not"):
            registry(server, USER).list()
        assert other.log == []
        server.faults[TAG] = [wants(f"{other.url}/token")]
        assert read(registry(server, USER, there)) == CONTENT
        assert other.log[0].headers["Authorization"] == BASIC


@pytest.mark.parametrize(
    ("realm", "says"),
    [
        pytest.param("", "a token of '', which is no URL", id="none"),
        pytest.param("file:///etc/passwd", "which is no URL", id="a file"),
        pytest.param("/token", "which is no URL", id="relative"),
        pytest.param("http://[::1/token", "which is no URL", id="half a URL"),
        pytest.param("http://127.0.0.1:x/token", "which is no URL", id="a port that is none"),
        pytest.param("http://a host/token", "which is no URL", id="a host with a blank"),
        pytest.param("http://127.0.0.1@evil.example/t", "a token of evil.example", id="a user"),
    ],
)
def test_realms_that_are_none(server: Faulty, realm: str, says: str) -> None:
    server.faults[TAG] = [wants(realm)]
    with pytest.raises(MirrorUnavailable, match=re.escape(says)):
        registry(server, USER).list()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"{}", id="nothing"),
        pytest.param(b'{"token": 7}', id="a number"),
        pytest.param(b'{"token": "a\\nX: canary"}', id="two lines"),
        pytest.param(b"[" * 60_000, id="nested without end"),
        pytest.param(b"canary", id="no JSON"),
    ],
)
def test_answers_that_hold_no_token(server: Faulty, answer: bytes) -> None:
    server.files[TOKEN] = answer
    server.faults[TAG] = [wants(f"{server.url}/token")]
    with pytest.raises(MirrorUnavailable, match="/token: the answer holds no token") as caught:
        registry(server, USER).list()
    assert "canary" not in str(caught.value)


def test_credentials_do_not_go_from_https_to_http() -> None:
    spec = ModelMirrorSpec(type="oci", url="https://harbor.bank.example")
    source = open_source("harbor", spec, repository="o/m", revision=COMMIT, credentials=USER)
    refused = Unauthorized("401")
    refused.challenge = 'Bearer realm="http://harbor.bank.example/token"'
    tokens = source._transport._tokens  # type: ignore[attr-defined]
    with pytest.raises(MirrorUnavailable, match="do not go from https to http"):
        tokens.answer(refused, None)
