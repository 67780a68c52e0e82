"""The course of a simulation: requests, replicas that serve and load, as rows of bars and as SVG.

Both cut the time into columns and show the most of each. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from escadre.cli.shared.sparkline import Sparkline
from escadre.cli.shared.svg import document, words
from escadre.cli.shared.tables import grid
from escadre.core.simulation.outcome import Moment

__all__ = ["columns", "course", "course_document", "drawing"]

_BARS: Final = 50  # with names and spans a line of 80 characters
_FEWEST: Final = 2
_GAP: Final = 2  # between names and bars
_POINTS: Final = 400
_WIDTH, _HEIGHT = 820, 398
_LEFT, _WIDE = 60, 740
_ABOVE: Final = (58, 130)  # top and height of the requests' part
_BELOW: Final = (228, 130)
# From the foot up. Okabe and Ito's colours, which people who see few colours tell apart.
_REPLICAS: Final = (("ready", "#009e73"), ("loading", "#e69f00"), ("draining", "#999999"))
_REQUESTS: Final = "#0072b2"
_TICKS: Final = 5
# Unit, its seconds, and from how many on it is taken.
_UNITS: Final = (
    ("days", 86_400, 400_000),
    ("h", 3600, 36_000),
    ("min", 60, 600),
    ("s", 1, 0),
)


def columns(timeline: Sequence[Moment], count: int) -> list[list[Moment]]:
    """The moments in ``count`` spans of the same length, or one for each where there are fewer."""
    count = min(count, len(timeline))
    edges = [len(timeline) * place // count for place in range(count + 1)] if count else [0]
    return [list(timeline[a:b]) for a, b in pairwise(edges)]


def course(timeline: Sequence[Moment]) -> Iterator[RenderableType]:
    """A row of bars each, of what the rounds saw; nothing where there was but one of them."""
    if len(timeline) >= _FEWEST:
        yield _Course(timeline)


class _Course:
    """As many bars as there is room for: on a narrow terminal each is of a longer time."""

    def __init__(self, timeline: Sequence[Moment]) -> None:
        self._timeline = timeline

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        timeline = self._timeline
        beside = max(Sparkline(_each([timeline], number)).beside for _, number in _ROWS)
        beside += max(len(name) for name, _ in _ROWS) + _GAP
        spans = columns(timeline, max(1, min(_BARS, options.max_width - beside)))
        every = (timeline[-1].at - timeline[0].at) / (len(timeline) - 1)
        seconds = every * len(timeline) / len(spans)
        yield Text(f"the most of each {seconds:,.0f} s, seen every {every:g} s:", style="dim")
        table = grid("", "")
        for name, number in _ROWS:
            table.add_row(name, Sparkline(_each(spans, number)))
        yield table


def course_document(timeline: Sequence[Moment]) -> list[dict[str, float]]:
    """The last moment of each of at most 400 columns, as JSON."""
    return [
        {
            "seconds": span[-1].at,
            "requests": span[-1].demand,
            "wanted": span[-1].wanted,
            "ready": span[-1].ready,
            "loading": span[-1].loading,
            "draining": span[-1].draining,
        }
        for span in columns(timeline, _POINTS)
    ]


def _demand(moment: Moment) -> int:
    return moment.demand


def _ready(moment: Moment) -> int:
    return moment.ready


def _loading(moment: Moment) -> int:
    return moment.loading


def _draining(moment: Moment) -> int:
    return moment.draining


_ROWS: Final = (("requests", _demand), ("ready", _ready), ("loading", _loading))


def drawing(timeline: Sequence[Moment], title: str, more: str) -> str:
    """An SVG of 820 × 398: requests above, replicas below, what is wanted as a line.

    ``more`` stands below the title.
    """
    spans = columns(timeline, _POINTS)
    end = timeline[-1].at if timeline else 0.0
    requests = _axis(spans, _demand)
    parts = [
        words(_LEFT, 20, title, bold=True),
        words(_LEFT, 36, more),
        *_panel(_ABOVE, "requests running and waiting", requests),
        *_panel(_BELOW, "replicas", _axis(spans, _taken)),
        _area(_ABOVE, _each(spans, _demand), [0] * len(spans), _REQUESTS, requests),
        *_stacked(spans),
        *_times(end),
        *_legend(),
    ]
    return document(_WIDTH, _HEIGHT, 12, parts)


def _taken(moment: Moment) -> int:
    return max(moment.wanted, moment.ready + moment.loading + moment.draining)


def _of(span: Sequence[Moment], number: Callable[[Moment], int]) -> int:
    return max(map(number, span))


def _each(spans: Sequence[Sequence[Moment]], number: Callable[[Moment], int]) -> list[int]:
    return [_of(span, number) for span in spans]


def _axis(spans: Sequence[Sequence[Moment]], number: Callable[[Moment], int]) -> int:
    """Where it ends: the most there is, or one more, so that its half is a whole number too."""
    most = max(_each(spans, number), default=0)
    return max(2, most + most % 2)


def _stacked(spans: Sequence[Sequence[Moment]]) -> Iterator[str]:
    """Of each span its last moment, so that the parts are of one time; and what is wanted."""
    most = _axis(spans, _taken)
    foot = [0] * len(spans)
    for (_, colour), number in zip(_REPLICAS, (_ready, _loading, _draining), strict=True):
        top = [low + number(span[-1]) for low, span in zip(foot, spans, strict=True)]
        yield _area(_BELOW, top, foot, colour, most)
        foot = top
    wanted = _steps(_BELOW, [span[-1].wanted for span in spans], most)
    yield f'<path d="M{"L".join(wanted)}" fill="none" stroke="#000000" stroke-width="1.2"/>'


def _area(
    panel: tuple[int, int], top: Sequence[int], foot: Sequence[int], colour: str, most: int
) -> str:
    way = [*_steps(panel, top, most), *reversed(_steps(panel, foot, most))]
    return f'<path d="M{"L".join(way)}Z" fill="{colour}" fill-opacity="0.75"/>' if way else ""


def _steps(panel: tuple[int, int], numbers: Sequence[int], most: int) -> list[str]:
    """Two points for each number: it stands for the whole of its column."""
    top, high = panel
    wide = _WIDE / max(1, len(numbers))
    found = []
    for place, number in enumerate(numbers):
        y = top + high * (1 - number / most)
        found += [
            f"{_LEFT + place * wide:.1f} {y:.1f}",
            f"{_LEFT + (place + 1) * wide:.1f} {y:.1f}",
        ]
    return found


def _panel(panel: tuple[int, int], name: str, most: int) -> Iterator[str]:
    top, high = panel
    yield words(_LEFT, top - 5, name)
    for number in (0, most // 2, most):
        y = top + high * (1 - number / most)
        yield f'<path d="M{_LEFT} {y:.1f}h{_WIDE}" stroke="#dddddd"/>'
        yield words(_LEFT - 6, y + 4, f"{number:,}", anchor="end")


def _times(end: float) -> Iterator[str]:
    top, high = _BELOW
    unit, seconds, _ = next(one for one in _UNITS if end >= one[2])
    for place in range(_TICKS + 1 if end else 1):
        x = _LEFT + _WIDE * place / _TICKS
        at = f"{end * place / _TICKS / seconds:,.3g} {unit}"
        yield words(x, top + high + 18, at, anchor="middle")


def _legend() -> Iterator[str]:
    for place, (name, colour) in enumerate((*_REPLICAS, ("wanted", "#000000"))):
        x = _LEFT + 110 * place
        yield f'<rect x="{x}" y="{_HEIGHT - 18}" width="12" height="10" fill="{colour}"/>'
        yield words(x + 17, _HEIGHT - 9, name)
