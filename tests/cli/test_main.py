"""Every error becomes words and a code; nothing ever ends in a traceback."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.cli.harness import Program
from typing_extensions import override

from escadre import reasons
from escadre.cli.shared.failures import explain
from escadre.cli.shared.session import Session, Target
from escadre.clients.kube import (
    ConnectionUnknown,
    NotFound,
    ServerUnavailable,
    Unauthorized,
)
from escadre.errors import Refusal


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


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        pytest.param(
            ConnectionUnknown("loading the kubeconfig: no such file"),
            4,
            "loading the kubeconfig",
            id="no kubeconfig",
        ),
        pytest.param(
            ServerUnavailable(method="list", object="modeldeployments", message="refused"),
            4,
            "check that the address in the kubeconfig answers",
            id="a server that does not answer",
        ),
        pytest.param(
            Unauthorized(method="list", object="modeldeployments", status=401),
            4,
            "log in again",
            id="credentials that are not accepted",
        ),
        pytest.param(
            NotFound(
                method="list",
                object="modeldeployments",
                status=404,
                message="the server could not find the requested resource",
            ),
            4,
            "helm install escadre",
            id="a cluster without the CRDs",
        ),
        pytest.param(
            Refusal(reasons.NO_GPU_NODES, "no node has GPUs"),
            3,
            "NoGPUNodes: no node has GPUs\nnext: Install the NVIDIA GPU Operator",
            id="a refusal",
        ),
        pytest.param(
            RuntimeError("a bug"),
            1,
            "unexpected RuntimeError: a bug; ESCADRE_DEBUG=1 shows the traceback",
            id="a bug",
        ),
    ],
)
def test_errors_become_words_and_a_code(error: Exception, code: int, words: str) -> None:
    ran = Broken(error).run("status")
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_debug_shows_the_traceback_before_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCADRE_DEBUG", "1")
    ran = Broken(RuntimeError("a bug")).run("status")
    assert "Traceback (most recent call last)" in ran.err
    assert ran.err.endswith("escadre: unexpected RuntimeError: a bug\n")


def test_every_listed_reason_has_a_next_step_or_none_to_take() -> None:
    code, message = explain(Refusal(reasons.PLANNED, "a layout was found"))
    assert (code, message) == (3, "Planned: a layout was found")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("frobnicate",), id="an unknown command"),
        pytest.param(("why",), id="a missing name"),
        pytest.param(("status", "-o", "yaml"), id="an unknown format"),
        pytest.param(("status", "x", "-A"), id="a name in all namespaces"),
    ],
)
def test_wrong_use_is_2(arguments: tuple[str, ...]) -> None:
    assert Program().run(*arguments).code == 2


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert Program().run("--help").code == 0
    assert "Exit codes: 0 fine" in capsys.readouterr().out


def test_version_needs_no_cluster() -> None:
    program = Program()
    assert program.run("version").out.startswith("escadre 0.")
    assert json.loads(program.run("version", "-o", "json").out)["api"] == "escadre.dev/v1alpha1"
    assert program.targets == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--kubeconfig", "f", "--context", "c", "status"), id="before the command"),
        pytest.param(("status", "--kubeconfig", "f", "--context=c"), id="after the command"),
        pytest.param(("--context", "c", "why", "x", "--kubeconfig", "f"), id="on both sides"),
        pytest.param(
            ("--context", "d", "approve", "show", "x", "--context", "c", "--kubeconfig", "f"),
            id="twice, the later one counts",
        ),
    ],
)
def test_the_cluster_is_the_one_that_was_named(arguments: tuple[str, ...]) -> None:
    program = Program()
    program.run(*arguments)
    assert program.targets == [Target("f", "c")]


@pytest.mark.parametrize("command", ["operator", "agent"])
def test_a_process_without_settings_says_which_file_is_missing(command: str) -> None:
    ran = Program().run(command, "--config", "/nonexistent/config.yaml")
    assert ran.code == 3
    assert "reading settings /nonexistent/config.yaml: No such file or directory" in ran.err
