"""What `escadre why` says for each kind of blocker, word for word."""

import json
from typing import Any

import pytest
from tests.cli.harness import Program, check_golden
from tests.cli.test_status import EMPTY, PULLING
from tests.cli.world import condition, deployment, replica, replicas, weights, with_conditions

from escadre.cli.shared.deployed import Deployed
from escadre.cli.why.chain import build
from escadre.clients.kube import MODEL_DEPLOYMENTS

MISMATCH = "node gpu-0: consolidated.safetensors chunk 3: got sha256 1111…, approved 2222…"
TREAT = "Treat as an incident: compare the mirror's file with the approval, then mend it."
SIGN = "Ask another authorised person for escadre approve sign NAME."

OTHER = "assistant-0: the engine says that it is vLLM 0.31.1, and layouts are judged as for 0.32"
SET_IT = "Set engine.version of the chart to what engine.image holds: no engine restarts for it."

CASES = {
    "serving": deployment(),
    "other-engine": deployment(
        conditions=with_conditions(
            condition("EngineMismatch", "True", "EngineVersionDiffers", OTHER, SET_IT)
        )
    ),
    "unseen": EMPTY,
    "pulling": PULLING,
    "signatures": deployment(  # of an operator that glued the next step to the message
        plan=None,
        approval=None,
        weights=[],
        replicas=replicas(0),
        conditions=with_conditions(
            condition("Ready", "False", "SignaturesMissing", f"1 of 2 signatures. Next: {SIGN}"),
            condition("Approved", "False", "SignaturesMissing", f"1 of 2 signatures. Next: {SIGN}"),
            condition("Planned", "Unknown", "SignaturesMissing", "waits for an approval"),
            condition("WeightsReady", "Unknown", "WeightsWaiting", "no node is planned yet"),
            condition("Scheduled", "Unknown", "NoReplicas", "no replica exists yet"),
            condition("Serving", "False", "NoReplicas", "0 of 1 replicas ready"),
            condition("Scaling", "Unknown", "NotScaling", "no demand was read yet"),
        ),
    ),
    "tampered": deployment(
        weights=[weights("gpu-0", "Failed", reason="DigestMismatch", message="chunk 3 is bad")],
        replicas=replicas(0, replica(0, "Pending", "gpu-0", "no node has the weights")),
        conditions=with_conditions(
            condition("Ready", "False", "DigestMismatch", MISMATCH, TREAT),
            condition("WeightsReady", "False", "DigestMismatch", MISMATCH, TREAT),
            condition("Scheduled", "False", "ReplicasPending", "1 of 1 waits for a node"),
            condition("Serving", "False", "Loading", "0 of 1 needed replicas ready"),
        ),
    ),
    "revoked-serving": deployment(
        conditions=with_conditions(
            condition("Approved", "False", "Revoked", "claire revoked it at 14:10: a leak"),
            condition("Scaling", "False", "ScalingHeld", "the approval does not hold"),
        )
    ),
    "name-taken": deployment(
        replicas=replicas(0),
        conditions=with_conditions(
            condition("Ready", "False", "NameTaken", "Service chat/assistant is not escadre's"),
            condition("Scheduled", "Unknown", "NoReplicas", "no replica exists yet"),
            condition("Serving", "False", "NoReplicas", "0 of 1 replicas ready"),
        ),
    ),
    "name-taken-and-full": deployment(
        replicas=replicas(0),
        conditions=with_conditions(
            condition("Ready", "False", "NameTaken", "Service chat/assistant is not escadre's"),
            condition("Planned", "False", "InsufficientGPUs", "2 of 4 replicas have no node"),
            condition("Serving", "False", "NoReplicas", "0 of 1 replicas ready"),
        ),
    ),
    "too-long": deployment(
        plan=None,
        weights=[],
        replicas=replicas(0),
        conditions=with_conditions(
            condition("Ready", "False", "ContextTooLong", "asks 200000, the model has 131072"),
            condition("Stalled", "True", "ContextTooLong", "asks 200000, the model has 131072"),
            condition("Planned", "False", "ContextTooLong", "asks 200000, the model has 131072"),
            condition("WeightsReady", "Unknown", "WeightsWaiting", "no node is planned yet"),
            condition("Scheduled", "Unknown", "NoReplicas", "no replica exists yet"),
            condition("Serving", "False", "NoReplicas", "0 of 1 replicas ready"),
        ),
    ),
}
BLOCKERS = {
    "serving": None,
    "other-engine": None,
    "unseen": "wish",
    "pulling": "weights",
    "signatures": "approval",
    "name-taken-and-full": "serving",
    "tampered": "weights",
    "revoked-serving": "approval",
    "name-taken": "serving",
    "too-long": "plan",
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_link_that_does_not_hold_is_explained(name: str) -> None:
    body: dict[str, Any] = CASES[name]
    program = Program()
    program.server.put(MODEL_DEPLOYMENTS, body)
    ran = program.run("why", body["metadata"]["name"])
    ready = name in {"serving", "revoked-serving", "other-engine"}
    assert (ran.code, ran.err) == (0 if ready else 1, "")
    check_golden(f"why-{name}", ran.out)
    document = json.loads(program.run("why", body["metadata"]["name"], "-o", "json").out)
    blocker = document["blocker"]
    assert (blocker["step"] if blocker else None) == BLOCKERS[name]
    assert document["ready"] is ready
    if blocker:
        assert ran.out.count(blocker["nextStep"]) == 1, "the next step stands once"
        assert "Next:" not in ran.out


@pytest.mark.parametrize(
    ("reason", "who"),
    [
        ("Pulling", "nobody has to act: it goes on by itself"),
        (
            "ReplicasPending",
            "nobody at first: it goes on by itself; if it stays, the platform team",
        ),
        ("NoLayoutFits", "whoever owns the deployment, or the platform team"),
        ("DigestMismatch", "security, and whoever runs the mirror"),
        ("OfANewerOperator", "the platform team"),
    ],
)
def test_whose_move_it_is_follows_from_the_reason(reason: str, who: str) -> None:
    told = [condition("Approved", "False", reason, "x")]
    advice = build(Deployed.read(deployment(conditions=told))).advice
    assert advice is not None
    assert advice.who == who


def test_the_chain_never_fails_on_a_status_of_another_version() -> None:
    body = deployment(conditions=[{"type": "Ready", "status": "Perhaps"}])
    chain = build(Deployed.read(body))
    assert chain.blocker is not None
    assert chain.blocker.step == "approval", "the rest of the status is understood"


def test_a_spec_that_cannot_be_read_is_blocked_at_the_wish() -> None:
    body = {**deployment(), "spec": {"approval": "small", "contextLength": "long"}}
    chain = build(Deployed.read(body))
    assert chain.blocker is not None
    assert "spec.contextLength" in chain.blocker.text


def test_the_log_to_look_at_is_that_of_the_engine_that_ended() -> None:
    told = [condition("Serving", "False", "EngineFailing", "assistant-0 exited with 1")]
    advice = build(Deployed.read(deployment(conditions=with_conditions(*told)))).advice
    assert advice is not None
    assert advice.look_at == "escadre logs assistant -n chat --previous"
