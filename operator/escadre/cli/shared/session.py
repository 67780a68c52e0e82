"""What every command works with: consoles, clock, and a connection to the API server.

Built once in main.py and handed down through typer's context, so that tests give their own. The
commands never read the environment, the clock or a kubeconfig themselves.
"""

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, RenderableType

from escadre.cli.shared.encoding import read_text
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.yamltext import yaml_text
from escadre.clients.kube import Api, KubeApi, Limits, load_connection

__all__ = [
    "Environment",
    "NamespaceOption",
    "Output",
    "OutputOption",
    "Session",
    "Target",
    "environment_of",
    "run",
]

T = TypeVar("T")
_WIDE = 4000  # for pipes: nothing is wrapped, so that lines can be searched


class Output(StrEnum):
    """How a command answers."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to answer:")]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--namespace",
        help="Without it, the context's namespace.",
        callback=given_namespace,
    ),
]


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, as the user said; None leaves it to the kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A connection, and the namespace that is meant when none is named."""

    api: Api
    namespace: str


Connect = Callable[[Target], AbstractAsyncContextManager[Session]]


@asynccontextmanager
async def _connect(target: Target) -> AsyncIterator[Session]:
    connection = await load_connection(kubeconfig=target.kubeconfig, context=target.context)
    async with KubeApi(connection, component="cli", limits=Limits(connections=8)) as api:
        yield Session(api, connection.namespace or "default")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):  # a sign that its encoding has not ends no command
        stream.reconfigure(errors="backslashreplace")
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


@dataclass(slots=True)
class Environment:
    """Everything a command takes from outside."""

    connect: Connect = _connect
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    read_line: Callable[[], str] = input
    read_file: Callable[[str], str] = read_text
    out: Console = field(default_factory=lambda: _console(stderr=False))
    err: Console = field(default_factory=lambda: _console(stderr=True))
    target: Target = Target()

    def show(self, what: RenderableType) -> None:
        """Prints a view; without a terminal, tables leave no spaces at the ends of lines."""
        if self.out.is_terminal:
            self.out.print(what)
            return
        with self.out.capture() as captured:
            self.out.print(what)
        for line in captured.get().splitlines():
            self.out.file.write(f"{line.rstrip()}\n")

    def answer(
        self,
        output: Output,
        *,
        document: Callable[[], Mapping[str, Any]],
        view: Callable[[], RenderableType],
    ) -> None:
        """Prints what a command found, as it was asked to: a view for people, or a document."""
        if output is Output.TABLE:
            self.show(view())
        else:
            self.print_document(document(), output)

    def print_document(self, document: Mapping[str, Any], output: Output) -> None:
        """Plain JSON or YAML on standard output, never coloured or wrapped."""
        if output is Output.YAML:
            self.out.print(yaml_text(document), end="", soft_wrap=True)
            return
        ascii_only = not self.out.encoding.startswith("utf")
        self.out.print_json(data=document, indent=2, highlight=False, ensure_ascii=ascii_only)


def environment_of(context: typer.Context) -> Environment:
    """The environment that main.py put into typer's context."""
    environment: Environment = context.find_root().obj
    return environment


def run(environment: Environment, work: Callable[[Session], Awaitable[T]]) -> T:
    """Connects, does ``work`` and closes the connection, in an event loop of its own."""

    async def whole() -> T:
        async with environment.connect(environment.target) as session:
            return await work(session)

    return asyncio.run(whole())
