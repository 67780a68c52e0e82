"""Records the steps of the demo: prints them as they go, and a table and a report at the end."""

import json
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["Recorder"]

_MARGIN = " " * 4


def _width() -> int | None:
    """A log is as wide as its lines; a terminal knows its own width."""
    return None if sys.stdout.isatty() else 140


@dataclass
class Recorder:
    """See the module."""

    console: Console = field(default_factory=lambda: Console(width=_width()))
    steps: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; a failure is recorded and passed on."""
        number = len(self.steps) + 1
        self.console.print(f"\n[bold]{number:2}. {name}[/bold]")
        started = time.monotonic()
        entry: dict[str, Any] = {"name": name, "ok": False, "seconds": 0.0}
        self.steps.append(entry)
        try:
            yield
            entry["ok"] = True
        finally:
            entry["seconds"] = round(time.monotonic() - started, 2)

    def say(self, text: str) -> None:
        """What a command printed, or what was seen; long lines go on further in."""
        for line in text.rstrip().splitlines():
            inward = " " * (len(line) - len(line.lstrip()) + 2)
            self._print(
                textwrap.fill(
                    line,
                    self.console.width - len(_MARGIN),
                    subsequent_indent=inward,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )

    def show(self, text: str) -> None:
        """Commands to copy: the terminal folds them, so that what is copied stays one line."""
        self._print(text)

    def _print(self, text: str) -> None:
        text = textwrap.indent(text, _MARGIN)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def fail(self, how: str, why: str) -> None:
        """How the last step ended, "failed" or "interrupted", and why."""
        number, name = len(self.steps), self.steps[-1]["name"] if self.steps else "the beginning"
        heading = f"\n{how} in step {number}: {name}"
        self.console.print(heading, style="bold red", markup=False, highlight=False)
        self.say(why)

    def write(self, path: Path) -> None:
        """The report for machines."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"steps": self.steps, "versions": self.versions}, indent=2) + "\n"
        )

    def table(self) -> None:
        """The report for people."""
        self.console.line()
        table = Table(title="escadre demo")
        table.add_column("step")
        table.add_column("ok")
        table.add_column("seconds", justify="right")
        for one in self.steps:
            mark = "[green]yes[/green]" if one["ok"] else "[red]NO[/red]"
            table.add_row(one["name"], mark, f"{one['seconds']:.1f}")
        total = sum(one["seconds"] for one in self.steps)
        table.add_section()
        table.add_row("all", "", f"{total:.1f}")
        self.console.print(table)
