"""Progress of hashing on the terminal, a bar for each file. Called by draft.py and against.py."""

from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from escadre.cli.approve.drafting import Progress as Report

__all__ = ["with_progress"]

_T = TypeVar("_T")


def with_progress(console: Console, work: Callable[[Report], _T]) -> _T:
    """Does ``work``, which reports what it has read; nothing is drawn but on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def report(path: str, count: int, size: int) -> None:
            if path not in tasks:
                tasks[path] = bars.add_task(path, total=size)
            bars.advance(tasks[path], count)

        return work(report)
