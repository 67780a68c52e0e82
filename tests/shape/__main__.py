"""`make shape`: the package in numbers beside their limits; exit status 1 when one is passed.

The limits are this project's, from what its own code needed once it was tidy. Where a number is
passed, the worst places are named.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.shape.imports import circle
from tests.shape.measure import Function, Source, functions_of, loose_dicts, percentile, sources

REPOSITORY: Final = Path(__file__).parents[2]
PACKAGE: Final = REPOSITORY / "operator" / "escadre"
COMPLEX: Final = 7
MANY: Final = 6
_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, the most it may be (None: told only), and where it comes from."""

    name: str
    value: int
    most: int | None = None
    places: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the number is within its limit."""
        return self.most is None or self.value <= self.most


def measures() -> list[Measure]:
    """All numbers of the package as it is."""
    files = sources(PACKAGE)
    functions = [function for source in files for function in functions_of(source)]
    lines = [source.lines for source in files]
    lengths = [function.lines for function in functions]
    return [
        Measure("files", len(files)),
        Measure("lines", sum(lines)),
        Measure("lines of a file, median", percentile(lines, 50)),
        Measure("lines of a file, 90 of 100", percentile(lines, 90)),
        Measure("lines of the largest file", max(lines), 300, _longest(files)),
        Measure("functions", len(functions)),
        Measure("lines of a function, median", percentile(lengths, 50)),
        Measure("lines of a function, 90 of 100", percentile(lengths, 90), 21),
        Measure("lines of the longest function", max(lengths)),
        _many(functions),
        _complex(),
        _loose(files),
        _circles(),
    ]


def _many(functions: Iterable[Function]) -> Measure:
    found = [one for one in functions if one.parameters >= MANY]
    return Measure(f"functions with {MANY} or more parameters", len(found), 18, _places(found))


def _places(functions: Iterable[Function]) -> tuple[str, ...]:
    ranked = sorted(functions, key=lambda one: -one.parameters)
    return tuple(f"{_short(one.path)}:{one.line} {one.name}: {one.parameters}" for one in ranked)


def _longest(files: Iterable[Source]) -> tuple[str, ...]:
    ranked = sorted(files, key=lambda one: -one.lines)
    return tuple(f"{_short(one.path)}: {one.lines}" for one in ranked)


def _complex() -> Measure:
    """By ruff, which is the judge of complexity in `make lint` too."""
    command = [sys.executable, "-m", "ruff", "check", str(PACKAGE), "--select", "C901"]
    command += ["--config", f"lint.mccabe.max-complexity={COMPLEX}", "--output-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    places = tuple(
        f"{_short(Path(one['filename']))}:{one['location']['row']} {one['message']}"
        for one in found
    )
    return Measure(f"functions of complexity above {COMPLEX}", len(found), 11, places)


def _loose(files: Iterable[Source]) -> Measure:
    core = PACKAGE / "core"
    found = [(loose_dicts(one), one.path) for one in files if one.path.is_relative_to(core)]
    places = tuple(f"{_short(path)}: {count}" for count, path in found if count)
    return Measure("lines of core with dict[str, Any]", sum(count for count, _ in found), 0, places)


def _circles() -> Measure:
    modules = circle(PACKAGE.name)
    return Measure("circles of imports", bool(modules), 0, tuple(modules))


def _short(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def main() -> int:
    """Prints the table; the exit status says whether every limit holds."""
    found = measures()
    for one in found:
        limit = "" if one.most is None else f"  at most {one.most:,}{'' if one.holds else '  NO'}"
        print(f"{one.name:40} {one.value:>7,}{limit}")
        if not one.holds or "--places" in sys.argv:
            for place in one.places[:_NAMED]:
                print(f"    {place}")
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
