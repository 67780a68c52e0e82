"""The record of one pass over one ModelDeployment: what was seen, what was decided, when."""

from dataclasses import dataclass

from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.children import plan_deployment
from escadre.core.replicas.steps import Steps
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION
from escadre.render.labels import Owner
from escadre.state.children import children_facts
from escadre.state.gather import Sight
from escadre.state.judge import DeploymentApproval
from escadre.state.observe import Observed
from escadre.state.views import DeploymentView

__all__ = ["Pass", "about"]


def about(view: DeploymentView) -> ObjectRef:
    """A ModelDeployment as its events name it."""
    return ObjectRef(API_VERSION, "ModelDeployment", view.name, view.namespace, view.uid)


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything that the parts of a pass share; what came of the writing is the Applier's."""

    sight: Sight
    view: DeploymentView
    approval: DeploymentApproval
    plan: DeploymentPlan
    observed: tuple[Observed, ...]
    steps: Steps

    @staticmethod
    def of(sight: Sight, view: DeploymentView, plan: DeploymentPlan) -> "Pass":
        """Sees and decides; nothing is done yet."""
        steps = plan_deployment(children_facts(sight, view, plan), sight.now)
        return Pass(sight, view, sight.approval(view), plan, sight.observed(view), steps)

    def replica(self, slot: int) -> Observed:
        """The replica of a slot that has one."""
        return next(one for one in self.observed if one.view.slot == slot)

    @property
    def owner(self) -> Owner:
        """The ModelDeployment as its children name it."""
        return Owner(self.view.namespace, self.view.name, self.view.uid)

    @property
    def about(self) -> ObjectRef:
        """The ModelDeployment as its events name it."""
        return about(self.view)
