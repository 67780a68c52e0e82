"""An absent operator is visible: what `status` and `why` say of it."""

import json

import pytest
from tests.cli.harness import Program, check_golden, lease
from tests.cli.world import deployment

from escadre.clients.kube import GPU_NODES, LEASES, MODEL_DEPLOYMENTS, Forbidden
from escadre.names import LEASE_NAME


def _serving() -> Program:
    program = Program()
    program.server.put(MODEL_DEPLOYMENTS, deployment())
    return program


def _renew(program: Program, age: float) -> None:
    program.server.put(LEASES, lease(age=age))


def _gpunode(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": "gpu-0", "labels": {"escadre.dev/system-namespace": namespace}},
        "spec": {"weights": []},
    }


def test_status_shows_the_age_of_the_last_renewal() -> None:
    ran = _serving().run("status")
    assert ran.code == 0
    last = ran.out.splitlines()[-1]
    assert last == "✓ operator: escadre-operator-7d9-x leads, last renewal 2s ago"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        pytest.param(lease(age=720), "(12m00s ago): Lease escadre-system/escadre-operator is not "
                     "renewed", id="its only pod was killed"),
        pytest.param(lease(holder="", age=60), "(1m00s ago): Lease escadre-system/escadre-operator "
                     "was given back", id="it was scaled to zero"),
    ],
)  # fmt: skip
def test_that_nobody_leads_is_said_before_all_else(left: dict[str, object], words: str) -> None:
    program = _serving()
    program.server.put(LEASES, left)
    for command in (("status",), ("status", "assistant"), ("why", "assistant")):
        ran = program.run(*command)
        assert "no operator leads since 2026-09-21T14:" in ran.out
        assert words in "\n".join(ran.out.splitlines()[:3])
        assert ran.code == (0 if command == ("status",) else 1)


def test_a_leader_that_could_not_renew_in_time_has_stopped() -> None:
    """It stops ten seconds after its last renewal; only others wait for fifteen."""
    program = _serving()
    program.server.put(LEASES, lease(age=12))
    ran = program.run("why", "assistant")
    assert "(12s ago): Lease escadre-system/escadre-operator is not renewed" in ran.out
    assert ran.code == 1


def test_no_link_is_certain_while_nobody_leads() -> None:
    program = _serving()
    program.server.put(LEASES, lease(age=720))
    ran = program.run("why", "assistant")
    assert "✓" not in ran.out
    assert "kubectl -n escadre-system get pods" in ran.out
    check_golden("why-no-operator", ran.out)
    document = json.loads(program.run("why", "assistant", "-o", "json").out)
    assert document["ready"] is False
    assert document["operator"]["leads"] is False
    assert (document["blocker"]["step"], document["blocker"]["reason"]) == (
        "operator",
        "NoOperatorLeads",
    )
    assert {link["state"] for link in document["links"][1:]} == {"unknown"}


@pytest.mark.parametrize("age", [720.0, -300.0])
def test_a_clock_that_is_wrong_here_kills_no_operator(age: float) -> None:
    """A Lease renewed while we look is held, however old or new it looks."""
    program = _serving()
    program.server.put(LEASES, lease(age=age))
    program.on_sleep = lambda: _renew(program, age - 2)
    ran = program.run("why", "assistant")
    assert ran.code == 0
    assert "no operator" not in ran.out


def test_a_dead_operator_with_a_clock_before_ours_is_dead() -> None:
    program = _serving()
    program.server.put(LEASES, lease(age=-300))
    assert program.run("why", "assistant").code == 1


@pytest.mark.parametrize("command", ["status", "why"])
def test_who_may_not_read_the_lease_is_told_so(command: str) -> None:
    program = _serving()
    program.api = api = program.server.client("bob")
    api.refuse("get", "Lease", lambda: Forbidden(method="get", object="x", status=403))
    ran = program.run(command, "assistant")
    assert ran.code == 0, "what is not known is no fault of the deployment"
    words = "not allowed to read Lease escadre-system/escadre-operator: whether an operator leads "
    assert f"{words}is not known" in ran.out


def test_a_lease_that_may_lie_elsewhere_is_not_known() -> None:
    program = _serving()
    program.server.remove(LEASES, LEASE_NAME, "escadre-system")
    ran = program.run("status")
    assert "installed elsewhere? name it with --system-namespace" in ran.out
    assert "no operator leads:" in program.run("status", "--system-namespace", "x").out


def test_gpunodes_say_where_the_operator_is() -> None:
    program = _serving()
    program.server.remove(LEASES, LEASE_NAME, "escadre-system")
    program.server.put(GPU_NODES, _gpunode("models"))
    assert "no operator leads: there is no Lease models/escadre-operator" in (
        program.run("status").out
    )
    elsewhere = lease()
    elsewhere["metadata"]["namespace"] = "models"
    program.server.put(LEASES, elsewhere)
    document = json.loads(program.run("status", "-o", "json").out)
    assert document["operator"]["leads"] is True
    assert document["operator"]["lease"] == "models/escadre-operator"
