"""Everything that the mirror can do wrong, seen by a plain HTTP client."""

import gzip
import http.client
import json
import socket
import threading
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from e2e.cluster.wait import wait_for
from e2e.engine.mirror.__main__ import main
from e2e.engine.mirror.faults import Fault
from e2e.engine.mirror.server import MirrorServer
from tests.engine.fetching import Got, fetch

CONTENT: Final = bytes(range(256)) * 1000
COMMIT: Final = "c" * 40
FILE: Final = f"/org/model/{COMMIT}/weights.bin"
RESOLVED: Final = f"/org/model/resolve/{COMMIT}/weights.bin"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[MirrorServer]:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(CONTENT)
    with MirrorServer(tmp_path / "root") as server:
        server.tree.publish(folder, "org/model", COMMIT)
        yield server


def _get(mirror: MirrorServer, path: str = FILE, span: str | None = None) -> Got:
    return fetch(mirror.url, path, span)


@pytest.mark.parametrize("path", [FILE, RESOLVED])
def test_without_faults_whole_files_and_ranges_are_right(mirror: MirrorServer, path: str) -> None:
    whole = _get(mirror, path)
    part = _get(mirror, path, "1000-1999")
    tail = _get(mirror, path, "255990-")
    assert (whole.status, whole.body) == (200, CONTENT)
    assert (part.status, part.body) == (206, CONTENT[1000:2000])
    assert part.headers["content-range"] == "bytes 1000-1999/256000"
    assert tail.body == CONTENT[255_990:]
    beyond = _get(mirror, path, "256000-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */256000")
    assert int(fetch(mirror.url, path, method="HEAD").headers["content-length"]) == len(CONTENT)


def test_manifests_are_at_both_places(mirror: MirrorServer) -> None:
    digest = "sha256:" + "a" * 64
    mirror.tree.publish_manifest(digest, "escadre-manifest/v1\n")
    for folder in ("manifests", "escadre-manifests"):
        assert _get(mirror, f"/{folder}/{'a' * 64}.manifest").body == b"escadre-manifest/v1\n"
    assert _get(mirror, f"/manifests/{'b' * 64}.manifest").status == 404


@pytest.mark.parametrize("path", ["/../secret", "/org/model/%2e%2e/secret", "/org//x", "/"])
def test_nothing_outside_the_folder_is_served(
    mirror: MirrorServer, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    assert _get(mirror, path).status == 404


def test_a_flipped_byte_changes_nothing_else(mirror: MirrorServer) -> None:
    mirror.faults.add("flip", after=70_000)
    assert _get(mirror, span="0-69999").body == CONTENT[:70_000]
    spoiled = _get(mirror, span="69999-70001").body
    assert spoiled == bytes([CONTENT[69_999], CONTENT[70_000] ^ 0xFF, CONTENT[70_001]])


def test_a_truncated_body_ends_early(mirror: MirrorServer) -> None:
    mirror.faults.add("truncate", after=1500)
    with pytest.raises(http.client.IncompleteRead) as raised:
        _get(mirror, span="1000-1999")
    assert raised.value.partial == CONTENT[1000:1500]


def test_a_reset_is_a_reset(mirror: MirrorServer) -> None:
    mirror.faults.add("reset", after=100_000)
    with pytest.raises(ConnectionResetError):
        _get(mirror)


def test_a_status_comes_for_the_bytes_after_it(mirror: MirrorServer) -> None:
    mirror.faults.add("status", after=1500, code=429, retry_after=7)
    with pytest.raises(http.client.IncompleteRead) as raised:
        _get(mirror, span="1000-1999")
    refused = _get(mirror, span="1500-1999")
    assert len(raised.value.partial) == 500
    assert (refused.status, refused.headers["retry-after"]) == (429, "7")
    assert _get(mirror, span="0-1499").status == 206


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
def test_a_status_may_end_after_some_answers(mirror: MirrorServer, code: int) -> None:
    mirror.faults.add("status", "*.bin", code=code, times=2)
    assert [_get(mirror).status for _ in range(3)] == [code, code, 200]


def test_a_stalled_answer_goes_on_when_the_fault_is_gone(mirror: MirrorServer) -> None:
    fault = mirror.faults.add("stall", after=10)
    got: list[Got] = []
    reader = threading.Thread(target=lambda: got.append(_get(mirror)))
    reader.start()
    reader.join(timeout=0.2)
    assert reader.is_alive()
    mirror.faults.remove(fault)
    reader.join(timeout=60)
    assert got[0].body == CONTENT


def test_a_stalled_client_may_leave(mirror: MirrorServer) -> None:
    mirror.faults.add("stall", after=10)
    with pytest.raises(TimeoutError):
        fetch(mirror.url, FILE, seconds=0.2)


def test_content_range_may_lie_and_ranges_may_be_ignored(mirror: MirrorServer) -> None:
    mirror.faults.add("wrong-range", times=1)
    assert _get(mirror, span="0-9").headers["content-range"] == "bytes 1-10/256000"
    mirror.faults.add("ignore-range")
    ignored = _get(mirror, span="0-9")
    assert (ignored.status, len(ignored.body)) == (200, len(CONTENT))


def test_a_body_may_be_compressed_or_too_long(mirror: MirrorServer) -> None:
    compressed = mirror.faults.add("gzip")
    answer = _get(mirror)
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == CONTENT
    mirror.faults.remove(compressed)
    mirror.faults.add("extra", after=3)
    assert _get(mirror).body == CONTENT + b"\0\0\0"


def test_redirects_and_headers_are_as_told(mirror: MirrorServer) -> None:
    mirror.faults.add("redirect", location="http://other.example", times=1)
    answer = _get(mirror)
    assert (answer.status, answer.headers["location"]) == (302, f"http://other.example{FILE}")
    mirror.faults.add("headers", headers={"X-Repo-Commit": None, "ETag": '"lie"'})
    answer = _get(mirror, RESOLVED)
    assert "x-repo-commit" not in answer.headers
    assert answer.headers["etag"] == '"lie"'


def test_a_slow_mirror_keeps_its_rate(mirror: MirrorServer) -> None:
    mirror.faults.add("slow", rate=1_000_000)
    port = int(mirror.server_address[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"GET {FILE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        chunks = iter(lambda: connection.recv(65536), b"")
        sizes = [len(chunk) for chunk in chunks]
    assert sum(sizes) > len(CONTENT)
    assert max(sizes) < len(CONTENT)  # it came in pieces


def test_routes_without_files_fail_too(mirror: MirrorServer) -> None:
    route = "/api/models/org/model/revision/main"
    assert json.loads(_get(mirror, route).body)["sha"] == COMMIT
    mirror.faults.add("status", "/api/*", code=503, retry_after=1, times=1)
    assert _get(mirror, route).status == 503
    mirror.faults.add("reset", "/api/*", times=1)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        _get(mirror, route)
    assert _get(mirror, route).status == 200


def test_another_process_sets_faults_through_the_control_route(
    mirror: MirrorServer, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fault", "--url", mirror.url, "status", "path=*.bin", "code=500", "times=1"])
    assert mirror.faults.listed() == [Fault("status", "*.bin", times=1, code=500)]
    assert [_get(mirror).status for _ in range(2)] == [500, 200]
    main(["fault", "--url", mirror.url])
    assert mirror.faults.listed() == []
    with pytest.raises(urllib.error.HTTPError, match="400"):
        main(["fault", "--url", mirror.url, "explode"])
    assert capsys.readouterr().out


def test_a_byte_is_flipped_on_disk_but_not_in_hard_links(
    mirror: MirrorServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["flip", str(tmp_path / "root" / "org" / "model" / COMMIT / "weights.bin")])
    assert "flipped byte 128000" in capsys.readouterr().out
    body = _get(mirror).body
    assert [index for index in range(len(body)) if body[index] != CONTENT[index]] == [128_000]
    assert (tmp_path / "model" / "weights.bin").read_bytes() == CONTENT


def test_what_was_asked_is_remembered(mirror: MirrorServer) -> None:
    _get(mirror, span="5-9")
    # The server notes it after the last byte: the client may be faster.
    seen = wait_for(lambda: mirror.seen[-1:], 30, "the request to be noted")[0]
    assert (seen.method, seen.path, seen.range, seen.status, seen.sent) == (
        "GET",
        FILE,
        "bytes=5-9",
        206,
        5,
    )
