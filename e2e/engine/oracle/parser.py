"""Names the flags of `vllm serve` as its own parser has them: run by a Python that can import vLLM.

Prints a line for each flag: its names, what follows it (as in operator/escadre/vllm-flags.txt).
The Python of vLLM's environment reads the parser of another version when PYTHONPATH begins with
the folder of that version's source: nothing compiled is needed (flags.py does so).
"""

import argparse
import importlib
from typing import Any, Final

__all__ = ["main"]

_MODULES: Final = ("common", "launchers", "openai")  # since 0.33, since 0.29, before
_TYPED: Final = {
    "int": "int",
    "float": "float",
    "human_readable_int": "size",
    "human_readable_int_or_auto": "size",
}


def main() -> None:
    """Asks the parser."""
    parser: argparse.ArgumentParser = _cli_args().make_arg_parser(
        _parser_class()(prog="vllm serve")
    )
    names: dict[int, list[str]] = {}
    # Also names that its help hides: 0.33 takes --no-enable-x beside --disable-x.
    for name, action in parser._option_string_actions.items():  # noqa: SLF001 - it has no other
        names.setdefault(id(action), []).append(name)
    for action in parser._actions:  # noqa: SLF001 - the same
        if "--help" not in action.option_strings and id(action) in names:
            print(f"{','.join(names[id(action)])} {_follows(action)}")


def _cli_args() -> Any:
    for module in _MODULES:
        name = f"vllm.entrypoints.{module}.cli_args"
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    raise SystemExit(f"no cli_args in vllm.entrypoints.{{{','.join(_MODULES)}}}")


def _parser_class() -> Any:
    try:
        return importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser
    except ModuleNotFoundError:  # before 0.12
        return importlib.import_module("vllm.utils").FlexibleArgumentParser


def _follows(action: argparse.Action) -> str:
    if action.nargs in {0, "?", "+", "*"}:
        return str(action.nargs)
    return _TYPED.get(getattr(action.type, "__name__", ""), "1")


if __name__ == "__main__":
    main()
