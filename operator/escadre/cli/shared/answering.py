"""Runs one command line, and turns every error into words and a code. Called by both entries."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import typer

from escadre.cli.shared.failures import BadInput, explain

__all__ = ["answer"]


def answer(
    app: typer.Typer, arguments: list[str] | None, say: Callable[[str], None], given: object = None
) -> int:
    """Returns the exit code; never lets a traceback out. ``given`` is what commands work with."""
    try:
        _refuse_empty(sys.argv[1:] if arguments is None else arguments)
        app(args=arguments, prog_name=_program_name(sys.argv[0]), obj=given)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the outermost edge: every error becomes a message
        code, message = explain(error)
        debug = bool(os.environ.get("ESCADRE_DEBUG"))
        if debug:
            say("".join(traceback.format_exception(error)).rstrip("\n"))
        if not message:
            hint = "" if debug else "; ESCADRE_DEBUG=1 shows the traceback"
            message = f"unexpected {type(error).__name__}: {error}{hint}"
        say(f"escadre: {message}")
        return code
    return 0


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Nothing that a command takes is empty: an empty path would be the folder we stand in."""
    for before, one in pairwise(("", *arguments)):
        if not one or (one.startswith("--") and one.endswith("=") and "=" not in one[:-1]):
            which = one[:-1] if one else f"the argument after {before}" if before else "an argument"
            raise BadInput(f"{which} is empty; is a variable of the shell not set?")


def _program_name(first: str) -> str:
    """How the user called us: kubectl runs a plugin under its own file name."""
    name = Path(first).name
    return "kubectl escadre" if name.startswith("kubectl-escadre") else "escadre"
