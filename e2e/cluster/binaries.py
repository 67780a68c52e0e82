"""Finds each program of the cluster, and builds from pinned Go modules what is not there.

Order: folder ``KUBEBUILDER_ASSETS``, PATH, the cache, a build into the cache. Programs from
outside are taken only when their version fits. Called by the command line and by ``Cluster``.
Two builds at once wait for each other; a build that is cut off leaves no half program behind.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.programs import PROGRAMS, Program, cache_folder, linker_flags
from e2e.cluster.toolchain import find_go, go_environment

__all__ = ["BuildError", "Found", "find_programs", "provide_programs"]

_MODULES = Path(__file__).parent / "go"


class BuildError(RuntimeError):
    """A program could not be built."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a program lies and where it came from."""

    program: Program
    path: Path
    origin: str


def _cached(program: Program, cache: Path) -> Path:
    """Path in the cache; the version is part of it, so that a new pin is a new build."""
    return cache / "store" / f"{program.name}-{program.version}"


def _says_fitting_version(program: Program, path: Path) -> bool:
    try:
        done = subprocess.run(
            [path, *program.version_arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return program.fits.search(done.stdout) is not None


def _find(program: Program, cache: Path) -> Found | None:
    outside: list[tuple[str, Path]] = []
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / program.name).exists():
        outside.append(("KUBEBUILDER_ASSETS", Path(assets) / program.name))
    own = cache / "bin" / program.name
    on_path = shutil.which(program.name)
    if on_path and Path(on_path) != own:
        outside.append(("PATH", Path(on_path)))
    for origin, path in outside:
        if _says_fitting_version(program, path):
            return Found(program, path, origin)
    cached = _cached(program, cache)
    return Found(program, cached, "cache") if cached.exists() else None


def find_programs() -> dict[str, Found]:
    """What is there already, by name; nothing is built."""
    cache = cache_folder()
    found = (_find(program, cache) for program in PROGRAMS)
    return {one.program.name: one for one in found if one is not None}


@contextmanager
def _locked(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: Program, go: Path, cache: Path, say: Callable[[str], None]) -> Found:
    target = _cached(program, cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    say(f"building {program.name} {program.version} …")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        fresh = Path(folder) / program.name
        command = [str(go), "build", "-ldflags", linker_flags(program), "-o", str(fresh)]
        done = subprocess.run(
            [*command, program.package],
            cwd=_MODULES / program.module,
            env=go_environment(),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = "\n".join(done.stderr.splitlines()[-15:])
            raise BuildError(f"building {program.name} {program.version}:\n{tail}")
        fresh.replace(target)
    say(f"built    {program.name} in {time.monotonic() - started:.0f} s")
    return Found(program, target, "built")


def _link(found: dict[str, Found], cache: Path) -> None:
    """One folder with all programs under their plain names, wherever they come from."""
    folder = cache / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, one in found.items():
        link = folder / name
        if link.is_symlink() and link.readlink() == one.path:
            continue
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(one.path)
        fresh.replace(link)


def provide_programs(say: Callable[[str], None]) -> dict[str, Found]:
    """Every program, by name; what is missing is built (about ten minutes with cold caches)."""
    cache = cache_folder()
    found = find_programs()
    if len(found) < len(PROGRAMS):
        with _locked(cache, say):
            found = find_programs()
            missing = [program for program in PROGRAMS if program.name not in found]
            if missing:
                go = find_go(cache, say)
                say(f"building {len(missing)} programs with {go}, once, about ten minutes")
                for program in missing:
                    found[program.name] = _build(program, go, cache, say)
    _link(found, cache)
    return found
