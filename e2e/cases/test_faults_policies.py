"""A policy of four eyes that is lost and made anew: the same people sign again, all goes on."""

import pytest

from e2e.cases.faulting import clear, engine_pods, ready, why
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Stage

pytestmark = pytest.mark.cluster

NAME = "healed"
SIGNERS = ("anna", "bruno")


def test_the_same_people_sign_again_after_a_policy_was_made_anew(stage: Stage) -> None:
    stage.deploy(NAME, "base")
    ready(stage, NAME)
    (before,) = engine_pods(stage, NAME)
    try:
        binding = "validatingadmissionpolicybinding"
        stage.cluster.kubectl("delete", binding, "escadre-signatures")
        found = stage.wait_condition(NAME, "Approved", "PolicyMissing")
        assert "helm upgrade" in found["message"]
    finally:
        stage.install()
        stage.wait_condition(NAME, "Approved", "SignaturesMissing")
        told = stage.condition(NAME, "Approved")["message"]
        explained = why(stage, NAME)
        _sign_all_again(stage)
    assert "none of 2 counts" in told
    again = "anna and bruno sign again, or another authorised person: escadre approve sign base"
    assert again in told
    assert again in explained
    ready(stage, NAME)
    (after,) = engine_pods(stage, NAME)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    clear(stage, NAME)


def _sign_all_again(stage: Stage) -> None:
    """The approvals that other cases use were signed before the policy, too."""
    wait_for(lambda: not _said(stage, "PolicyMissing"), 60, "all approvals to be judged anew")
    for name in _said(stage, "SignaturesMissing", "before the admission policy"):
        for who in SIGNERS:
            stage.escadre("approve", "sign", name, "--yes", who=who)


def _said(stage: Stage, reason: str, words: str = "") -> list[str]:
    """The approvals whose condition Approved has a reason, and words in its message."""
    return [
        one["metadata"]["name"]
        for one in stage.cluster.list("mapp")
        for told in one["status"]["conditions"]
        if (told["type"], told["reason"]) == ("Approved", reason) and words in told["message"]
    ]
