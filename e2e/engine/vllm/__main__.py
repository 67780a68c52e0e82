"""``python -m e2e.engine.vllm [--images FILE]``: install vLLM, write the runner's image table."""

import argparse
from pathlib import Path

import yaml

from e2e.engine.vllm.images import table
from e2e.engine.vllm.install import ensure_vllm

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Install, then write or print the table."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.vllm", description=__doc__)
    parser.add_argument("--images", type=Path, help="where to write the table; default: stdout")
    args = parser.parse_args(arguments)
    text = yaml.safe_dump(table(ensure_vllm()), sort_keys=False)
    if args.images is None:
        print(text, end="")
    else:
        args.images.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
