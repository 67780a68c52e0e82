"""Escadre itself: its operator gone, the engine's image upgraded, uninstalled and reinstalled."""

from typing import Final

from e2e.breaker.case import SERVED, Case
from e2e.cases.faulting import leader, scale_operators, until_rolled_out
from e2e.cluster.wait import wait_for
from e2e.stage.stage import ENGINE_IMAGE, NAMESPACE, Stage
from escadre import reasons

__all__ = ["CASES"]

_OTHER_IMAGE: Final = ENGINE_IMAGE.partition("@")[0] + "@sha256:" + "f" * 64


def _no_operator(stage: Stage) -> None:
    scale_operators(stage, 0)


def _operators(stage: Stage) -> None:
    scale_operators(stage, 2)
    wait_for(lambda: leader(stage), 30, "an operator to lead")


def _upgrade(stage: Stage) -> None:
    """Returns when the new operators run, as ``helm --wait`` does: the old know no new image."""
    now = stage.values["engine"]["image"]
    stage.install(engine={"image": ENGINE_IMAGE if now == _OTHER_IMAGE else _OTHER_IMAGE})
    until_rolled_out(stage, "deployment/escadre-operator")


def _uninstall(stage: Stage) -> None:
    stage.cluster.helm("uninstall", "escadre", "--namespace", NAMESPACE)
    wait_for(lambda: not stage.cluster.list("pods", "-n", NAMESPACE), 60, "no pod of escadre")


def _install(stage: Stage) -> None:
    """Until an operator leads and has been over the deployment."""
    stage.install()
    stage.wait_installed(120)
    wait_for(lambda: leader(stage), 30, "an operator to lead")
    spec = stage.mdep(SERVED)["spec"]
    least, most = spec["scaling"]["minReplicas"], spec["scaling"]["maxReplicas"]
    scaling = {"minReplicas": least, "maxReplicas": most % 3 + 2}  # no replica more
    stage.deploy(SERVED, spec["approval"], scaling=scaling)


CASES: Final = (
    Case(
        name="operator-gone",
        broken="the operator's Deployment is scaled to none",
        reasons=(reasons.NO_OPERATOR_LEADS,),
        heals="when it is scaled up again",
        deed=_no_operator,
        mend=_operators,
        within=60,
        column=False,
    ),
    Case(
        name="image-upgraded",
        broken="the chart gets another engine image under load",
        reasons=(reasons.ROLLING_OUT,),
        heals="by itself: one replica after the other",
        deed=_upgrade,
        within=240,
    ),
    Case(
        name="reinstall",
        broken="the chart is uninstalled and installed again under load",
        reasons=(reasons.NO_OPERATOR_LEADS,),
        heals="when it is installed again",
        deed=_uninstall,
        mend=_install,
        within=120,
        column=False,
    ),
)
