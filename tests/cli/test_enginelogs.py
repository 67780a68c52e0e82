"""`escadre logs`: whose log it is, how the engine ended, and what is not there."""

from typing import Any

import pytest
from tests.cli.harness import Program
from tests.cli.world import deployment

from escadre.clients.kube import MODEL_DEPLOYMENTS, PODS

Json = dict[str, Any]


def engine(name: str, ended: Json | None = None, restarts: int = 0) -> Json:
    status: Json = {"name": "engine", "restartCount": restarts}
    if ended:
        status["lastState"] = {"terminated": ended}
    labels = {"escadre.dev/component": "engine", "escadre.dev/deployment": "assistant"}
    return {
        "metadata": {"name": name, "namespace": "chat", "labels": labels},
        "spec": {"nodeName": "gpu-0"},
        "status": {"containerStatuses": [{"name": "sidecar"}, status]},
    }


@pytest.fixture
def program() -> Program:
    program = Program()
    server = program.server
    server.put(MODEL_DEPLOYMENTS, deployment())
    server.put(PODS, engine("assistant-0-a", {"exitCode": 137, "reason": "OOMKilled"}, 2))
    server.put(PODS, engine("assistant-1-b"))
    server.logs["chat", "assistant-0-a", "engine", False] = "loads\n[red]not markup[/]\n"
    server.logs["chat", "assistant-0-a", "engine", True] = "one\ntwo\nkilled"
    server.logs["chat", "assistant-1-b", "engine", False] = "serves\n"
    return program


def test_logs_say_whose_they_are_and_how_the_engine_ended(program: Program) -> None:
    ran = program.run("logs", "assistant")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "== assistant-0-a on gpu-0: this run\n"
        "== it exited with 137, 2 restarts: OOMKilled: it used more than its memory limit\n"
        "loads\n[red]not markup[/]\n"
        "== assistant-1-b on gpu-0: this run\n"
        "serves\n"
    )


def test_the_run_before_and_who_had_none(program: Program) -> None:
    ran = program.run("logs", "assistant", "--previous", "--tail", "2")
    assert ran.code == 0
    assert ran.out == (
        "== assistant-0-a on gpu-0: the run before\n"
        "== it exited with 137, 2 restarts: OOMKilled: it used more than its memory limit\n"
        "two\nkilled\n"
        "== assistant-1-b on gpu-0: the run before left no log\n"
    )


def test_exit_code_137_is_explained_also_where_it_was_not_the_memory(program: Program) -> None:
    program.server.put(PODS, engine("assistant-0-a", {"exitCode": 137, "reason": "Error"}, 1))
    assert "SIGKILL: not for its memory, or it would say OOMKilled" in (
        program.run("logs", "assistant").out
    )


def test_without_an_engine_the_way_on_is_named() -> None:
    program = Program()
    program.server.put(MODEL_DEPLOYMENTS, deployment())
    ran = program.run("logs", "assistant")
    assert (ran.code, ran.out) == (
        1,
        "No pod of assistant has an engine yet: escadre why assistant\n",
    )
