"""What a mirror can do, found by asking it a little: manifest, list, one range, one small file.

Each question is asked once, without further tries, so that the answer is the mirror's and not that
of patience. Used by the agent that is to probe a mirror and by `escadre mirror test`.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorError,
    MirrorSlow,
    RangesUnsupported,
)
from escadre.clients.sources.protocol import Data, RemoteFile, Source
from escadre.clients.sources.retry import Cancelled
from escadre.core.counting import count
from escadre.core.decimals import bytes_text
from escadre.core.weights import manifest as manifests
from escadre.core.weights.extremes import FileOfModel, extremes
from escadre.core.weights.findings import printable_name
from escadre.errors import Refusal

__all__ = ["Finding", "Probed", "Sample", "probe", "sample_of"]

PROBED_BYTES: Final = 8 * 1024 * 1024  # of the range that is read, for the rate
_LONGEST: Final = 600.0  # seconds from the first byte of a body to its last
_SMALL: Final = 64 * 1024 * 1024  # a file up to this size is read whole and its digest compared

Subject = Literal["manifest", "list", "ranges", "content"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is asked for.

    Args:
        large: the file of which a range in the middle is read.
        small: a file that is read whole, with its approved sha256; None without an approval.
        manifest: digest of the manifest; None without an approval.
        lists: whether its list is asked for, where the protocol has one: drafts need it, pulls do
            not, and a key that pulls may well be none that lists.
    """

    large: RemoteFile
    small: tuple[RemoteFile, str] | None = None
    manifest: str | None = None
    lists: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One question and what became of it; ``fault`` is why it failed, None when it did not."""

    subject: Subject
    words: str
    fault: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What came out.

    Args:
        findings: in the order they were asked for.
        ranges: whether byte ranges are served; None when it did not come to an answer.
        first_byte_seconds: from the request for the range to its first byte.
        bytes_per_second: of the range behind its first piece, one connection; None when it was too
            short to tell.
        redirect_hosts: hosts of others that it sent the reader to, followed or not.
    """

    findings: tuple[Finding, ...]
    ranges: bool | None
    first_byte_seconds: float | None
    bytes_per_second: int | None
    redirect_hosts: tuple[str, ...] = ()

    @property
    def fault(self) -> Refusal | None:
        """The first thing that failed."""
        return next((one.fault for one in self.findings if one.fault), None)


def probe(
    source: Source,
    sample: Sample,
    clock: Callable[[], float],
    called_off: Callable[[], bool] = lambda: False,
) -> Probed:
    """Ask; never raises for a fault of the mirror, it is a finding.

    Args:
        source: the repository on the mirror.
        sample: what to ask for.
        clock: monotonic seconds.
        called_off: whether nobody asks any more.

    Raises:
        Cancelled: nobody does.
    """
    watch = _Watch(clock, called_off)
    findings: list[Finding] = []
    if sample.manifest is not None:
        digest = sample.manifest
        findings.append(_asked("manifest", watch, lambda: _manifest(source, digest)))
    if sample.lists and source.capabilities.lists:
        findings.append(_asked("list", watch, lambda: _listed(source, sample.large)))
    timed = _Timed(clock, watch)
    ranges: bool | None = None
    try:
        read = _asked("ranges", watch, lambda: _range(source, sample.large, timed))
        ranges = None if read.fault else True
    except RangesUnsupported as error:
        ranges = False
        read = Finding("ranges", f"none: {error.message}; files are read as one stream each")
    findings.append(read)
    if sample.small is not None:
        file, sha256 = sample.small
        findings.append(_asked("content", watch, lambda: _content(source, file, sha256, watch)))
    return Probed(tuple(findings), ranges, timed.first, timed.rate(), source.met.redirect_hosts)


@dataclass(slots=True)
class _Watch:
    """Looks at each piece: whether anybody still asks, and whether its body comes to an end."""

    clock: Callable[[], float]
    called_off: Callable[[], bool]
    began: float | None = None

    def begin(self) -> None:
        self.look()
        self.began = None

    def look(self) -> None:
        if self.called_off():
            raise Cancelled("the probe was called off")

    def piece(self) -> None:
        self.look()
        now = self.clock()
        self.began = now if self.began is None else self.began
        if now - self.began > _LONGEST:
            raise MirrorSlow(f"reading it does not come to an end within {_LONGEST:g} s")


def _asked(subject: Subject, watch: _Watch, work: Callable[[], str]) -> Finding:
    watch.begin()
    try:
        return Finding(subject, work())
    except RangesUnsupported:
        raise
    except Refusal as error:
        return Finding(subject, error.message, error)


def _manifest(source: Source, digest: str) -> str:
    text = source.manifest(digest)
    if (got := manifests.digest(text)) != digest:
        raise DigestMismatch(f"{source.manifest_url(digest)} has {got}, approved is {digest}")
    return f"{bytes_text(len(text))}, the approved one"


def _listed(source: Source, file: RemoteFile) -> str:
    before = source.met.pages
    found = source.list()
    pages = source.met.pages - before
    sizes = {one.path: one.size for one in found}
    words = count(len(found), "file") + (f" in {count(pages, 'page')}" if pages else "")
    if file.path not in sizes:
        raise MirrorError(f"{words} are listed, {printable_name(file.path)} is not among them")
    if sizes[file.path] != file.size:
        raise DigestMismatch(
            f"{printable_name(file.path)} is listed with {sizes[file.path]:,} bytes, {file.size:,} "
            "were expected"
        )
    return words


@dataclass(slots=True)
class _Timed:
    """When the pieces of the range came."""

    clock: Callable[[], float]
    watch: _Watch
    asked: float = 0.0
    first: float | None = None
    behind: int = 0  # bytes behind the first piece
    last: float = 0.0

    def ask(self) -> None:
        self.asked = self.clock()

    def take(self, piece: Data) -> None:
        self.watch.piece()
        now = self.clock()
        if self.first is None:
            self.first = now - self.asked
        else:
            self.behind += len(piece)
        self.last = now

    def rate(self) -> int | None:
        """Bytes per second behind the first piece; None where there was next to nothing."""
        if self.first is None or self.behind < PROBED_BYTES // 8:
            return None
        passed = self.last - self.asked - self.first
        return round(self.behind / passed) if passed > 0 else None


def _range(source: Source, file: RemoteFile, timed: _Timed) -> str:
    """From the middle: a mirror that ignores ranges begins with the first byte."""
    size = min(PROBED_BYTES, max(1, file.size // 2))
    timed.ask()
    source.read(file, file.size // 2, size, timed.take)
    return f"{bytes_text(size)} from the middle of {printable_name(file.path)}"


def _content(source: Source, file: RemoteFile, sha256: str, watch: _Watch) -> str:
    hasher = hashlib.sha256()
    with source.stream(file) as body:
        while piece := body.read():
            watch.piece()
            hasher.update(piece)
    if (got := hasher.hexdigest()) != sha256:
        raise DigestMismatch(f"{file.path}: sha256 {got}, approved is {sha256}")
    return f"{file.path} has the approved digest"


def sample_of(files: Iterable[FileOfModel], manifest: str) -> Sample:
    """What to ask for of an approval's files; at least one is not empty."""
    least, most = extremes(files)
    small = (RemoteFile(least.path, least.size), least.sha256) if least.size <= _SMALL else None
    return Sample(RemoteFile(most.path, most.size), small, manifest)
