"""`make bench-speed`: the estimate of speed beside measured runs of vLLM, product by product.

The runs are those of a public package (source.py); ``--write`` makes the committed table of
them anew, which tests/core/engines/test_measured_speed.py judges without the package.
"""

import argparse
from collections import Counter
from dataclasses import astuple, fields
from typing import Final

from rich.console import Console
from rich.table import Table

from e2e.bench.numbers import write_report
from e2e.bench.speed.groups import Group, by_model, by_product, each_once, median_error
from e2e.bench.speed.runs import TABLE, Run, refused, run_of
from e2e.bench.speed.source import PACKAGE, VERSION, measured_rows
from escadre import __version__

__all__ = ["main"]

_WIDTH: Final = 80
_HEAD: Final = (
    f"# Measured runs of vLLM, from systems/silicon_sample.csv of {PACKAGE} {VERSION}",
    "# (Copyright NVIDIA CORPORATION & AFFILIATES, Apache-2.0). tpot: mean milliseconds between",
    "# tokens. Made by `python -m e2e.bench.speed --write`.",
)


def main() -> None:
    """Compares, prints, and writes build/bench/speed.json."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.speed", description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the committed table anew")
    options = parser.parse_args()
    rows = measured_rows()
    left = Counter(why for row in rows if (why := refused(row)))
    runs = each_once(run_of(row) for row in rows if not refused(row))
    _print(runs, left)
    if options.write:
        _write(runs)
        print(TABLE)
    print(_report(runs, left))


def _print(runs: list[Run], left: Counter[str]) -> None:
    console = Console(width=_WIDTH)
    console.print(f"escadre {__version__}; {len(runs)} runs of vLLM in {PACKAGE} {VERSION}")
    for why, number in left.most_common():
        console.print(f"  left out {number:5,}  {why}")
    console.print(_table("product", by_product(runs)))
    console.print(_table("model", by_model(runs)))


def _table(name: str, groups: list[Group]) -> Table:
    table = Table(name, "vLLM")
    for column in ("runs", "median", "bias", "fitted"):
        table.add_column(column, justify="right")
    for one in groups:
        numbers = (f"{one.median:.1%}", f"{one.bias:+.1%}", str(one.fitted))
        table.add_row(one.name, one.engines, str(len(one.runs)), *numbers)
    return table


def _report(runs: list[Run], left: Counter[str]) -> str:
    held = [run for run in runs if not run.fitted]
    report = {
        "escadre": __version__,
        "source": f"{PACKAGE} {VERSION}",
        "rows": len(runs),
        "medianError": median_error(runs),
        "rowsNotFitted": len(held),
        "medianErrorNotFitted": median_error(held),
        "products": {one.name: one.document() for one in by_product(runs)},
        "models": {one.name: one.document() for one in by_model(runs)},
        "leftOut": dict(left),
    }
    path = write_report("speed", report)
    return (
        f"median error {median_error(runs):.1%}; of the {len(held)} runs that nothing was fitted "
        f"on {median_error(held):.1%}\n{path}"
    )


def _write(runs: list[Run]) -> None:
    names = ",".join(field.name for field in fields(Run))
    lines = (",".join(str(value) for value in astuple(run)) for run in sorted(runs, key=astuple))
    TABLE.write_text("\n".join((*_HEAD, names, *lines)) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
