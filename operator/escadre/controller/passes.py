"""The record of one pass over one ModelDeployment: what was seen, what was decided, when."""

from dataclasses import dataclass

from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import RolloutPlan
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION
from escadre.render.labels import Owner
from escadre.state.gather import Sight
from escadre.state.judge import DeploymentApproval
from escadre.state.observe import Observed
from escadre.state.views import DeploymentView

__all__ = ["Pass"]


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything that the parts of a pass share; what came of the writing is the Applier's."""

    sight: Sight
    view: DeploymentView
    approval: DeploymentApproval
    plan: DeploymentPlan
    observed: tuple[Observed, ...]
    rollout: RolloutPlan

    @property
    def owner(self) -> Owner:
        """The ModelDeployment as its children name it."""
        return Owner(self.view.namespace, self.view.name, self.view.uid)

    @property
    def about(self) -> ObjectRef:
        """The ModelDeployment as its events name it."""
        view = self.view
        return ObjectRef(API_VERSION, "ModelDeployment", view.name, view.namespace, view.uid)
