"""The `escadre` program: assembles the commands and turns every error into words and a code.

Also runs as `kubectl escadre` (kubectl-escadre on the PATH). Decides nothing itself.
"""

import os
import sys
import traceback
from pathlib import Path

import typer

from escadre.cli import agent as agent_command
from escadre.cli import enginelogs, operator, version
from escadre.cli.approve import command as approve
from escadre.cli.nodes import command as nodes
from escadre.cli.plan import command as plan
from escadre.cli.shared.failures import explain
from escadre.cli.shared.session import Environment
from escadre.cli.shared.target import target_options
from escadre.cli.status import command as status
from escadre.cli.support import command as support
from escadre.cli.why import command as why

__all__ = ["app", "main"]

_EXIT_CODES = """
Exit codes: 0 fine · 1 not ready, something stands in the way, or could not be read (status NAME,
why, logs, plan, approve show, support-bundle) · 2 wrong use · 3 refused · 4 the cluster cannot be
reached or answers with an error.
"""

app = typer.Typer(
    cls=version.Root,
    help="Keeps a fleet of Mistral models running on an organisation's own NVIDIA nodes."
    "\n\n" + _EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.callback()(target_options)
status.register(app)
why.register(app)
enginelogs.register(app)
nodes.register(app)
plan.register(app)
approve.register(app)
support.register(app)
version.register(app)
operator.register(app)
agent_command.register(app)


def _program_name(first: str) -> str:
    """How the user called us: kubectl runs a plugin under its own file name."""
    name = Path(first).name
    return "kubectl escadre" if name.startswith("kubectl-escadre") else "escadre"


def main(arguments: list[str] | None = None, environment: Environment | None = None) -> int:
    """Runs one command; returns its exit code. Never lets a traceback out."""
    environment = environment or Environment()
    try:
        app(args=arguments, prog_name=_program_name(sys.argv[0]), obj=environment)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the outermost edge: every error becomes a message
        code, message = explain(error)
        debug = bool(os.environ.get("ESCADRE_DEBUG"))
        if debug:
            environment.err.print("".join(traceback.format_exception(error)), end="")
        if not message:
            hint = "" if debug else "; ESCADRE_DEBUG=1 shows the traceback"
            message = f"unexpected {type(error).__name__}: {error}{hint}"
        environment.err.print(f"escadre: {message}")
        return code
    return 0
