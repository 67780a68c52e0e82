"""A process whose children pull, each killed a step later: python -m … ends|changes FOLDER EVERY.

A step is what changes the disk: a child sends itself SIGKILL before its n-th one. Forked from a
process with one thread, so that thousands of ends cost seconds. Prints what came out as JSON.
"""

import errno
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from escadre.agent.store.store import Store, open_store
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import Manifest, ManifestFile
from escadre.errors import Refusal

STEPS: Final = {
    "os.link",
    "os.rename",
    "os.mkdir",
    "os.chmod",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "open",
}
SHARED: Final = b"tokens" * 50
FIRST: Final = {"w.safetensors": b"1" * 300, "sub/tekken.json": SHARED}
SECOND: Final = {"w.safetensors": b"2" * 300, "tekken.json": SHARED, "x/y/z": b"z"}


class Fuse:
    """Kills the process before a step; one a process, for an audit hook stays for good."""

    def __init__(self) -> None:
        self.left = self.full_after = -1
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.mkdir"} and self.full_after >= 0:
            flags = os.O_CREAT if event == "os.mkdir" else int(arguments[2])
            if flags & os.O_CREAT and self.full_after == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.full_after -= bool(flags & os.O_CREAT)
        if self.left < 0 or event not in STEPS:
            return
        if event == "open" and not (int(arguments[2]) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def model(contents: dict[str, bytes]) -> tuple[str, Manifest, bytes]:
    """Digest, manifest and its text; every file is one chunk."""
    files = []
    for path, content in sorted(contents.items()):
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(ManifestFile(path, len(content), sha256, (sha256,)))
    text = manifests.render(Manifest(tuple(files)))
    return manifests.digest(text), Manifest(tuple(files)), text


@contextmanager
def opened(root: Path) -> Iterator[Store]:
    store = open_store(root, lambda: "2026-11-22T00:00:00Z")
    try:
        yield store
    finally:
        store.close()


def pull(store: Store, contents: dict[str, bytes]) -> None:
    """As agent/pull/pull.py does it, with bytes that are at hand."""
    digest, manifest, text = model(contents)
    store.models.keep_manifest(digest, text)
    blobs, check = store.blobs, lambda: None
    missing = [file for file in manifest.files if not blobs.holds(file, check)]
    blobs.recheck(missing, check)
    blobs.reserve(missing, len(manifest.folders))
    for file in missing:
        with blobs.partial(file) as partial:
            for chunk in list(partial.missing()):
                partial.write(chunk.offset, contents[file.path])
                partial.mark(chunk)
            blobs.commit(partial)
    store.models.publish(digest, manifest)


def look(root: Path) -> list[str]:
    with opened(root) as store:
        return sorted(store.models.verified())


def killed(fuse: Fuse, step: int, work: Callable[[], object]) -> bool:
    """Does ``work`` in a child that is killed before its step; False when it came to its end."""
    child = os.fork()
    if not child:
        fuse.left = step
        work()
        fuse.left = -1
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0, "the child failed"
    return False


def whole(root: Path, digest: str, contents: dict[str, bytes]) -> bool:
    folder = root / "models" / digest[7:]
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {path: one.read_bytes() for path, one in found.items()} == contents


def second(root: Path) -> None:
    with opened(root) as store:
        pull(store, SECOND)


def fresh(folder: Path) -> Path:
    """A store that holds the first model."""
    root = folder / "store"
    shutil.rmtree(root, ignore_errors=True)
    with opened(root) as store:
        pull(store, FIRST)
    return root


def ends_twice(folder: Path, fuse: Fuse, every: int) -> dict[str, Any]:
    """The second model is pulled and killed at each step, the look after it at some of its own.

    Tells after how many ends the first model, or the second pulled once more, did not stand.
    """
    first, other = model(FIRST)[0], model(SECOND)[0]
    told: dict[str, Any] = {"steps": 0, "ends": 0, "withdrawn": [], "unfinished": []}
    step = 0
    while True:
        again = 0
        while True:
            root = fresh(folder)
            done = not killed(fuse, step, partial(second, root))
            over = not killed(fuse, again, partial(look, root))
            told["ends"] += 1
            if first not in look(root) or not whole(root, first, FIRST):
                told["withdrawn"].append((step, again))
            second(root)
            if look(root) != sorted((first, other)) or not whole(root, other, SECOND):
                told["unfinished"].append((step, again))
            if over:
                break
            again += every
        if done:
            return told
        step += 1
        told["steps"] = step


def tampered(folder: Path, fuse: Fuse, every: int) -> dict[str, Any]:
    """The second model's pull is killed, then a file of the store changed, then it is pulled again.

    Tells what was verified with other bytes than the approved ones.
    """
    told: dict[str, Any] = {"changes": 0, "believed": [], "refused": 0}
    step, pulling = 0, True
    while pulling:
        number, pulling = 0, False
        while True:
            root = fresh(folder)
            pulling = killed(fuse, step, partial(second, root))
            victims = sorted(
                path for path in root.rglob("*") if path.is_file() and path.parent != root
            )
            if number >= len(victims):
                break
            forge(victims[number], root)
            told["changes"] += 1
            try:
                second(root)
            except Refusal:
                told["refused"] += 1
            verified = look(root)
            for contents in (FIRST, SECOND):
                digest = model(contents)[0]
                if digest in verified and not whole(root, digest, contents):
                    told["believed"].append((step, str(victims[number].relative_to(root))))
            number += 1
        step += every
    return told


def filled(folder: Path, fuse: Fuse, every: int) -> dict[str, Any]:
    """The disk takes no new file from some moment of the second model's pull on.

    Tells at which moments the first model was withdrawn while it was full, or the second could not
    be pulled once there was room again.
    """
    first, other = model(FIRST)[0], model(SECOND)[0]
    told: dict[str, Any] = {"moments": 0, "refused": 0, "withdrawn": [], "unfinished": []}
    full = True
    while full:
        root = fresh(folder)
        with opened(root) as store:
            fuse.full_after = told["moments"]
            try:
                pull(store, SECOND)
                full = False
            except Refusal:
                told["refused"] += 1
            fuse.full_after = 0
            looks = [store.models.verified() for _ in range(2)]
            fuse.full_after = -1
            if not all(first in seen for seen in looks) or first not in store.models.verified():
                told["withdrawn"].append(told["moments"])
        second(root)
        if look(root) != sorted((first, other)) or not whole(root, other, SECOND):
            told["unfinished"].append(told["moments"])
        told["moments"] += every
    return told


def forge(path: Path, root: Path) -> None:
    """Other bytes in the same place, the old times, and a mark for what is not there."""
    before, probe = path.stat(), root / "probe"
    while True:  # a clock of 4 ms may not have moved on since the last write
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns > before.st_ctime_ns:
            break
    probe.unlink()
    content = path.read_bytes()
    at = len(content) // 2
    changed = content[:at] + bytes([(content[at] ^ 1) if content else 0]) + content[at + 1 :]
    if path.suffix == ".chunks":
        changed = content.replace(b".", b"x")
    path.chmod(0o644)
    path.write_bytes(changed) if path.suffix == ".chunks" else _overwrite(path, changed)
    path.chmod(before.st_mode & 0o777)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def main(what: str, folder: str, every: str) -> None:
    work = {"ends": ends_twice, "changes": tampered, "full": filled}[what]
    sys.stdout.write(json.dumps(work(Path(folder), Fuse(), int(every))))


if __name__ == "__main__":
    main(*sys.argv[1:])
