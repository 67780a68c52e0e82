"""A ModelDeployment and its replicas as planning sees them. Pure data; built by state/gather."""

from dataclasses import dataclass

from escadre.api.deployment import Layout
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.seats import Seats, seats_on

__all__ = ["DeploymentFacts", "DeploymentKey", "ReplicaFacts"]


@dataclass(frozen=True, slots=True, order=True)
class DeploymentKey:
    """Which ModelDeployment."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """A replica that exists: its GPUs and node are taken, whatever the plan becomes.

    ``node`` is where its pod is bound, else the planned node recorded on the object.
    ``layout`` is the layout recorded on the object, None when this version cannot read it.
    ``wish_matches`` tells whether it was made for today's wish, digest and platform: then its
    layout is kept even when the planner would choose another now.
    """

    slot: int
    node: str | None
    gpus: int
    product: str
    manifest_digest: str
    wish_matches: bool
    layout: Layout | None
    bound: bool = False
    leaving: bool = False  # being scaled away: its slot gets no plan

    @property
    def seats(self) -> Seats | None:
        """Where it is, or is planned to be; None: nowhere."""
        return seats_on(self.node, self.gpus)


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """A ModelDeployment as planning sees it. ``model`` is None when no approval holds."""

    key: DeploymentKey
    uid: str
    created: float
    wish: Wish
    model: ApprovedModel | None
    min_replicas: int
    desired: int
    replicas: tuple[ReplicaFacts, ...] = ()
