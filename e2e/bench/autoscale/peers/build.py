"""Builds the program that asks the peers' own code, once, into the cache of the test cluster.

The modules are locked by go/go.sum. Knative's packages are used as they are. The horizontal
controller of Kubernetes reads the clock itself, and its parts are not exported: so its files are
taken from the module, each ``time.Now()`` becomes ``timeNow()`` of go/horizontal/clock.go, and
nothing else is changed. Their digests stand here, so that a change upstream is seen. ``python -m
e2e.bench.autoscale.peers.build`` builds; with ``--test`` it runs upstream's own tests of the
controller on what was made of it.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from e2e.cluster.programs import KUBERNETES_VERSION, cache_folder
from e2e.cluster.toolchain import find_go, go_environment

__all__ = ["PeersError", "provide", "upstream_tests"]

_MODULE: Final = Path(__file__).parent / "go"
_UPSTREAM: Final = Path("pkg/controller/podautoscaler")
_NOW: Final = "time.Now()"
# File, its SHA-256 in k8s.io/kubernetes v1.36.3.
_TAKEN: Final = {
    "horizontal.go": "a5cacf1850ec86801d89b7ddeacd733cd3330cdc23fe81af81503a4ec58b3cc4",
    "rate_limiters.go": "644cced7f685a79f489025c269773b7e46144b561eb08c326b750458d0dc377e",
    "replica_calculator.go": "7240fa092ae996655f754091007688180c4923c95405a676a2d942ddeb5b524a",
}
_TESTS: Final = ("horizontal_test.go", "replica_calculator_test.go")

_Say = Callable[[str], None]


class PeersError(RuntimeError):
    """The program could not be built; one line says why."""


def provide(say: _Say) -> Path:
    """Path of the program; built where it is not there yet (two to three minutes)."""
    cache = cache_folder()
    program = cache / "store" / f"autoscale-peers-{_version()}"
    if program.exists():
        return program
    with _locked(cache), _Source(cache, say) as source:
        if not program.exists():
            say(f"building once: {program.name} (minutes)")
            source.go("build", "-ldflags", "-s -w", "-o", str(source.folder / "peers"), ".")
            program.parent.mkdir(parents=True, exist_ok=True)
            (source.folder / "peers").replace(program)
    return program


def upstream_tests(say: _Say) -> str:
    """Runs upstream's tests of the controller on the files as they are built; what they said."""
    cache = cache_folder()
    with _locked(cache), _Source(cache, say) as source:
        source.take(_TESTS)
        return source.go("test", "./horizontal/")


class _Source:
    """The module with upstream's files in it, in a folder of the cache, for one build."""

    def __init__(self, cache: Path, say: _Say) -> None:
        self.folder = cache / "autoscale-peers"
        self._go = find_go(cache, say)

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(_MODULE, self.folder)
        self._upstream = Path(self._downloaded()) / _UPSTREAM
        self.take(tuple(_TAKEN))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def take(self, names: tuple[str, ...]) -> None:
        """Puts upstream's files beside ours; those that the program consists of get our clock."""
        for name in names:
            text = (self._upstream / name).read_text()
            if digest := _TAKEN.get(name):
                found = hashlib.sha256(text.encode()).hexdigest()
                if found != digest:
                    raise PeersError(f"{_UPSTREAM / name} has digest {found}, not {digest}")
                text = text.replace(_NOW, "timeNow()")
            (self.folder / "horizontal" / name).write_text(text)

    def go(self, *arguments: str) -> str:
        """What a command of Go says, in the folder."""
        done = subprocess.run(
            [str(self._go), *arguments],
            cwd=self.folder,
            env=go_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip().splitlines() or ["nothing was said"]
            raise PeersError("\n".join([f"go {arguments[0]}:", *said[-15:]]))
        return done.stdout

    def _downloaded(self) -> str:
        answer = self.go("mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES_VERSION}")
        folder: str = json.loads(answer)["Dir"]
        return folder


def _version() -> str:
    """Of everything that the program is made of here."""
    files = sorted(path for path in _MODULE.rglob("*") if path.is_file())
    digest = hashlib.sha256(json.dumps(_TAKEN).encode())
    for path in files:
        digest.update(path.relative_to(_MODULE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "autoscale-peers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """The command; one line when it fails."""
    try:
        if "--test" in sys.argv[1:]:
            print(upstream_tests(print))
        else:
            print(provide(print))
    except PeersError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
