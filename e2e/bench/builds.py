"""What a benchmark measures: one version's chart and program, and what it calls itself."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.config import REPOSITORY
from e2e.stage.stage import CHART, PROGRAM
from e2e.upgrade.earlier import EarlierError, provide

__all__ = ["THIS", "Build", "before"]


@dataclass(frozen=True, slots=True)
class Build:
    """One version; its environment is the one that its program stands in."""

    name: str
    chart: Path
    program: Path
    source: Path = REPOSITORY
    commit: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.program.with_name("python")

    def version(self) -> str:
        """What its program says of itself, and its commit; "+" where files differ from it."""
        said = " ".join(_said([str(self.program), "version"]).split())
        commit = self.commit[:_SHORT] or _commit(self.source)
        return f"{said}, commit {commit}" if commit else said


_SHORT: Final = 9
THIS: Final = Build("this", CHART, PROGRAM)


def before(commit: str, place: Path | None = None) -> Build:
    """The version of a commit, made where it is not there yet; or what stands in ``place``.

    Raises:
        EarlierError: one line that says what is missing and what to do.
    """
    if place is None:
        made = provide(commit)
        return Build("before", made.chart, made.program, made.source, commit)
    source = place.resolve()
    program = source / ".venv" / "bin" / "escadre"
    if not program.exists():
        raise EarlierError(f"{program} is missing: make install in {source}")
    return Build("before", source / "charts" / "escadre", program, source)


def _commit(source: Path) -> str:
    """Its short name, and "+"; empty where there is no repository."""
    commit = _said(["git", "-C", str(source), "rev-parse", f"--short={_SHORT}", "HEAD"])
    changed = commit and _said(["git", "-C", str(source), "status", "--porcelain", "-uno"])
    return f"{commit}+" if changed else commit


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
