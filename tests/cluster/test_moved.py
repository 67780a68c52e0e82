"""A checkout that was moved or copied makes its environment anew, and no other does."""

import shutil
import subprocess
from pathlib import Path

import pytest
from e2e.cluster.config import REPOSITORY

MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not here: it was called otherwise")


def _would_do(checkout: Path, made_at: str) -> str:
    """What ``make install`` would run where ``.venv`` says where it was made."""
    (checkout / ".venv").mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", checkout)
    for name in ("requirements/dev.txt", "requirements/build.txt", "pyproject.toml"):
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).touch()
    (checkout / ".venv" / ".installed").write_text(made_at)
    done = subprocess.run(
        ["make", "--dry-run", "install"], cwd=checkout, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("name", ["checkout", "a check out"])
def test_where_it_was_made_nothing_is_done(tmp_path: Path, name: str) -> None:
    assert "venv" not in _would_do(tmp_path / name, f"{tmp_path / name}\n")


@pytest.mark.parametrize("name", ["checkout", "a check out"])
def test_elsewhere_it_is_made_anew(tmp_path: Path, name: str) -> None:
    said = _would_do(tmp_path / name, f"{tmp_path}/before/{name}\n").splitlines()
    assert said.index("rm -rf .venv") < next(
        at for at, line in enumerate(said) if "venv.sh .venv" in line
    )


def test_an_environment_that_says_no_place_is_let_be(tmp_path: Path) -> None:
    assert "venv" not in _would_do(tmp_path / "checkout", "")
