"""`make oracle`: vLLM's own layers judge generated shapes; the answers are committed.

Needs the environment that `make demo ENGINE=vllm` installs (6 GB, no GPU). The table it writes is
read by tests/core/engines/test_oracle.py, without vLLM.
"""

import argparse
import gzip
import os
import subprocess
from pathlib import Path
from typing import Final

from e2e.engine.oracle.shapes import NUMBER, SIZES, shapes
from e2e.engine.vllm.install import VERSION, ensure_vllm

__all__ = ["TABLE", "main"]

_DATA: Final = Path(__file__).parents[3] / "tests" / "core" / "engines" / "data"
TABLE: Final = _DATA / f"oracle-vllm-{VERSION}.jsonl.gz"
_QUIET: Final = {
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    "VLLM_NO_USAGE_STATS": "1",
}
_JUDGE: Final = Path(__file__).with_name("judge.py")


def main() -> None:
    """Asks and writes."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.oracle", description=__doc__)
    parser.add_argument("--shapes", type=int, default=NUMBER)
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args()
    python = ensure_vllm() / "bin" / "python"
    asked = "".join(f"{shape.asked()}\n" for shape in shapes(options.shapes))
    print(
        f"vLLM {VERSION} judges {options.shapes} shapes at {len(SIZES)} sizes: minutes", flush=True
    )
    answer = subprocess.run(
        [str(python), str(_JUDGE)],
        input=asked.encode(),
        env={**os.environ, **_QUIET},
        stdout=subprocess.PIPE,
        check=True,
    )
    if (lines := answer.stdout.count(b"\n")) != options.shapes:
        raise SystemExit(f"{lines} answers for {options.shapes} shapes")
    options.table.parent.mkdir(parents=True, exist_ok=True)
    options.table.write_bytes(gzip.compress(answer.stdout, mtime=0))
    print(options.table)


if __name__ == "__main__":
    main()
