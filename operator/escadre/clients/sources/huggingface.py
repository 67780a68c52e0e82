"""A mirror that offers the routes of a Hugging Face hub: its files' URLs, and its list of them.

Three routes, below a URL that may carry a prefix (``…/artifactory/api/huggingfaceml/repo``)::

    /{repository}/resolve/{revision}/{path}                     a file
    /api/models/{repository}/tree/{revision}?recursive=true     the list, in pages
    /api/models/{repository}/revision/{revision}?blobs=true     the list of a mirror without trees

No HEAD, no ETag, no Xet, and nothing is asked of an answer that is not needed. What is listed is
held against the bytes later and believed nowhere. The manifests live elsewhere (``manifestsURL``),
as a pinned commit takes no further file.
"""

import re
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from escadre.clients.sources.document import Part, list_of, object_of, parse
from escadre.clients.sources.errors import MirrorUnavailable, NotFound
from escadre.clients.sources.origins import shown
from escadre.clients.sources.paging import next_page
from escadre.clients.sources.protocol import ListedFile
from escadre.clients.sources.transport import Transport
from escadre.core.decimals import bytes_text

__all__ = ["Hub"]

_MOST_PAGES: Final = 1000
_MOST_ENTRIES: Final = 100_000
_MOST_BYTES: Final = 64 * 1000 * 1000  # of all pages
_MOST_PAGE: Final = 8 * 1000 * 1000  # of one; empty objects take 24 times that in memory
_SECONDS: Final = 900.0  # for all pages
_SHA256: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Hub:
    """One repository at one commit.

    Args:
        base: the mirror's URL.
        repository: organisation/model.
        revision: commit.
    """

    base: str
    repository: str
    revision: str

    def file_url(self, path: str) -> str:
        """Where the hub serves ``path``, each part percent-encoded as its own client does."""
        return f"{self._root}/{quote(self.repository)}/resolve/{self._commit}/{quote(path)}"

    def files(self, transport: Transport) -> list[ListedFile]:
        """The files, in the mirror's order. Raises MirrorError."""
        try:
            return self._tree(transport)
        except NotFound as missing:  # of the repository, the commit, or the route
            try:
                return self._siblings(transport)
            except NotFound:
                raise NotFound(f"{self._where}: HTTP 404, no such repository or commit") from (
                    missing
                )

    @property
    def _root(self) -> str:
        return self.base.rstrip("/")

    @property
    def _commit(self) -> str:
        return quote(self.revision, safe="")

    @property
    def _where(self) -> str:
        return f"listing {self.repository} at {self.revision} on {shown(self._root)}"

    def _tree(self, transport: Transport) -> list[ListedFile]:
        models = f"{self._root}/api/models/{quote(self.repository)}"
        url: str | None = f"{models}/tree/{self._commit}?recursive=true&expand=false"
        until, left, pages, entries = time.monotonic() + _SECONDS, _MOST_BYTES, 0, 0
        files: dict[str, ListedFile] = {}
        while url:
            page = transport.page(url, min(left, _MOST_PAGE), until)
            left -= len(page.text)
            pages += 1
            where = f"{self._where}: page {pages}"
            for value in list_of(parse(page.text, where), where):
                entries += 1
                entry = object_of(value, f"{self._where}: entry {entries}")
                _add(files, entry, _of_tree(entry))
            url = next_page(page.answer.header("Link"), url)
            more = url is not None and (pages >= _MOST_PAGES or left <= 0)
            if more or entries > _MOST_ENTRIES:
                raise MirrorUnavailable(
                    f"{self._where}: more than {_MOST_PAGES:,} pages, {_MOST_ENTRIES:,} entries or "
                    f"{bytes_text(_MOST_BYTES)}"
                )
        return list(files.values())

    def _siblings(self, transport: Transport) -> list[ListedFile]:
        models = f"{self._root}/api/models/{quote(self.repository)}"
        url = f"{models}/revision/{self._commit}?blobs=true"
        page = transport.page(url, _MOST_PAGE, time.monotonic() + _SECONDS)
        found = object_of(parse(page.text, self._where), self._where)
        siblings = list_of(found.fields.get("siblings"), f"{self._where}: siblings")
        files: dict[str, ListedFile] = {}
        for number, value in enumerate(siblings, 1):
            entry = object_of(value, f"{self._where}: sibling {number}")
            _add(files, entry, _file(entry, "rfilename"))
        return list(files.values())


def _of_tree(entry: Part) -> ListedFile | None:
    """A file; None for a folder, which its files name."""
    kind = entry.text("type")
    if kind not in {"file", "directory"}:
        raise MirrorUnavailable(f"{entry.where}: type is neither file nor directory")
    return _file(entry, "path") if kind == "file" else None


def _file(entry: Part, name: str) -> ListedFile:
    path = entry.text(name)
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise MirrorUnavailable(f"{entry.where}: {name} {path[:80]!r} is no path below a folder")
    lfs = entry.part_if_any("lfs")
    if lfs is None:
        return ListedFile(path, entry.size("size"))
    digest = _SHA256.fullmatch(lfs.text_if_any("oid") or lfs.text_if_any("sha256") or "")
    # Where both sizes stand, a mirror that stores the pointer tells the file's size only below.
    size = lfs.size("size") if "size" in lfs.fields else entry.size("size")
    return ListedFile(path, size, digest[1].lower() if digest else None)


def _add(files: dict[str, ListedFile], entry: Part, file: ListedFile | None) -> None:
    if file is None:
        return
    if file.path in files:
        raise MirrorUnavailable(f"{entry.where}: {file.path[:80]!r} stands in the list twice")
    files[file.path] = file
