"""Pods that the API server refuses: a quota, and an admission policy of the cluster's owner."""

from typing import Final

from e2e.breaker.case import Case
from e2e.cases.refusing import QUOTA, RAISED, TEAM, WORDS, delete, enforce, forget, gone
from e2e.stage.stage import Stage
from escadre import reasons

__all__ = ["CASES"]

_TWO: Final = {"minReplicas": 2, "maxReplicas": 2}


def _team(stage: Stage) -> None:
    stage.team(TEAM)
    if not stage.cluster.kubectl("get", "mapp", "few", "--ignore-not-found", "-o", "name"):
        stage.approve("base", namespace=TEAM, options={"--name": "few"})


def _quota(stage: Stage) -> None:
    _team(stage)
    stage.cluster.apply(QUOTA)
    stage.deploy("two", "few", namespace=TEAM, scaling=_TWO)


def _raise_quota(stage: Stage) -> None:
    stage.cluster.apply(RAISED)


def _forget_quota(stage: Stage) -> None:
    gone(stage, "two")
    stage.cluster.kubectl("delete", "resourcequota", "few", "-n", TEAM, "--ignore-not-found")


def _policy(stage: Stage) -> None:
    _team(stage)
    enforce(stage)
    stage.deploy("one", "few", namespace=TEAM)


def _forget_policy(stage: Stage) -> None:
    delete(stage)
    gone(stage, "one")
    forget(stage)


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
        words=WORDS,
        heals="when the policy is taken away",
        deed=_policy,
        mend=delete,
        after=_forget_policy,
        within=120,
        deployment="one",
        namespace=TEAM,
    ),
)
