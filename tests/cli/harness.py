"""Runs the program against the fake API server and keeps what it prints."""

import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.fakes.kube import FakeServer
from typing_extensions import override

from escadre.cli.main import main
from escadre.cli.shared.session import Environment, Session, Target
from escadre.clients.kube import LEASES, Api
from escadre.names import LEASE_NAME

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


@dataclass(slots=True)
class Ran:
    """What one run of the program did."""

    code: int
    out: str
    err: str


def lease(*, holder: str = "escadre-operator-7d9-x_1_2", age: float = 2.0) -> dict[str, Any]:
    """The operator's Lease as its leader writes it, last renewed ``age`` seconds ago."""
    renewed = datetime.fromtimestamp(NOW - age, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE_NAME, "namespace": "escadre-system"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15 if holder else 1,
            "renewTime": renewed,
        },
    }


def _cluster() -> FakeServer:
    """A cluster on which an operator leads."""
    server = FakeServer()
    server.put(LEASES, lease())
    return server


@dataclass(slots=True)
class Program:
    """The program, its cluster and its user."""

    server: FakeServer = field(default_factory=_cluster)
    user: str = "bob"
    answer: str = ""
    on_sleep: Callable[[], None] = lambda: None
    api: Api | None = None
    namespace: str = "chat"
    terminal: bool = False
    width: int = 400
    targets: list[Target] = field(default_factory=list)

    def run(self, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        environment = Environment(
            connect=self._connect,
            now=lambda: NOW,
            sleep=self._sleep,
            read_line=lambda: self.answer,
            out=_console(out, terminal=self.terminal, width=self.width),
            err=_console(err),
        )
        code = main(list(arguments), environment)
        shown = out.getvalue() if self.terminal else _plain(out.getvalue())
        return Ran(code, shown, _plain(err.getvalue()))

    async def _sleep(self, _: float) -> None:
        self.on_sleep()

    @asynccontextmanager
    async def _connect(self, target: Target) -> AsyncIterator[Session]:
        self.targets.append(target)
        yield Session(self.api or self.server.client(self.user), self.namespace)


def _console(file: io.StringIO, *, terminal: bool = False, width: int = 400) -> Console:
    return Console(
        file=file,
        width=width,
        height=100,
        force_terminal=terminal,
        _environ={"TERM": "xterm"},  # not the terminal of whoever runs the tests, who may have none
        highlight=False,
        markup=False,
        emoji=False,
    )


def _plain(text: str) -> str:
    assert "\x1b" not in text, "colours although this is no terminal"
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def check_golden(name: str, text: str) -> None:
    """``text`` is what tests/cli/golden/``name``.txt holds; ESCADRE_UPDATE_GOLDEN=1 writes it."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


class Broken(Program):
    """A program whose connection fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    @override
    @asynccontextmanager
    async def _connect(self, target: Target) -> AsyncIterator[Session]:
        self.targets.append(target)
        raise self.error
        yield  # type: ignore[unreachable]  # makes this a generator
