"""What a mirror may do to a pull, row by row: the reason, the whole message, what is left behind.

Nothing of the model is served, what was verified stays, and the next pull asks for the rest alone.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from tests.agent.conftest import (
    Puller,
    SampleModel,
    opened_mirror,
    publish,
    sample_model,
    where,
)
from tests.clients.sources.faulty import Answer, Fault, Faulty, flip, refuse, reset, stall

from escadre import reasons
from escadre.agent.store.store import Store
from escadre.clients.sources.errors import MirrorError
from escadre.core.weights.manifest import CHUNK_SIZE
from escadre.reasons import Reason

FILE = "a.safetensors"
BIG = "consolidated.safetensors"
AWAY = (
    "redirected to {to}, none of the mirror's hosts, which is not followed: let the mirror serve "
    "the bytes itself, or list {host} in spec.redirectHosts of the ModelMirror"
)
FLIPPED = hashlib.sha256(b"A" * 3 + b"@" + b"A" * 4996).hexdigest()
APPROVED = hashlib.sha256(b"A" * 5000).hexdigest()


def headed(**headers: str) -> Fault:
    def fault(answer: Answer) -> None:
        answer.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def bodied(change: Callable[[bytes], bytes]) -> Fault:
    def fault(answer: Answer) -> None:
        answer.body = change(bytes(answer.body))

    return fault


def to(url: str) -> Fault:
    return refuse(307, {"Location": url})


DOWN, WRONG = reasons.MIRROR_UNAVAILABLE, reasons.DIGEST_MISMATCH
# What the mirror does each time, the reason, and the message; {got} is "getting <the file's URL>".
STAYS: dict[str, tuple[Fault, Reason, str]] = {
    "a flipped bit": (
        flip(3),
        WRONG,
        (
            f"{FILE}, chunk 0 (bytes 0-4999) from mirror tree, {{url}}: sha256 {FLIPPED}, approved "
            f"is {APPROVED}; nothing of the model is served; sample: quarantine/{APPROVED[:16]}-"
            f"{FLIPPED[:16]}.bin"
        ),
    ),
    "a shorter file": (
        bodied(lambda body: body[:-1]),
        WRONG,
        "{url} has 4,999 bytes on the mirror, 5,000 were expected",
    ),
    "a longer file": (
        bodied(lambda body: body + b"x"),
        WRONG,
        "{url} has 5,001 bytes on the mirror, 5,000 were expected",
    ),
    "401": (
        refuse(401),
        reasons.UNAUTHORIZED,
        "{got}: HTTP 401: the mirror refuses the credentials, or wants some",
    ),
    "403": (
        refuse(403),
        reasons.UNAUTHORIZED,
        "{got}: HTTP 403: the mirror refuses the credentials, or wants some",
    ),
    "404": (
        refuse(404),
        reasons.MIRROR_FILE_NOT_FOUND,
        "{got}: HTTP 404: the mirror has no such file",
    ),
    "429": (refuse(429, {"Retry-After": "0"}), DOWN, "{got}: HTTP 429"),
    "500": (refuse(500), DOWN, "{got}: HTTP 500"),
    "503": (refuse(503), DOWN, "{got}: HTTP 503"),
    "a reset before a byte": (reset(0), DOWN, "{got}: the body ended after 0 of 5,000 bytes"),
    "gzip": (
        headed(Content_Encoding="gzip"),
        DOWN,
        (
            "{got}: the body is gzip though identity was asked for; switch compression off for "
            "weights on the mirror"
        ),
    ),
    "another host": (
        to("http://elsewhere.example/x?X-Amz-Signature=s3cr3t"),
        DOWN,
        "{got}: " + AWAY.format(to="http://elsewhere.example/x", host="elsewhere.example"),
    ),
    "the internet": (
        to("https://huggingface.co/org/model/x"),
        DOWN,
        "{got}: " + AWAY.format(to="https://huggingface.co/org/model/x", host="huggingface.co"),
    ),
    "a circle": (to(where(FILE)), DOWN, "{got}: more than 5 redirects"),
    "a file of the node": (
        to("file:///etc/passwd"),
        DOWN,
        "{got}: redirected to what is no http or https URL",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_a_fault_that_stays_is_told_whole_and_serves_nothing(
    name: str, pull: Puller, small: SampleModel, server: Faulty, store: Store
) -> None:
    fault, reason, says = STAYS[name]
    server.always[where(FILE)] = fault
    with pytest.raises(MirrorError) as caught:
        pull(small).run()
    url = f"{server.url}{where(FILE)}"
    assert caught.value.message == says.format(url=url, got=f"getting {url}")
    assert caught.value.reason == reason
    assert store.models.verified() == {}
    assert not store.models.path(small.digest).exists()
    assert not store.blobs.path(APPROVED).exists()


STALLS = {
    "the manifest, before a byte": ("manifest", 0),
    "the manifest, after a byte": ("manifest", 1),
    "a file, before its first byte": (FILE, 0),
    "a file, in its middle": (FILE, 100),
}


@pytest.mark.parametrize("name", STALLS)
def test_a_mirror_that_falls_silent_is_slow_on_every_route(
    name: str, pull: Puller, small: SampleModel, server: Faulty, store: Store
) -> None:
    what, after = STALLS[name]
    manifest = f"/escadre-manifests/{small.digest[7:]}.manifest"
    path = manifest if what == "manifest" else where(what)
    server.always[path] = stall(after, server.released)
    with closing(opened_mirror(server, idle=0.3)) as impatient:
        work = replace(pull(small), mirror=impatient)
        with pytest.raises(MirrorError) as caught:
            work.run()
    assert caught.value.reason == reasons.MIRROR_SLOW
    # How much came before is what was handed on, not what waits for more in a buffer.
    assert re.fullmatch(
        rf"getting {server.url}{path}: no byte for 0\.3 s after [0-9]+ B", caught.value.message
    )
    assert store.models.verified() == {}


def sliced(answer: Answer) -> None:
    """Of a range, a part, as some caches that store in slices give."""
    if answer.status == 206:
        answer.body = bytes(answer.body[:1000])
        begin, _, rest = answer.headers["Content-Range"].removeprefix("bytes ").partition("-")
        last, size = int(begin) + len(answer.body) - 1, rest.partition("/")[2]
        answer.headers["Content-Range"] = f"bytes {begin}-{last}/{size}"


PASSES: dict[str, Fault] = {
    "slices shorter than asked": sliced,
    "an ETag that is a sha1": headed(ETag='"' + "0" * 40 + '"'),
    "a weak ETag": headed(ETag='W/"1-2"'),
    "an ETag of other bytes": headed(ETag=f'"{"0" * 64}"', X_Linked_ETag=f'"{"1" * 64}"'),
    "a size of the pointer": headed(X_Linked_Size="131"),
    "another commit": headed(X_Repo_Commit="f" * 40),
    "Xet": headed(
        X_Xet_Hash="0" * 64, Link='<https://cas.example/auth>; rel="xet-auth"', ETag='"xet"'
    ),
    "a wrong Content-Range": headed(Content_Range="bytes 0-1/2"),
    "no word of ranges": headed(Accept_Ranges="none"),
    "chunks of an upload": headed(Content_Encoding="aws-chunked"),
    "a label of a page": headed(Content_Type="text/html"),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_a_header_says_is_neither_believed_nor_a_fault(
    name: str, pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    for path in model.contents:
        server.always[where(path)] = PASSES[name]
    pull(model).run()
    folder = store.models.path(model.digest)
    assert {path: (folder / path).read_bytes() for path in model.contents} == model.contents


REST: dict[str, tuple[Fault, Reason]] = {
    "500": (refuse(500), DOWN),
    "503": (refuse(503), DOWN),
    "401": (refuse(401), reasons.UNAUTHORIZED),
    "a reset": (reset(1000), DOWN),
    "a flipped bit": (flip(9), WRONG),
}


@pytest.mark.parametrize("name", REST)
def test_what_was_verified_before_a_fault_is_not_asked_for_again(
    name: str, pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    fault, reason = REST[name]

    def behind_the_first_chunk(answer: Answer) -> None:
        asked = [one.range for one in server.log if one.path == where(BIG)][-1]
        if asked is None:
            answer.cut = CHUNK_SIZE + 1  # the first chunk, then the connection ends
        else:
            fault(answer)

    server.always[where(BIG)] = behind_the_first_chunk
    with pytest.raises(MirrorError) as caught:
        pull(model).run()
    assert caught.value.reason == reason
    assert store.models.verified() == {}
    server.always.clear()
    server.log.clear()
    pull(model).run()
    last = len(model.contents[BIG]) - 1
    asked = [one for one in server.log if one.path == where(BIG)]
    assert [one.range for one in asked] == [f"bytes={CHUNK_SIZE}-{last}"]
    assert model.digest in store.models.verified()


def test_a_mirror_that_refuses_each_file_once_is_pulled_from(
    pull: Puller, server: Faulty, store: Store
) -> None:
    many = sample_model({f"part-{number:03}": b"%d" % number for number in range(20)})
    publish(server, many)
    for path in many.contents:
        server.faults[where(path)] = [refuse(429, {"Retry-After": "0"})]
    pull(many).run()
    folder = store.models.path(many.digest)
    assert {path: (folder / path).read_bytes() for path in many.contents} == many.contents
