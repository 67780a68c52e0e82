"""Making an earlier version: what stands in the way is one line, and an error."""

import shutil
import subprocess
from pathlib import Path

import pytest

from e2e.upgrade.earlier import EarlierError, provide

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is missing: apt-get install -y git (make test does)"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "test")
        monkeypatch.setenv(f"{name}_EMAIL", "test@example.com")
    return tmp_path / "cache"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("of the first commit\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    return folder


def test_a_shallow_clone_is_told_what_to_fetch(repository: Path, tmp_path: Path) -> None:
    first, clone = git(repository, "rev-parse", "HEAD~1"), tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", str(clone))
    with pytest.raises(EarlierError, match=rf"commit {first} .* git fetch --unshallow") as caught:
        provide(first, repository=clone)
    assert "\n" not in str(caught.value)


def test_a_folder_without_history_is_told(tmp_path: Path) -> None:
    with pytest.raises(EarlierError, match=r"cannot be read from .* not a git repository"):
        provide("a" * 40, repository=tmp_path)


def test_what_cannot_be_installed_is_one_line(repository: Path, cache: Path) -> None:
    first = git(repository, "rev-parse", "HEAD~1")
    folder = cache / "escadre" / "earlier" / first
    folder.mkdir(parents=True)
    (folder / "environment").write_text("in the way")
    with pytest.raises(EarlierError, match=r"^making .*/earlier/.* -m venv ") as caught:
        provide(first, repository=repository)
    assert "\n" not in str(caught.value)
    assert (folder / "source" / "file").read_text() == "of the first commit\n"
