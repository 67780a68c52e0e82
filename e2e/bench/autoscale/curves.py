"""The curves of cost against attainment, as SVG: one small chart for each scenario. Pure.

A line joins the settings of a contender that no other of its own beats in both; all are those of
the first seed on the half that was tuned on (the clairvoyant's on the judged one).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from escadre.cli.shared.svg import document, words

__all__ = ["draw", "frontier"]

# Okabe and Ito's colours, which people who see few colours tell apart.
_COLOURS: Final = {
    "escadre": "#d55e00",
    "escadre, fixed target": "#e69f00",
    "0.1.0": "#999999",
    "HPA, AverageValue": "#0072b2",
    "HPA, Value": "#56b4e9",
    "KEDA": "#004d73",
    "KPA": "#009e73",
    "WVA V2": "#cc79a7",
    "static": "#000000",
    "clairvoyant": "#b8a400",
}
_ACROSS: Final = 3
_WIDTH, _HEIGHT = 300, 190
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 26, 10, 34
_LEGEND: Final = 62
_LEAST: Final = 0.80  # of the requests, at the foot of a chart


def draw(results: Iterable[Mapping[str, Any]]) -> str:
    """All scenarios, in the order in which they come."""
    by_scenario: dict[str, list[Mapping[str, Any]]] = {}
    for one in results:
        by_scenario.setdefault(one["scenario"], []).append(one)
    rows = -(-len(by_scenario) // _ACROSS)
    width, height = _ACROSS * _WIDTH, rows * _HEIGHT + _LEGEND
    parts = [*_legend()]
    for place, (scenario, units) in enumerate(by_scenario.items()):
        across, down = place % _ACROSS * _WIDTH, place // _ACROSS * _HEIGHT + _LEGEND
        parts += [f'<g transform="translate({across},{down})">', *_chart(scenario, units), "</g>"]
    return document(width, height, 10, parts)


def frontier(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (cost, share) those that no cheaper one reaches, by cost."""
    found: list[tuple[float, float]] = []
    for cost, share in sorted(points, key=lambda one: (one[0], -one[1])):
        if not found or share > found[-1][1]:
            found.append((cost, share))
    return found


def _legend() -> Iterator[str]:
    yield words(8, 14, "Share of requests within 2 s to the first token and 0.2 s between tokens,")
    yield words(8, 26, "against GPU-seconds; up and left is better. The dashed line is 95 %.")
    for place, (name, colour) in enumerate(_COLOURS.items()):
        x, y = 8 + place % 5 * 178, 41 + place // 5 * 14
        yield f'<path d="M{x} {y - 3}h16" stroke="{colour}" stroke-width="2.5"/>'
        yield words(x + 20, y, name)


def _chart(scenario: str, units: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines = {one["contender"]: frontier(map(_point, one["tried"])) for one in units}
    shown = [cost for line in lines.values() for cost, share in line if share >= _LEAST]
    most = max(shown, default=1.0)
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(cost: float, share: float) -> tuple[float, float]:
        up = (max(share, _LEAST) - _LEAST) / (1 - _LEAST)
        return _LEFT + wide * min(1.0, cost / most), _TOP + high * (1 - up)

    yield words(_LEFT, 15, scenario, bold=True)
    for share in (0.80, 0.85, 0.90, 0.95, 1.0):
        _, y = at(0, share)
        dashed = ' stroke-dasharray="4 3"' if share == 0.95 else ""
        colour = "#666666" if dashed else "#e0e0e0"
        yield f'<path d="M{_LEFT} {y:.1f}h{wide}" stroke="{colour}"{dashed}/>'
        yield words(_LEFT - 4, y + 3, f"{100 * share:.0f} %", anchor="end")
    for part in (0.0, 0.5, 1.0):
        x, _ = at(part * most, 0)
        yield words(x, _HEIGHT - 18, f"{part * most / 1000:.0f}k", anchor="middle")
    for name, line in lines.items():
        yield from _line([at(*one) for one in line if one[1] >= _LEAST], _COLOURS[name])


def _point(tried: Mapping[str, Any]) -> tuple[float, float]:
    return tried["gpuSeconds"], tried["attained"][0]


def _line(points: Sequence[tuple[float, float]], colour: str) -> Iterator[str]:
    if len(points) > 1:
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}"/>'
