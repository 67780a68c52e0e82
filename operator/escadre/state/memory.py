"""What the leader remembers between passes. All of it can be lost: it is seen or learnt again."""

from dataclasses import dataclass, field
from typing import Any

from escadre.api.deployment import LastScale
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan
from escadre.core.scaling.demand import Reading
from escadre.core.scaling.policy import Decision, ScaleState
from escadre.state.judge import Compared, DeploymentApproval
from escadre.state.views import DeploymentView

__all__ = ["Memory", "PlannedFor", "Scaled"]


@dataclass(frozen=True, slots=True)
class PlannedFor:
    """What a plan was made for; a pass that sees something else asks for a new plan first."""

    uid: str
    generation: int
    approved: bool
    manifest_digest: str
    repository: str

    @staticmethod
    def of(view: DeploymentView, approval: DeploymentApproval) -> "PlannedFor":
        """For the object and its approval as they are."""
        model = approval.model
        return PlannedFor(
            uid=view.uid,
            generation=view.generation,
            approved=approval.approved,
            manifest_digest=model.manifest_digest if model else "",
            repository=model.repository if model else "",
        )


@dataclass(frozen=True, slots=True)
class Scaled:
    """What scaling decided last for a deployment; written by the demand loop alone."""

    state: ScaleState
    decision: Decision | None
    last: LastScale | None


@dataclass(slots=True)
class Memory:
    """See the module."""

    plan: FleetPlan | None = None
    planned_for: dict[DeploymentKey, PlannedFor] = field(default_factory=dict)
    scaled: dict[str, Scaled] = field(default_factory=dict)  # by uid of the deployment
    readings: dict[str, Reading] = field(default_factory=dict)  # by pod uid
    status_written: dict[str, float] = field(default_factory=dict)  # by object uid
    told: dict[str, Any] = field(default_factory=dict)  # by object uid: what events told last
    compared: Compared = field(default_factory=dict)  # live admission policies
    models: dict[str, ApprovedModel] = field(default_factory=dict)  # by approval
    facts: dict[DeploymentKey, tuple[tuple[Any, ...], DeploymentFacts]] = field(
        default_factory=dict
    )  # with the versions of what they were made from

    def plan_of(self, key: DeploymentKey) -> DeploymentPlan | None:
        """The last plan of a deployment."""
        return self.plan.deployments.get(key) if self.plan else None

    def forget(self, key: DeploymentKey) -> None:
        """Drops what belongs to a ModelDeployment of that name, which is gone."""
        self.planned_for.pop(key, None)
        self.facts.pop(key, None)

    def keep_only(self, uids: set[str], approvals: set[str]) -> None:
        """Drops what belongs to objects that are gone: by uid, and by name of an approval."""
        for known, alive in (
            (self.status_written, uids),
            (self.told, uids),
            (self.scaled, uids),
            (self.models, approvals),
        ):
            for key in known.keys() - alive:
                known.pop(key, None)
