"""A small model, a mirror that serves it, and a store on a fast disk."""

import hashlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.clients.sources.faulty import LOCAL, Faulty, faulty

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.pull.transfer import TransferLimits
from escadre.agent.store.store import Store, open_store
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.retry import RetryPolicy
from escadre.clients.sources.transport import Timeouts
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import CHUNK_SIZE, Manifest, ManifestFile

COMMIT = "0" * 40
LIMITS = TransferLimits(files=2, chunks=3, retry=RetryPolicy(tries=3, base=0.001))


def now() -> str:
    return "2026-11-22T00:00:00Z"


@dataclass(frozen=True)
class SampleModel:
    """Files with their manifest."""

    contents: dict[str, bytes]
    manifest: Manifest
    text: bytes
    digest: str


def sample_model(contents: dict[str, bytes]) -> SampleModel:
    files = tuple(
        ManifestFile(
            path,
            len(content),
            hashlib.sha256(content).hexdigest(),
            tuple(
                hashlib.sha256(content[at : at + CHUNK_SIZE]).hexdigest()
                for at in range(0, len(content), CHUNK_SIZE)
            ),
        )
        for path, content in sorted(contents.items(), key=lambda item: item[0].encode())
    )
    text = manifests.render(Manifest(files))
    return SampleModel(contents, Manifest(files), text, manifests.digest(text))


@pytest.fixture(scope="session")
def large() -> bytes:
    """A file of two chunks."""
    return random.Random(1).randbytes(CHUNK_SIZE + (1 << 20))  # noqa: S311 - test data


@pytest.fixture(scope="session")
def model(large: bytes) -> SampleModel:
    return sample_model(
        {
            "consolidated.safetensors": large,
            "params.json": b'{"dim": 8}',
            "sub/empty": b"",
            "sub/again.json": b'{"dim": 8}',
            "tekken.json": b"tokens" * 1000,
        }
    )


@pytest.fixture(scope="session")
def small() -> SampleModel:
    return sample_model({"a.safetensors": b"A" * 5000, "params.json": b'{"dim": 8}', "z": b""})


def remove_tree(folder: Path) -> None:
    """Remove a folder, whose own folders may be read-only."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    folder.chmod(0o755)
    for entry in folder.iterdir():
        remove_tree(entry)
    folder.rmdir()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder where syncing costs nothing, when the machine has one."""
    memory = Path("/dev/shm")  # noqa: S108 - a disk for tests
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield folder
    remove_tree(folder)


def publish(server: Faulty, model: SampleModel) -> None:
    for path, content in model.contents.items():
        server.files[f"/org/model/{COMMIT}/{path}"] = content
    server.files[f"/escadre-manifests/{model.digest[7:]}.manifest"] = model.text


def lay_out(root: Path, model: SampleModel) -> None:
    """The model and its manifest below ``root``, as a mounted folder or a bucket has them."""
    texts = {f"org/model/{COMMIT}/{path}": content for path, content in model.contents.items()}
    for path, content in {
        **texts,
        f"escadre-manifests/{model.digest[7:]}.manifest": model.text,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def where(path: str) -> str:
    """Path of a model's file on the server."""
    return f"/org/model/{COMMIT}/{path}"


@pytest.fixture
def server(model: SampleModel, small: SampleModel) -> Iterator[Faulty]:
    with faulty() as world:
        publish(world, model)
        publish(world, small)
        yield world


def opened_mirror(server: Faulty, idle: float = 60) -> Source:
    return open_source(
        "tree",
        ModelMirrorSpec(type="http", url=server.url),
        repository="org/model",
        guard=LOCAL,
        revision=COMMIT,
        timeouts=Timeouts(connect=60, first_byte=idle, idle=idle),
    )


@pytest.fixture
def mirror(server: Faulty) -> Iterator[Source]:
    opened = opened_mirror(server)
    yield opened
    opened.close()


@pytest.fixture
def store(disk: Path) -> Iterator[Store]:
    opened = open_store(disk / "store", now)
    yield opened
    opened.close()


Puller = Callable[[SampleModel], Pull]


@pytest.fixture
def pull(mirror: Source, store: Store) -> Puller:
    def make(model: SampleModel) -> Pull:
        return Pull(
            digest=model.digest,
            total=model.manifest.total_bytes,
            mirror=mirror,
            store=store,
            meter=Meter(time.monotonic),
            stop=threading.Event(),
            limits=LIMITS,
        )

    return make


def reopened(store: Store) -> Store:
    """The store as the next agent finds it."""
    store.close()
    return open_store(store.root, now)
