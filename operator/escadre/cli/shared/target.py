"""--kubeconfig and --context: understood before a command and after it, as kubectl does.

Registered with the program by main.py and with each command that asks the cluster by its module.
"""

from dataclasses import replace
from typing import Annotated

import typer

from escadre.cli.shared.carrying import CarryingCommand
from escadre.cli.shared.session import environment_of

__all__ = ["ClusterCommand", "target_options"]


def _kubeconfig(context: typer.Context, value: str | None) -> None:
    if value is not None:
        environment = environment_of(context)
        environment.target = replace(environment.target, kubeconfig=value)


def _context(context: typer.Context, value: str | None) -> None:
    if value is not None:
        environment = environment_of(context)
        environment.target = replace(environment.target, context=value)


def target_options(
    _file: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig",
            help="Kubeconfig file; default $KUBECONFIG or ~/.kube/config.",
            callback=_kubeconfig,
            expose_value=False,
        ),
    ] = None,
    _name: Annotated[
        str | None,
        typer.Option(
            "--context",
            help="Context of the kubeconfig.",
            callback=_context,
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Carries the options; their callbacks note them, and the later one on the line wins."""


class ClusterCommand(CarryingCommand):
    """A command that asks the cluster, and so takes these options besides its own."""

    carried = (target_options,)
