"""A deployment's life on the real cluster."""

import pytest

from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Stage

pytestmark = pytest.mark.cluster


def test_a_wish_becomes_an_endpoint_and_leaves_nothing_behind(stage: Stage) -> None:
    stage.deploy("life", "base")
    stage.wait_condition("life", "Ready", "Ready")
    row = stage.cluster.kubectl("get", "mdep", "life", "-n", TEAM, "--no-headers").split()
    assert row[:6] == ["life", "True", "True", "True", "mistralai/base", "1/1"]
    stage.cluster.kubectl("delete", "mdep", "life", "-n", TEAM)

    def gone() -> bool:
        kinds = "deployments,services,pvc,pods,pdb,networkpolicies"
        left = stage.cluster.list(kinds, "-n", TEAM, "-l", "escadre.dev/deployment=life")
        volumes = stage.cluster.list("pv", "-l", "escadre.dev/owner-name=life")
        return not left and not volumes

    wait_for(gone, 60, "everything of the deployment to be gone")
