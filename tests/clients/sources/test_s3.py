"""An S3 store as a source: where things lie, how lists are read, what errors are called."""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clients.sources.faulty import LOCAL, Answer, Fault, Faulty, faulty

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import AccessKey, Credentials
from escadre.clients.sources.errors import MirrorError, MirrorUnavailable, NotFound, Unauthorized
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import ListedFile, RemoteFile, Source
from escadre.clients.sources.s3 import bucket as s3
from escadre.errors import Refusal

COMMIT = "0" * 40
BELOW = f"models/org/model/{COMMIT}"
LIST = f"/weights?list-type=2&prefix={BELOW.replace('/', '%2F')}%2F"
KEY = AccessKey("AKID", "s3cr3t-canary", "t0ken-canary")
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as world:
        yield world


def bucket(server: Faulty, key: AccessKey | None = KEY, **more: str) -> Source:
    spec = ModelMirrorSpec.model_validate(
        {
            "type": "s3",
            "url": server.url,
            "s3": {"bucket": "weights", "prefix": "models", **more},
        }
    )
    credentials = Credentials(access_key=key) if key else None
    return open_source(
        "store", spec, repository="org/model", revision=COMMIT, credentials=credentials, guard=LOCAL
    )


def entry(path: str, size: int | str, etag: str = '"1-2"') -> str:
    tag = f"<ETag>{etag}</ETag>" if etag else ""
    return f"<Contents><Key>{BELOW}/{path}</Key><Size>{size}</Size>{tag}</Contents>"


def page(*entries: str, token: str = "", truncated: bool | None = None) -> bytes:
    following = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    more = str(bool(token) if truncated is None else truncated).lower()
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{more}</IsTruncated>{''.join(entries)}{following}</ListBucketResult>"
    ).encode()


def failed(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>canary {code}</Message>{more}</Error>".encode()


@pytest.mark.parametrize(
    ("addressing", "prefix", "url", "manifest"),
    [
        pytest.param(
            "Path",
            "models",
            f"https://s3.bank.example/tier/weights/models/org/model/{COMMIT}/a%20b",
            f"https://s3.bank.example/tier/weights/models/escadre-manifests/{'a' * 64}.manifest",
            id="the bucket in the path",
        ),
        pytest.param(
            "VirtualHost",
            "",
            f"https://weights.s3.bank.example/tier/org/model/{COMMIT}/a%20b",
            f"https://weights.s3.bank.example/tier/escadre-manifests/{'a' * 64}.manifest",
            id="the bucket before the host",
        ),
    ],
)
def test_where_things_lie(addressing: str, prefix: str, url: str, manifest: str) -> None:
    spec = ModelMirrorSpec.model_validate(
        {
            "type": "s3",
            "url": "https://s3.bank.example/tier/",
            "s3": {"bucket": "weights", "prefix": prefix, "addressing": addressing},
        }
    )
    source = open_source("store", spec, repository="org/model", revision=COMMIT)
    assert (source.url("a b"), source.manifest_url(DIGEST)) == (url, manifest)


def test_pages_are_followed_and_folders_left_out(server: Faulty) -> None:
    token = "a/b+c=="
    server.files[LIST] = page(entry("", 0), entry("sub/", 0), entry("a&amp;b", 7), token=token)
    second = f"/weights?continuation-token=a%2Fb%2Bc%3D%3D&{LIST.partition('?')[2]}"
    server.files[second] = page(entry("z", 5_000_000_000))
    assert bucket(server).list() == [ListedFile("a&b", 7), ListedFile("z", 5_000_000_000)]


def test_the_size_of_what_lies_behind_the_stores_back_is_asked_for(server: Faulty) -> None:
    server.files[LIST] = page(entry("link", 13, etag=""), entry("known", 2))
    server.files[f"/weights/{BELOW}/link"] = b"longer than the link"
    assert bucket(server).list() == [ListedFile("link", 20), ListedFile("known", 2)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(b"<html></html>", "the answer is no list but 'html'", id="a page"),
        pytest.param(b"{}", "no list of S3: not well-formed", id="JSON"),
        pytest.param(page(entry("a", "-1")), "Size '-1'", id="a negative size"),
        pytest.param(page(entry("a", "7.0")), "Size '7.0'", id="a size with a fraction"),
        pytest.param(page(entry("a", "9" * 99)), "Size '99999999999999999999'", id="a huge size"),
        pytest.param(page("<Contents><Size>1</Size></Contents>"), "Key ''", id="no key"),
        pytest.param(page(truncated=True), "without NextContinuationToken", id="a list cut off"),
        pytest.param(b"<!DOCTYPE x><x/>", "it has a document type", id="a document type"),
    ],
)
def test_lists_that_are_none(server: Faulty, answer: bytes, says: str) -> None:
    server.files[LIST] = answer
    with pytest.raises(MirrorUnavailable, match=re.escape(says)) as caught:
        bucket(server).list()
    assert not caught.value.transient


elements = st.recursive(
    st.sampled_from(["", "true", "7", "-1", "a/b", "&amp;", "\u2028"]),
    lambda inner: st.tuples(
        st.sampled_from(["ListBucketResult", "Contents", "Key", "Size", "IsTruncated", "Error"]),
        st.lists(inner, max_size=4),
    ).map(lambda one: f"<{one[0]}>{''.join(one[1])}</{one[0]}>"),
    max_leaves=12,
)


@given(st.binary(max_size=40) | elements.map(str.encode))
def test_whatever_it_holds_an_answer_is_a_list_or_told(text: bytes) -> None:
    with suppress(MirrorUnavailable):
        assert all(size >= 0 for _, size, _ in s3._page(text, "x").objects)
    assert re.fullmatch("[A-Za-z0-9.]*", s3.explain(text).code)


def test_a_list_that_leads_back_to_itself_ends(server: Faulty) -> None:
    server.files[LIST] = page(entry("a", 1), token="t")
    server.files[f"/weights?continuation-token=t&{LIST.partition('?')[2]}"] = page(token="t")
    with pytest.raises(MirrorUnavailable, match="the list does not end"):
        bucket(server).list()


def test_a_list_of_another_folder_is_refused(server: Faulty) -> None:
    server.files[LIST] = page(entry("a", 1).replace(BELOW, "models/org/other"))
    with pytest.raises(MirrorUnavailable, match=r"the key 'models/org/other/a' is not below it"):
        bucket(server).list()


def test_a_list_of_more_files_than_any_model_has_is_refused(server: Faulty) -> None:
    server.files[LIST] = page(*(entry(str(number), 1) for number in range(10_001)))
    says = "more than 10,000 files, where a model has 2,000 at most"
    with pytest.raises(MirrorUnavailable, match=says):
        bucket(server).list()


def test_an_empty_list_is_told_as_a_folder_that_is_not_there(server: Faulty) -> None:
    server.files[LIST] = page()
    with pytest.raises(NotFound, match=f"weights/{BELOW}/: the bucket has no such folder"):
        bucket(server).list()


def told(status: int, text: bytes) -> Fault:
    def fault(answer: Answer) -> None:
        answer.status, answer.headers, answer.body = status, {}, text

    return fault


@pytest.mark.parametrize(
    ("status", "text", "kind", "says"),
    [
        pytest.param(
            403,
            failed("RequestTimeTooSkewed"),
            Unauthorized,
            "HTTP 403 RequestTimeTooSkewed: the clock of this machine and that of the store are "
            "further apart than signatures allow (15 minutes); set both by NTP",
            id="clocks apart",
        ),
        pytest.param(
            400,
            failed("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
            MirrorUnavailable,
            "HTTP 400 AuthorizationHeaderMalformed: the request is signed for another region than "
            "the bucket's; correct spec.s3.region (the store says eu-west-3)",
            id="another region",
        ),
        pytest.param(
            400, failed("ExpiredToken"), Unauthorized, "HTTP 400 ExpiredToken: the", id="400"
        ),
        pytest.param(
            301,
            failed("PermanentRedirect"),
            MirrorUnavailable,
            "HTTP 301 PermanentRedirect: the bucket is at another endpoint",
            id="a redirect to nowhere",
        ),
        pytest.param(
            404, failed("NoSuchBucket"), NotFound, "HTTP 404 NoSuchBucket: the store has", id="404"
        ),
        pytest.param(
            503, failed("SlowDown"), MirrorUnavailable, "HTTP 503 SlowDown", id="an unknown code"
        ),
        pytest.param(
            403,
            failed("<b>x</b>"),
            Unauthorized,
            "HTTP 403: the mirror refuses the credentials",
            id="a code that is none",
        ),
        pytest.param(
            403, b"<html>canary", Unauthorized, "HTTP 403: the mirror refuses", id="a proxy's page"
        ),
    ],
)
def test_errors_are_told_by_their_code_and_never_shown(
    server: Faulty, status: int, text: bytes, kind: type[MirrorError], says: str
) -> None:
    server.always[LIST] = told(status, text)
    with pytest.raises(kind, match=re.escape(says)) as caught:
        bucket(server).list()
    assert "canary" not in str(caught.value)


def test_each_request_is_signed_and_a_bucket_for_all_is_read_without(
    server: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.files[f"/weights/{BELOW}/w"] = b"0123456789"
    bucket(server).read(RemoteFile("w", 10), 2, 3, lambda _: None)
    bucket(server, key=None).read(RemoteFile("w", 10), 2, 3, lambda _: None)
    first, second = server.log
    assert "SignedHeaders=host;range;" in first.headers["Authorization"]
    assert first.headers["x-amz-security-token"] == "t0ken-canary"
    assert {"Authorization", "x-amz-date"}.isdisjoint(second.headers)
    assert "canary" not in caplog.text


def test_other_credentials_than_an_access_key_are_refused(server: Faulty) -> None:
    spec = ModelMirrorSpec.model_validate(
        {"type": "s3", "url": server.url, "s3": {"bucket": "weights"}}
    )
    with pytest.raises(Refusal, match="needs accessKeyID and secretAccessKey") as caught:
        open_source(
            "store",
            spec,
            repository="org/model",
            revision=COMMIT,
            credentials=Credentials.bearer("t"),
        )
    assert caught.value.reason == reasons.SECRET_NOT_FOUND
