"""Whatever is changed on a mirror, before a pull or during it: never READY with other bytes."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.conftest import (
    COMMIT,
    LIMITS,
    SampleModel,
    lay_out,
    now,
    remove_tree,
    reopened,
    sample_model,
)

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.store.store import Store, open_store
from escadre.clients.sources.folder import FolderSource
from escadre.clients.sources.protocol import (
    Capabilities,
    ListedFile,
    Reader,
    RemoteFile,
    Sink,
)
from escadre.errors import EscadreError

MODEL = sample_model(
    {
        "consolidated.safetensors": bytes(range(256)) * 64,
        "params.json": b'{"dim": 8}',
        "tekken.json": b"tokens" * 100,
    }
)
MANIFEST = f"escadre-manifests/{MODEL.digest[7:]}.manifest"
PATHS = [f"org/model/{COMMIT}/{path}" for path in MODEL.contents]
Change = Callable[[bytes], bytes]


class Watched:
    """A folder as a mirror; before the read that is told so, something happens to it."""

    name = "mirror"
    capabilities = Capabilities(lists=True)

    def __init__(self, root: Path, before: int, happens: Callable[[], object]) -> None:
        model = root / "org" / "model" / COMMIT
        self.folder = FolderSource("mirror", model, manifests=root / "escadre-manifests")
        self.before = before
        self.happens = happens
        self.reads = 0
        self.lock = threading.Lock()

    def _look(self) -> None:
        with self.lock:
            if self.reads == self.before:
                self.happens()
            self.reads += 1

    def url(self, path: str) -> str:
        return self.folder.url(path)

    def list(self) -> list[ListedFile]:
        return self.folder.list()

    def manifest_url(self, digest: str) -> str:
        return self.folder.manifest_url(digest)

    def manifest(self, digest: str) -> bytes:
        self._look()
        return self.folder.manifest(digest)

    def read(self, file: RemoteFile, offset: int, size: int, sink: Sink) -> None:
        self._look()
        self.folder.read(file, offset, size, sink)

    def stream(self, file: RemoteFile) -> AbstractContextManager[Reader]:
        self._look()
        return self.folder.stream(file)

    def close(self) -> None:
        self.folder.close()


def edits() -> st.SearchStrategy[Change]:
    """A byte that is another one, bytes gone, bytes more, other bytes altogether."""

    def flip(place: int, bit: int) -> Change:
        return lambda content: (
            content[: place % len(content)]
            + bytes([content[place % len(content)] ^ (1 << bit)])
            + content[place % len(content) + 1 :]
        )

    return (
        st.builds(flip, st.integers(0, 1 << 16), st.integers(0, 7))
        | st.integers(0, 1 << 16).map(lambda size: lambda content: content[: size % len(content)])
        | st.binary(min_size=1, max_size=8).map(lambda more: lambda content: content + more)
        | st.binary(max_size=64).map(lambda other: lambda _: other)
    )


def pulled(store: Store, source: Any, model: SampleModel) -> None:
    with contextlib.suppress(EscadreError):  # a refusal is well; what counts is what is READY
        Pull(
            digest=model.digest,
            total=model.manifest.total_bytes,
            mirror=source,
            store=store,
            meter=Meter(time.monotonic),
            stop=threading.Event(),
            limits=LIMITS,
        ).run()


def ready(store: Store) -> bool:
    """Whether the model counts, and if it does, its bytes are the approved ones."""
    if MODEL.digest not in store.models.verified():
        return False
    folder = store.models.path(MODEL.digest)
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert held == MODEL.contents
    return True


def tried(path: str, change: Change, before: int) -> tuple[bool, bool]:
    """Whether it is READY after the pull, and whether the bytes there were others when it began."""
    memory = Path("/dev/shm")  # noqa: S108 - a disk for tests
    root = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        lay_out(root / "mirror", MODEL)
        file = root / "mirror" / path
        content = file.read_bytes()
        tampered = change(content)
        source = Watched(root / "mirror", before, lambda: file.write_bytes(tampered))
        store = open_store(root / "store", now)
        pulled(store, source, MODEL)
        store = reopened(store)  # as the next agent finds it
        found = ready(store)
        store.close()
        return found, tampered != content
    finally:
        remove_tree(root)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*PATHS, MANIFEST]), edits())
def test_what_was_changed_before_the_pull_never_ends_ready(path: str, change: Change) -> None:
    found, other = tried(path, change, before=0)
    assert found != other


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*PATHS, MANIFEST]), edits(), st.integers(1, 4))
def test_what_is_changed_in_the_middle_ends_ready_with_the_approved_bytes_or_not_at_all(
    path: str, change: Change, before: int
) -> None:
    tried(path, change, before)


@pytest.mark.parametrize("path", [*PATHS, MANIFEST])
def test_one_file_in_place_of_another_never_ends_ready(path: str) -> None:
    other = b'{"dim": 9}'
    assert tried(path, lambda _: other, before=0) == (False, True)
