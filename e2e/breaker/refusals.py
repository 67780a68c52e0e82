"""Pods that the API server refuses: a quota, and an admission policy of the cluster's owner."""

import json
from typing import Final

from e2e.breaker.case import Case
from e2e.cases.test_faults_refused import BINDING, POD, POLICY, QUOTA, TEAM
from e2e.cluster.cluster import CommandError
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Stage
from escadre import reasons

__all__ = ["CASES"]

_TWO: Final = {"minReplicas": 2, "maxReplicas": 2}
_POLICY_NAME: Final = "no-memory-folders"


def _team(stage: Stage) -> None:
    stage.team(TEAM)
    if not stage.cluster.kubectl("get", "mapp", "few", "--ignore-not-found", "-o", "name"):
        stage.approve("base", namespace=TEAM, options={"--name": "few"})


def _quota(stage: Stage) -> None:
    _team(stage)
    stage.cluster.apply(QUOTA)
    stage.deploy("two", "few", namespace=TEAM, scaling=_TWO)


def _raise_quota(stage: Stage) -> None:
    stage.cluster.apply({**QUOTA, "spec": {"hard": {"pods": "3"}}})


def _forget_quota(stage: Stage) -> None:
    stage.cluster.kubectl("delete", "mdep", "two", "-n", TEAM, "--ignore-not-found")
    wait_for(lambda: not stage.cluster.list("pods", "-n", TEAM), 60, "its pods to be gone")
    stage.cluster.kubectl("delete", "resourcequota", "few", "-n", TEAM, "--ignore-not-found")


def _policy(stage: Stage) -> None:
    _team(stage)
    stage.cluster.apply(POLICY, BINDING)
    wait_for(lambda: _refused(stage), 60, "the policy to be enforced")
    stage.deploy("one", "few", namespace=TEAM)


def _refused(stage: Stage) -> bool:
    """Whether a pod with a folder in memory is refused: a new policy takes some seconds."""
    try:
        stage.cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(POD))
    except CommandError as error:
        return "folders in memory" in str(error)
    return False


def _lift_policy(stage: Stage) -> None:
    kinds = ("validatingadmissionpolicybinding", "validatingadmissionpolicy")
    for kind in kinds:
        stage.cluster.kubectl("delete", kind, _POLICY_NAME, "--ignore-not-found")


def _forget_policy(stage: Stage) -> None:
    _lift_policy(stage)
    stage.cluster.kubectl("delete", "mdep", "one", "-n", TEAM, "--ignore-not-found")


CASES: Final = (
    Case(
        name="quota",
        broken="a ResourceQuota lets one of two pods in",
        reasons=(reasons.POD_REFUSED,),
        words="exceeded quota: few",
        heals="when the quota is raised",
        deed=_quota,
        mend=_raise_quota,
        after=_forget_quota,
        within=120,
        deployment="two",
        namespace=TEAM,
    ),
    Case(
        name="admission-policy",
        broken="a ValidatingAdmissionPolicy refuses folders in memory",
        reasons=(reasons.POD_REFUSED,),
        words="folders in memory are not allowed here",
        heals="when the policy is taken away",
        deed=_policy,
        mend=_lift_policy,
        after=_forget_policy,
        within=120,
        deployment="one",
        namespace=TEAM,
    ),
)
