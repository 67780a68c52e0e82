"""An earlier version of Escadre as it was: its chart, and its programs in their own environment.

Made once from its commit (``git archive``) with its own locked requirements, into the cache
outside the repository. What stands in the way is said in one line and never skips a test: an
upgrade that nobody tried must not look like one that works.
"""

import fcntl
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.config import REPOSITORY
from e2e.cluster.programs import cache_folder

__all__ = ["COMMIT_0_1_0", "Earlier", "EarlierError", "provide"]

COMMIT_0_1_0: Final = "91f58ed9d305963d3302c5907aea7ad7fbd5bf53"

_STEPS = (
    ("--require-hashes", "-r", "requirements/build.txt"),
    ("--require-hashes", "-r", "requirements/runtime.txt"),
    ("--no-deps", "--no-build-isolation", "."),
)


class EarlierError(RuntimeError):
    """The earlier version cannot be made here."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One version, made."""

    folder: Path

    @property
    def source(self) -> Path:
        """The tree of its commit."""
        return self.folder / "source"

    @property
    def chart(self) -> Path:
        """Its chart."""
        return self.source / "charts" / "escadre"

    @property
    def environment(self) -> Path:
        """Its virtual environment."""
        return self.folder / "environment"

    @property
    def program(self) -> Path:
        """What its image would start: command line, operator and agent."""
        return self.environment / "bin" / "escadre"

    def runs(self) -> bool:
        """Whether it was made to the end, and its Python is still there."""
        try:
            done = subprocess.run([self.program, "version"], capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0


def provide(commit: str, *, repository: Path = REPOSITORY) -> Earlier:
    """The version of a commit; made when it is not there yet, in about a minute.

    Raises:
        EarlierError: one line that says what is missing and what to do.
    """
    folder = cache_folder().parent / "earlier" / commit
    version = Earlier(folder)
    with _locked(folder):
        if not version.runs():
            _unpack(commit, repository, version.source)
            _install(version)
    return version


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack(commit: str, repository: Path, target: Path) -> None:
    done = _git(repository, "archive", "--format=tar", commit)
    if done.returncode != 0:
        raise EarlierError(_absent(commit, repository, done.stderr.decode()))
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(target, filter="data")
        else:  # Python before 3.11.4; the archive is git's own
            archive.extractall(target)  # noqa: S202


def _git(repository: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise EarlierError("git is missing: apt-get install -y git") from error


def _absent(commit: str, repository: Path, said: str) -> str:
    shallow = _git(repository, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    if shallow:
        return f"commit {commit} is not in this shallow clone: git fetch --unshallow, then again"
    return f"commit {commit} cannot be read from {repository}: {' '.join(said.split())}"


def _install(version: Earlier) -> None:
    environment = version.environment
    _run(version, sys.executable, "-m", "venv", "--clear", str(environment))
    for step in _STEPS:
        pip = (str(environment / "bin" / "python"), "-m", "pip", "install", "-q")
        _run(version, *pip, "--disable-pip-version-check", *step)


def _run(version: Earlier, *command: str) -> None:
    done = subprocess.run(command, cwd=version.source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise EarlierError(f"making {version.folder}: {' '.join(command)}: {' '.join(last)}")
