"""Every error becomes words and a code; nothing ever ends in a traceback."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.harness import Broken, Program
from tests.cli.world import deployment
from typer.main import get_command

from escadre import __version__, reasons
from escadre.cli.main import app
from escadre.cli.shared.failures import explain
from escadre.cli.shared.session import Target
from escadre.clients.kube import (
    MODEL_DEPLOYMENTS,
    NO_API_SERVER,
    ConnectionUnknown,
    NotFound,
    ServerUnavailable,
    Unauthorized,
)
from escadre.errors import Refusal


def test_an_answer_that_cannot_be_written_is_no_bug() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert explain(full) == (1, "the answer cannot be written: No space left on device")
    assert explain(OSError(errno.EBADF, "Bad file descriptor")) == (1, "")


def test_an_encoding_that_lacks_a_sign_ends_no_command() -> None:
    program = "from escadre.cli.entry import main; raise SystemExit(main())"
    arguments = ("plan", "-f", "-", "--nodes", "1 x 8 x H100-80GB")
    body = deployment("chat")
    body["spec"]["approval"] = "mistral-small-3-2-24b-instruct-2506"
    for more in ((), ("-o", "json")):
        ran = subprocess.run(
            [sys.executable, "-c", program, *arguments, *more],
            input=yaml.safe_dump(body),
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        if more:
            assert "1×H100" in json.dumps(json.loads(ran.stdout), ensure_ascii=False)
        else:
            assert "1\\xd7H100" in ran.stdout


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
            NotFound(method="list", object="nodes", status=404, message="404 page not found"),
            4,
            "every cluster knows the kind, so what answers is no API server of Kubernetes\nnext: "
            "check the address in the kubeconfig",
            id="a server that is none of Kubernetes",
        ),
        pytest.param(
            NotFound(method="list", object="nodes", status=404, message=NO_API_SERVER),
            4,
            "sends (404)\nnext: check the address in the kubeconfig: no API server answers there",
            id="a page",
        ),
        pytest.param(
            NotFound(method="list", object="modeldeployments", status=404),
            4,
            "(404)\nnext: check the address in the kubeconfig: no API server answers there",
            id="no word",
        ),
        pytest.param(
            Unauthorized(method="list", object="nodes", status=401, message=NO_API_SERVER),
            4,
            "next: log in again",
            id="a page of who asks for a login",
        ),
        pytest.param(
            ServerUnavailable(method="list", object="modeldeployments", status=302),
            4,
            "(302)\nnext: check the address in the kubeconfig: no API server answers there",
            id="a login page",
        ),
        pytest.param(
            NotFound(
                method="create",
                object="Lease team/x",
                status=404,
                message='namespaces "team" not found',
            ),
            4,
            'Lease team/x does not exist: namespaces "team" not found\nnext: check the name, its '
            "namespace (-n)",
            id="an object that is not there",
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
        pytest.param(("status", "-o", "xml"), id="an unknown format"),
        pytest.param(("status", "x", "-A"), id="a name in all namespaces"),
    ],
)
def test_wrong_use_is_2(arguments: tuple[str, ...]) -> None:
    assert Program().run(*arguments).code == 2


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert Program().run("--help").code == 0
    assert "Exit codes: 0 fine" in capsys.readouterr().out


def _commands() -> Iterator[tuple[str, ...]]:
    def walk(group: Any, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, (*before, name))
            else:
                yield (*before, name)

    yield from walk(get_command(app), ())


COMMANDS = tuple(_commands())
WISH = Path(__file__).parents[2] / "examples" / "quickstart" / "2-deployment.yaml"
REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
PROCESSES = {("operator",), ("agent",)}
FILES = {("support-bundle",), ("logs",)}  # their answer is a file, or what others wrote
ARGUMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("why",): ("x",),
    ("logs",): ("x",),
    ("plan",): ("-f", str(WISH)),
    ("approve", "sign"): ("x", "--yes"),
    ("approve", "revoke"): ("x", "--yes"),
    ("approve", "show"): ("x",),
    ("mirror", "test"): ("x",),
}
OFFLINE = {
    ("version",),
    ("approve", "draft"),
    ("layout", "legal"),
    ("layout", "estimate"),
    ("catalog", "list"),
    ("catalog", "show"),
    ("simulate",),
}
OF_THE_CLUSTER = [each for each in COMMANDS if each not in PROCESSES | OFFLINE]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_refuses_what_it_does_not_know(command: tuple[str, ...]) -> None:
    assert Program().run(*command, "--help").code == 0
    assert Program().run(*command, "--frobnicate").code == 2


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_argument_has_one_name_in_usage_and_reference(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Program().run(*command, "--help")
    usage, _, _ = capsys.readouterr().out.partition("\n\n")
    found: Any = get_command(app)
    for name in command:
        found = found.commands[name]
    for one in found.params:
        if one.param_type_name == "argument":
            assert one.metavar.isupper()
            assert one.metavar in usage
            _, _, section = REFERENCE.partition(f"\n## escadre {' '.join(command)}\n")
            assert f"| `{one.metavar}` |" in section.partition("\n## ")[0]


@pytest.mark.parametrize("command", OF_THE_CLUSTER, ids=" ".join)
def test_every_command_of_the_cluster_exits_with_4_when_it_does_not_answer(
    command: tuple[str, ...],
) -> None:
    error = ServerUnavailable(method="list", object="modeldeployments", message="refused")
    assert Broken(error).run(*command, *ARGUMENTS.get(command, ())).code == 4


@pytest.mark.parametrize(
    "command", [each for each in ARGUMENTS if each != ("plan",)] + [("status",)], ids=" ".join
)
def test_every_command_refuses_an_unknown_name_with_3(command: tuple[str, ...]) -> None:
    ran = Program().run(*command, *ARGUMENTS.get(command, ("x",)))
    assert ran.code == 3
    assert "does not exist" in ran.err


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each not in PROCESSES | FILES], ids=" ".join
)
def test_every_answer_can_be_json_or_yaml(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Program().run(*command, "--help")
    assert "<table|json|yaml" in capsys.readouterr().out  # simulate draws as well


def test_yaml_says_what_json_says() -> None:
    program = Program()
    program.server.put(MODEL_DEPLOYMENTS, deployment())
    for arguments in (("status",), ("status", "assistant"), ("why", "assistant"), ("version",)):
        told = json.loads(program.run(*arguments, "-o", "json").out)
        assert yaml.safe_load(program.run(*arguments, "-o", "yaml").out) == told


def test_the_version_is_an_option_too() -> None:
    ran = Program().run("--version")
    assert (ran.code, ran.out) == (0, f"escadre {__version__}\n")


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
