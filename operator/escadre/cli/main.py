"""The `escadre` program: assembles the commands.

Also runs as `kubectl escadre` (kubectl-escadre on the PATH). Decides nothing itself.
"""

import typer

from escadre.cli import agent as agent_command
from escadre.cli import enginelogs, operator, version
from escadre.cli.approve import command as approve
from escadre.cli.catalog import command as catalog
from escadre.cli.layout import command as layout
from escadre.cli.mirror import command as mirror
from escadre.cli.nodes import command as nodes
from escadre.cli.plan import command as plan
from escadre.cli.shared.answering import answer
from escadre.cli.shared.session import Environment
from escadre.cli.shared.target import target_options
from escadre.cli.simulate import command as simulate
from escadre.cli.status import command as status
from escadre.cli.support import command as support
from escadre.cli.why import command as why

__all__ = ["app", "main"]

_EXIT_CODES = """
Exit codes: 0 fine · 1 not ready, something stands in the way, or could not be read (status NAME,
why, logs, plan, layout, approve show, mirror test, support-bundle) · 2 wrong use · 3 refused ·
4 the cluster cannot be reached or answers with an error.
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
layout.register(app)
simulate.register(app)
catalog.register(app)
approve.register(app)
mirror.register(app)
support.register(app)
version.register(app)
operator.register(app)
agent_command.register(app)


def main(arguments: list[str] | None = None, environment: Environment | None = None) -> int:
    """Runs one command; returns its exit code. Never lets a traceback out."""
    environment = environment or Environment()
    return answer(app, arguments, environment.err.print, environment)
