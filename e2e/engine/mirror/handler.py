"""Answers one connection of the mirror: routes, rights, heads. Bodies go through ``sending``.

Instantiated by ``MirrorServer``. What the hub's own client insists on (X-Repo-Commit, an ETag,
``lfs.pointerSize``, X-Error-Code) is here on purpose; Xet fields are absent on purpose.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override

from e2e.engine.mirror.faults import Fault
from e2e.engine.mirror.sending import Answer, Outcome, interrupt, plan_answer, send_body
from e2e.engine.mirror.tree import COMMIT, MANIFESTS, Entry, Tree

if TYPE_CHECKING:
    from e2e.engine.mirror.server import MirrorServer

__all__ = ["Handler", "Seen"]

_CONTROL: Final = "/_faults"
_NOT_FOUND: Final = {
    "RepoNotFound": "Repository not found",
    "RevisionNotFound": "Invalid rev id",
    "EntryNotFound": "Entry not found",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that the mirror answered, for assertions and logs."""

    method: str
    path: str
    range: str | None
    authorized: bool
    status: int
    sent: int


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "escadre-mirror"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536  # head in one packet; flushed before the body

    @property
    def _mirror(self) -> "MirrorServer":
        return cast("MirrorServer", self.server)

    @property
    def _tree(self) -> Tree:
        return self._mirror.tree

    def do_GET(self) -> None:
        """Everything but control has a HEAD too."""
        if urlsplit(self.path).path == _CONTROL:
            faults = [fault.as_json() for fault in self._mirror.faults.listed()]
            self._json(200, faults)
        else:
            self._route()

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self._route()

    def do_POST(self) -> None:
        """A new fault."""
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if self.path != _CONTROL:
            self._json(404, {"error": "Not Found"})
            return
        try:
            self._mirror.faults.put(Fault.from_json(json.loads(content)))
        except (TypeError, ValueError) as error:
            self._json(400, {"error": str(error)})
            return
        self._json(200, {})

    def do_DELETE(self) -> None:
        """No more faults."""
        self._mirror.faults.clear()
        self._json(200, {})

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server keeps what it saw."""

    def _route(self) -> None:
        token = self._mirror.token
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            self._json(401, {"error": "Invalid username or password."})
            return
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        segments = [unquote(part) for part in parts.path.removeprefix("/").split("/")]
        if segments[:2] == ["api", "models"] and len(segments) >= 4:
            self._api(path, "/".join(segments[2:4]), segments[4:], query)
        elif segments[0] in ("manifests", MANIFESTS) and len(segments) == 2:
            self._static(path, f"{MANIFESTS}/{segments[1]}", {})
        elif len(segments) >= 5 and segments[2] == "resolve":
            self._resolve(path, "/".join(segments[:2]), segments[3], "/".join(segments[4:]))
        elif len(segments) >= 4 and COMMIT.fullmatch(segments[2]):
            self._static(path, "/".join(segments), {})
        else:
            self._missing("EntryNotFound")

    def _api(self, path: str, repository: str, rest: list[str], query: dict[str, str]) -> None:
        """``/api/models/{repo}[/revision/{rev}|/tree/{rev}|/refs]``."""
        faults = self._mirror.faults.take(path)
        if self._refused(path, faults):
            return
        if not self._tree.has(repository):
            self._missing("RepoNotFound")
            return
        revision = rest[1] if len(rest) >= 2 else "main"
        commit = self._tree.commit(repository, revision)
        if commit is None:
            self._missing("RevisionNotFound")
        elif rest[:1] == ["refs"]:
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": commit}
            self._json(200, {"branches": [branch], "converts": [], "tags": []})
        elif rest[:1] == ["tree"]:
            self._list(repository, commit, "/".join(rest[2:]), query)
        elif rest[:1] in ([], ["revision"]):
            self._json(200, self._information(repository, commit, blobs="blobs" in query))
        else:
            self._missing("EntryNotFound")

    def _list(self, repository: str, commit: str, folder: str, query: dict[str, str]) -> None:
        """One page of a tree."""
        prefix = f"{folder}/" if folder else ""
        entries = [e for e in self._tree.entries(repository, commit) if e.path.startswith(prefix)]
        begin = int(query.get("cursor", "0"))
        end = begin + self._mirror.page_size
        headers = {}
        if end < len(entries):
            base = f"{self._mirror.url}/api/models/{repository}/tree/{commit}"
            url = f"{base}?recursive=true&expand=false&cursor={end}"
            headers["Link"] = f'<{url}>; rel="next"'
        self._json(200, [entry.as_tree_item() for entry in entries[begin:end]], headers)

    def _information(self, repository: str, commit: str, *, blobs: bool) -> dict[str, Any]:
        entries = self._tree.entries(repository, commit)
        return {
            "_id": commit[:24],
            "id": repository,
            "modelId": repository,
            "author": repository.split("/", maxsplit=1)[0],
            "sha": commit,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [entry.as_sibling(blobs=blobs) for entry in entries],
        }

    def _resolve(self, path: str, repository: str, revision: str, name: str) -> None:
        """A file with the heads that the hub's client asks for."""
        if not self._tree.has(repository):
            self._missing("RepoNotFound")
            return
        commit = self._tree.commit(repository, revision)
        if commit is None:
            self._missing("RevisionNotFound")
            return
        entry = self._tree.entry(repository, commit, name)
        if entry is None:
            self._missing("EntryNotFound", {"X-Repo-Commit": commit})
            return
        self._static(path, f"{repository}/{commit}/{name}", _hub_headers(entry, commit))

    def _static(self, path: str, name: str, headers: dict[str, str]) -> None:
        """A file of the tree, ranged, with faults."""
        file = self._tree.file(name)
        if file is None:
            self._missing("EntryNotFound")
            return
        asked = self.headers.get("Range")
        size = file.stat().st_size
        whole = plan_answer(path, file, asked, [])
        faults = self._mirror.faults.take(path, whole.begin, max(whole.end, whole.begin + 1))
        if self._mirror.rate is not None:
            faults.append(Fault("slow", rate=self._mirror.rate))
        answer = plan_answer(path, file, asked, faults)
        headers = {"Content-Type": "application/octet-stream"} | headers | answer.headers
        for fault in faults:
            for key, value in fault.headers:
                headers.pop(key, None)
                if value is not None:
                    headers[key] = value
        length = answer.end - answer.begin
        if self.command == "HEAD" and answer.status == 206:
            length = size
        self._head(answer.status, headers | {"Content-Length": str(length)})
        self._send(file, answer, faults)

    def _send(self, file: Path, answer: Answer, faults: list[Fault]) -> None:
        self.wfile.flush()
        sent = 0
        if self.command != "HEAD":
            outcome = send_body(self.connection, file, answer, faults, self._mirror.faults)
            sent = outcome.sent
            self._broken(outcome)
        self._note(answer.status, sent)

    def _broken(self, outcome: Outcome) -> None:
        self.close_connection = self.close_connection or outcome.broken
        if outcome.reset:
            self._mirror.resets.add(id(self.connection))

    def _refused(self, path: str, faults: list[Fault]) -> bool:
        """Play a fault on a route that has no file behind it."""
        for fault in faults:
            if fault.kind == "status":
                after = fault.retry_after
                headers = {} if after is None else {"Retry-After": str(after)}
                self._json(fault.code, {"error": f"injected {fault.code}"}, headers)
                return True
            if fault.kind == "redirect":
                self._json(302, {}, {"Location": fault.location + path})
                return True
            if fault.kind in ("stall", "reset", "truncate"):
                outcome = Outcome()
                if interrupt(self.connection, fault, self._mirror.faults, outcome):
                    continue
                self._broken(outcome)
                return True
        return False

    def _missing(self, code: str, headers: dict[str, str] | None = None) -> None:
        extra = {"X-Error-Code": code, "X-Error-Message": _NOT_FOUND[code]}
        self._json(404, {"error": _NOT_FOUND[code]}, extra | (headers or {}))

    def _json(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        base = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._head(status, base | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        self._note(status, len(body))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def _note(self, status: int, sent: int) -> None:
        self._mirror.note(
            Seen(
                method=self.command,
                path=unquote(urlsplit(self.path).path),
                range=self.headers.get("Range"),
                authorized="Authorization" in self.headers,
                status=status,
                sent=sent,
            )
        )


def _hub_headers(entry: Entry, commit: str) -> dict[str, str]:
    headers = {"X-Repo-Commit": commit, "ETag": f'"{entry.git_oid}"'}
    if entry.lfs:
        headers["X-Linked-Etag"] = f'"{entry.sha256}"'
        headers["X-Linked-Size"] = str(entry.size)
        headers["ETag"] = f'"{entry.sha256}"'
    return headers
