"""Builds programs of one tier with one ``go build``, and says how far it is.

One build for all, because nearly everything they consist of is shared: apart, the same packages
would be compiled up to four times. Called by ``binaries``, which holds the lock. A build that is
cut off leaves no half program: finished ones move into the store at the end, by a rename.
"""

import os
import re
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.cluster.programs import Program, linker_flags

__all__ = ["BuildError", "Progress", "build"]

_MODULES: Final = Path(__file__).parent / "go"
# The linker leaves debugging data out (-w): not making it is a seventh less work.
_COMPILER_FLAGS: Final = "all=-dwarf=false"
_PACKAGE: Final = re.compile(r"[\w.~/-]+")  # a line of `go build -v`: what is compiled now


class BuildError(RuntimeError):
    """A program could not be built."""


@dataclass
class Progress:
    """What is done and what is left, told at each tenth of the packages and at each program."""

    packages: int
    names: tuple[str, ...]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    compiled: int = 0
    finished: list[str] = field(default_factory=list)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def package(self) -> None:
        """One more package is being compiled."""
        self.compiled += 1
        if self.compiled * 10 // self.packages > (self.compiled - 1) * 10 // self.packages:
            self._tell(f"{self.compiled:,} of {self.packages:,} packages compiled")

    def programs(self, names: Iterable[str]) -> None:
        """These programs are finished; those that are new are told."""
        for name in names:
            if name not in self.finished:
                self.finished.append(name)
                self._tell(f"{name} is built, {len(self.finished)} of {len(self.names)}")

    def _tell(self, text: str) -> None:
        minutes, seconds = divmod(int(self.clock() - self.started), 60)
        left = [name for name in self.names if name not in self.finished]
        self.say(
            f"{minutes:3}:{seconds:02}  {text}" + (f"; left: {', '.join(left)}" if left else "")
        )


def build(
    programs: Sequence[Program],
    go: tuple[Path, dict[str, str]],
    target: Callable[[Program], Path],
    say: Callable[[str], None],
) -> None:
    """Build ``programs``, all of one tier, with ``go`` (path, environment) into ``target``."""
    module = _MODULES / programs[0].tier
    names = tuple(one.name for one in programs)
    packages = [one.package for one in programs]
    say("fetching their Go modules")
    progress = Progress(_count_packages(go, module, packages), names, say)
    store = target(programs[0]).parent
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store, prefix=".build-") as folder:
        fresh = {one.name: Path(folder) / one.built_name for one in programs}
        command = ["build", "-v", f"-gcflags={_COMPILER_FLAGS}"]
        command += ["-ldflags", linker_flags(programs), "-o", f"{folder}{os.sep}"]
        with _go(go, module, [*command, *packages], subprocess.DEVNULL) as running:
            errors: deque[str] = deque(maxlen=15)
            for line in running.stderr or ():
                if _PACKAGE.fullmatch(line.strip()):
                    progress.package()
                else:
                    errors.append(line.rstrip())
                progress.programs(name for name, path in fresh.items() if path.exists())
        if running.returncode != 0:
            raise BuildError("\n".join([f"building {', '.join(names)}:", *errors]))
        progress.programs(names)
        for one in programs:
            fresh[one.name].replace(target(one))


def _count_packages(go: tuple[Path, dict[str, str]], module: Path, packages: list[str]) -> int:
    """How many packages the programs consist of; fetches the modules on the way."""
    with _go(go, module, ["list", "-deps", *packages], subprocess.PIPE) as running:
        found, said = running.communicate()
    if running.returncode != 0:
        last = (said.strip().splitlines() or ["nothing was said"])[-1]
        raise BuildError(f"fetching Go modules: {last}; is the module proxy within reach?")
    return len(found.splitlines())


def _go(
    go: tuple[Path, dict[str, str]], module: Path, arguments: list[str], stdout: int
) -> subprocess.Popen[str]:
    path, environment = go
    return subprocess.Popen(
        [str(path), *arguments],
        cwd=module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
