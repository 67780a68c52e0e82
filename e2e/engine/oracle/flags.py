"""Adds the flags of a version of vLLM to operator/escadre/vllm-flags.txt, from its source.

    python -m e2e.engine.oracle.flags 0.34 FOLDER

FOLDER holds ``vllm/`` of that version (its source distribution, unpacked). A flag that is new to
the table gets the verdict ``new``, which no test accepts: somebody has to say what it changes. The
versions are added in their order. Needs the environment that `make demo ENGINE=vllm` installs.
"""

import argparse
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from e2e.engine.vllm.install import ensure_vllm
from escadre.engineflags import Row, rows

__all__ = ["added", "main", "written"]

_ROOT: Final = Path(__file__).parents[3]
_TABLE: Final = _ROOT / "operator" / "escadre" / "vllm-flags.txt"
_QUIET: Final = {
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_PLUGINS": "",
    "VLLM_TARGET_DEVICE": "cpu",
}


def added(known: Iterable[Row], minor: int, said: Sequence[str]) -> tuple[Row, ...]:
    """The table with 0.``minor``, whose parser said these lines; the version before is in it."""
    now = {tuple(names.split(",")): follows for names, follows in map(str.split, said)}
    table: list[Row] = []
    verdicts: dict[str, str] = {}
    for row in known:
        verdicts |= dict.fromkeys(row.names, row.verdict)
        if row.until is None and now.get(row.names) != row.follows:
            table.append(replace(row, until=minor - 1))
            continue
        table.append(row)
        if row.until is None:
            del now[row.names]
    for names, follows in now.items():
        verdict = next((verdicts[name] for name in names if name in verdicts), "new")
        table.append(Row(names, follows, verdict, minor, None))
    return tuple(sorted(table, key=lambda row: (row.names[0], row.since)))


def written(row: Row) -> str:
    """The line of a row."""
    until = "" if row.until is None else f"0.{row.until}"
    return f"{','.join(row.names)} {row.follows} {row.verdict} 0.{row.since}-{until}"


def main() -> None:
    """Asks the parser of that version, and writes the table."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.oracle.flags", description=__doc__)
    parser.add_argument("version", help="its first two numbers, as 0.34")
    parser.add_argument("source", type=Path, help="the folder that holds vllm/ of that version")
    options = parser.parse_args()
    answer = subprocess.run(
        [str(ensure_vllm() / "bin" / "python"), "-P", str(Path(__file__).with_name("parser.py"))],
        env={**os.environ, **_QUIET, "PYTHONPATH": str(options.source.resolve())},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = [line for line in answer.stdout.splitlines() if line.startswith("-")]
    table = added(rows(), int(options.version.removeprefix("0.")), said)
    head = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    _TABLE.write_text("\n".join([*head, *map(written, table)]) + "\n", encoding="utf-8")
    for row in table:
        if row.verdict == "new":
            print(f"give a verdict: {written(row)}")


if __name__ == "__main__":
    main()
