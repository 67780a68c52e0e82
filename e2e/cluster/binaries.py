"""Finds each program of the cluster, and has those built that are not there.

Order: folder ``KUBEBUILDER_ASSETS``, PATH, the cache, a build into the cache. Programs from
outside are taken only when their version fits. Called by the command line, by ``Cluster``, and as
``python -m e2e.cluster.binaries TIER`` by the Makefile, before there is a ``.venv``: so standard
library only. Two builds at once wait for each other.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.build import BuildError, build
from e2e.cluster.programs import Program, Tier, cache_folder, programs_of
from e2e.cluster.toolchain import NoToolchainError, find_go, go_environment

__all__ = ["Found", "find_programs", "main", "provide_programs"]


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


def find_programs(tier: Tier) -> dict[str, Found]:
    """What of a tier is there already, by name; nothing is built."""
    cache = cache_folder()
    found = (_find(program, cache) for program in programs_of(tier))
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


def _build_missing(tier: Tier, cache: Path, say: Callable[[str], None]) -> dict[str, Found]:
    """What another build has made meanwhile, and what this one makes; the lock is held."""
    found = find_programs(tier)
    missing = [program for program in programs_of(tier) if program.name not in found]
    if not missing:
        return found
    go = find_go(cache, say)
    for half in (cache / "store").glob(".build-*"):  # of a build that was killed
        shutil.rmtree(half, ignore_errors=True)
    for group in Tier:
        programs = [program for program in missing if program.tier == group]
        if not programs:
            continue
        names = ", ".join(one.name for one in programs)
        say(f"building once, for the {group}: {names} (with {go})")
        build(programs, (go, go_environment()), lambda one: _cached(one, cache), say)
        found |= {one.name: Found(one, _cached(one, cache), "built") for one in programs}
    return found


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


def provide_programs(say: Callable[[str], None], tier: Tier = Tier.DEMO) -> dict[str, Found]:
    """Every program of a tier, by name; what is missing is built (minutes with cold caches)."""
    cache = cache_folder()
    found = find_programs(tier)
    if len(found) < len(programs_of(tier)):
        with _locked(cache, say):
            found = _build_missing(tier, cache, say)
    _link(found, cache)
    return found


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    """Provide the programs of one tier; silent when they are there, one line when it fails."""
    try:
        provide_programs(_say, Tier(*arguments))
    except (BuildError, NoToolchainError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
