"""The weights on each node, with a bar while they are pulled. Pure; used by status and plan.

One line a node on 80 columns; the mirror stands in the message of WeightsReady and in `-o json`.
"""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from escadre.api.deployment import WeightsOnNode
from escadre.cli.shared.marks import State, mark
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import bytes_text, duration

__all__ = ["weights_table"]

_STATES: dict[str, State] = {
    "Verified": "ok",
    "Pulling": "working",
    "Wanted": "working",
    "Queued": "working",
    "Failed": "blocked",
}
_BAR_WIDTH = 30


def weights_table(weights: Sequence[WeightsOnNode]) -> Table:
    """One line per node."""
    columns = ("", "NODE", "STATE", "PULLED", "")
    table = grid(*columns, shorten=({"PULLED": 6}, {"NODE": 14}))
    for each in weights:
        table.add_row(mark(_STATES[each.state]), each.node, each.state, _bar(each), _words(each))
    return table


def _bar(each: WeightsOnNode) -> RenderableType:
    if each.state != "Pulling" or not each.bytes_total:
        return Text()
    return ProgressBar(total=each.bytes_total, completed=each.bytes_done, width=_BAR_WIDTH)


def _words(each: WeightsOnNode) -> str:
    if each.state == "Failed":
        return f"{each.reason}: {each.message}"
    if each.state == "Verified":
        return bytes_text(each.bytes_total) if each.bytes_total else ""
    if each.state != "Pulling":
        return each.message
    if not each.bytes_total:
        return "starting"
    return _pulled(each)


def _pulled(each: WeightsOnNode) -> str:
    done, total = bytes_text(each.bytes_done), bytes_text(each.bytes_total)
    if done.partition(" ")[2] == total.partition(" ")[2]:
        done = done.partition(" ")[0]  # 19.3 of 48.3 GB
    words = f"{100 * each.bytes_done // each.bytes_total} % {done} of {total}"
    if each.message and not each.bytes_per_second:
        return f"{words}  {each.message}"
    if each.bytes_per_second:
        words += f", {bytes_text(each.bytes_per_second)}/s"
    if each.eta_seconds is not None:
        words += f", {duration(each.eta_seconds)} left"
    return words
