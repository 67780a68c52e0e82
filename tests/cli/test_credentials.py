"""`--credentials`: what a person may give for a mirror in files, and what becomes of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Program
from tests.cli.test_approve_draft import TERMS, allow_loopback
from tests.clients.sources.certificates import Authority, tls_server
from tests.clients.sources.faulty import Faulty, faulty

from escadre.clients.kube import MODEL_MIRRORS

CANARY = "s3cr3t-canary"
COMMIT = "0" * 40
ASKED = ["--repository", "o/m", "--revision", COMMIT]
LISTED = (
    "<ListBucketResult><Contents><Key>o/m/" + COMMIT + "/w</Key><Size>4</Size><ETag>e</ETag>"
    "</Contents></ListBucketResult>"
)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as world:
        yield world


def cluster(url: str, **spec: Any) -> Program:
    program = Program(user="anne", width=400)
    allow_loopback(program.server)
    given = {"type": "huggingface", "url": url, "manifestsURL": f"{url}/manifests", **spec}
    spec = {name: value for name, value in given.items() if value is not None}
    program.server.put(MODEL_MIRRORS, {"metadata": {"name": "internal"}, "spec": spec})
    return program


def folder(tmp_path: Path, **keys: str) -> list[str]:
    """As a Secret is mounted: each key a link to a link."""
    (tmp_path / "key" / "..2026").mkdir(parents=True)
    for name, value in keys.items():
        key = name.replace("tls_", "tls.")
        (tmp_path / "key" / "..2026" / key).write_text(value)
        (tmp_path / "key" / key).symlink_to(Path("..2026", key))
    return ["--credentials", str(tmp_path / "key")]


def test_a_user_and_password_go_with_each_request(server: Faulty, tmp_path: Path) -> None:
    listed = f"/api/models/o/m/tree/{COMMIT}?recursive=true&expand=false"
    server.files[listed] = json.dumps([{"type": "file", "path": "w", "size": 4}]).encode()
    server.files[f"/o/m/resolve/{COMMIT}/w"] = b"text"
    given = folder(tmp_path, username="robot", password=CANARY)
    ran = cluster(server.url).run("mirror", "test", "internal", *ASKED, *given)
    assert ran.code == 0, ran.out + ran.err
    assert {one.headers["Authorization"].split()[0] for one in server.log} == {"Basic"}
    assert CANARY not in ran.out + ran.err


def test_an_access_key_signs_each_request(server: Faulty, tmp_path: Path) -> None:
    query = f"/weights?list-type=2&prefix=o%2Fm%2F{COMMIT}%2F"
    server.files[query] = LISTED.encode()
    server.files[f"/weights/o/m/{COMMIT}/w"] = b"text"
    program = cluster(server.url, type="s3", s3={"bucket": "weights"}, manifestsURL=None)
    given = folder(tmp_path, accessKeyID="AKID", secretAccessKey=CANARY, sessionToken="st")
    ran = program.run("mirror", "test", "internal", *ASKED, *given)
    assert ran.code == 0, ran.out + ran.err
    for one in server.log:
        assert one.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        assert one.headers["x-amz-security-token"] == "st"
    assert CANARY not in ran.out + ran.err


def test_a_certificate_is_shown_to_the_mirror(tmp_path: Path) -> None:
    bank = Authority("bank")
    anne = bank.issue("127.0.0.9")
    given = folder(tmp_path, tls_crt=anne.certificate, tls_key=anne.key)
    own = bank.issue("127.0.0.1").file(tmp_path / "own.pem")
    with tls_server(own, asks=bank, wants=True) as server:
        program = cluster(server.url, caBundle=bank.pem)
        ran = program.run("mirror", "test", "internal", *ASKED, *given)
        assert server.shown == ["127.0.0.9"]
    assert "not JSON" in ran.out  # it was let in, and its list is the text that server has


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"username": "robot"}, "key: username without password"),
        ({"tls_key": "-----BEGIN x"}, "key: tls.key without tls.crt"),
        ({"tls_crt": "no PEM", "tls_key": "-----BEGIN x"}, "key: tls.crt is not PEM"),
        ({"token": f"{CANARY}\n\nsecond"}, "key: token is not one line of plain text"),
        ({"token": ""}, "key: token is empty"),
        ({"token": CANARY, "username": "robot", "password": CANARY}, "one of these is sent; leave"),
        ({"username": f"robot:{CANARY}", "password": CANARY}, "key: username has a colon"),
        ({"password.txt": CANARY}, "key: no file there is called as a key is: token, username"),
        ({"token": CANARY * 100_000}, "token: over 1.0 MB, no credentials"),
    ],
)
@pytest.mark.parametrize("command", ["test", "draft", "sign"])
def test_what_cannot_be_used_is_refused_before_anything_is_asked(
    server: Faulty, tmp_path: Path, command: str, keys: dict[str, str], says: str
) -> None:
    given = {
        "test": ["mirror", "test", "internal", *ASKED],
        "draft": ["approve", "draft", *TERMS, "--revision", COMMIT, "--out", str(tmp_path)],
        "sign": ["approve", "sign", "nope", "--against", "internal"],
    }
    ran = cluster(server.url).run(*given[command], *folder(tmp_path, **keys))
    assert ran.code == 3
    assert f"--credentials {tmp_path}/key" in ran.err
    assert says in ran.err
    assert CANARY not in ran.err
    assert server.log == []


def test_a_folder_that_is_not_there_is_named(server: Faulty) -> None:
    ran = cluster(server.url).run("mirror", "test", "internal", *ASKED, "--credentials", "/nowhere")
    assert ran.code == 3
    assert "--credentials /nowhere: No such file or directory" in ran.err
