"""`make oracle`: vLLM's own layers judge and weigh models; the answers are committed.

Generated shapes are judged (shapes.py, judge.py) and small models cut into pipeline stages
(staged.py, cut.py); the catalog's models are weighed (published.py, weigh.py), and the peaks of
their encoders of images taken (encode.py); its scheduler plans steps (scheduled.py, schedule.py).
Needs the environment that `make demo ENGINE=vllm` installs (6 GB, no GPU).
tests/core/engines/test_oracle.py, test_cut.py and test_weighed.py and
tests/core/simulation/test_scheduled.py read the tables, without vLLM.
"""

import argparse
import gzip
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2e.engine.oracle.published import published
from e2e.engine.oracle.scheduled import scheduled
from e2e.engine.oracle.shapes import NUMBER, SIZES, shapes
from e2e.engine.oracle.staged import staged
from e2e.engine.vllm.install import VERSION, ensure_vllm

__all__ = ["CUT", "ENCODED", "SCHEDULED", "TABLE", "WEIGHED", "main"]

_ROOT: Final = Path(__file__).parents[3]
_DATA: Final = _ROOT / "tests" / "core" / "engines" / "data"
TABLE: Final = _DATA / f"oracle-vllm-{VERSION}.jsonl.gz"
WEIGHED: Final = _DATA / f"weighed-vllm-{VERSION}.jsonl"
CUT: Final = _DATA / f"cut-vllm-{VERSION}.jsonl"
ENCODED: Final = _DATA / f"encoded-vllm-{VERSION}.jsonl"
SCHEDULED: Final = _DATA / f"scheduled-vllm-{VERSION}.jsonl.gz"
_QUIET: Final = {
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    "VLLM_NO_USAGE_STATS": "1",
}


def main() -> None:
    """Asks and writes."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.oracle", description=__doc__)
    parser.add_argument("--shapes", type=int, default=NUMBER)
    parser.add_argument("--only-weigh", action="store_true", help="judge no shapes")
    parser.add_argument("--into", type=Path, default=_DATA, help="folder of the tables")
    parser.add_argument(
        "--over",
        type=Path,
        action="append",
        default=[],
        help="folder with the Python of another vLLM, taken instead of the installed one's",
    )
    options = parser.parse_args()
    models = list(published())
    asked = {
        WEIGHED: ("weigh", [model.asked() for model in models]),
        ENCODED: ("encode", [model.encoding() for model in models if model.sees]),
        CUT: ("cut", [model.asked() for model in staged()]),
        SCHEDULED: ("schedule", [case.asked() for case in scheduled()]),
        TABLE: ("judge", [shape.asked() for shape in shapes(options.shapes)]),
    }
    print(f"{len(models)} models, {options.shapes} shapes at {len(SIZES)} sizes: minutes")
    for table, (script, lines) in asked.items():
        if table is TABLE and options.only_weigh:
            continue
        answer = _ask(script, lines, options.over)
        _write(
            options.into / table.name,
            gzip.compress(answer, mtime=0) if table.suffix == ".gz" else answer,
        )


def _ask(script: str, lines: Sequence[str], over: Sequence[Path] = ()) -> bytes:
    """What the script says in vLLM's Python: as many lines as it is asked.

    Packages in the folders ``over`` come before those of the environment.
    """
    answer = subprocess.run(
        [str(ensure_vllm() / "bin" / "python"), "-m", f"e2e.engine.oracle.{script}"],
        input="".join(f"{line}\n" for line in lines).encode(),
        env={**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(map(str, (*over, _ROOT)))},
        stdout=subprocess.PIPE,
        check=True,
    )
    if (said := answer.stdout.count(b"\n")) != len(lines):
        raise SystemExit(f"{said} answers for {len(lines)} lines of {script}")
    return answer.stdout


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(path)


if __name__ == "__main__":
    main()
