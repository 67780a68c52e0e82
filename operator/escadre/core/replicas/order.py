"""In which order a change of the platform reaches the deployments: one at a time.

The engine's image or flags may be bad, and nobody knows before an engine started with them. So
replicas that only such a change outdated are replaced in one deployment, and in the next when that
one serves on them. The first that fails holds the rest; a further change begins anew. Edits of a
deployment's own are not held, and what serves nothing has nothing to lose.

Everything follows from what is seen now, so a restart forgets nothing: which replicas are on
today's platform and how these do. Who has begun goes on. Then whoever loses least by a bad change:
deployments that serve nothing, those that still serve with one replica less (fewest replicas
first), then those with one replica. Pure; controller/fleet.py asks, core/replicas/rollout.py obeys.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from escadre import reasons
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.replicas.rollout import Hold, ReplicaView, Target, may_go
from escadre.reasons import Reason
from escadre.reasons.said import Said, say

__all__ = ["Member", "Order", "Standing", "plan_order", "standing_of"]

# A new pod that nothing takes so long, after the pod before had to have left its GPUs, will not
# come by waiting: its place is gone, or was asked for by the change.
_UNPLACED_SECONDS: Final = 600.0


class Member(NamedTuple):
    """A replica with what its slot is given; ``since`` is when its pod was made, if it has one."""

    name: str
    view: ReplicaView
    target: Target
    since: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deployment stands towards today's platform.

    ``behind`` replicas could be replaced for it now, ``begun`` where one is on its way;
    ``starting`` is one on it that is not ready though it is needed, ``failing`` one that exits.
    From ``late`` on, in seconds since the epoch, the one that starts counts as failed, after
    ``patience`` seconds without a node.
    """

    key: DeploymentKey
    replicas: int
    serving: int
    behind: int = 0
    begun: bool = False
    starting: str = ""
    failing: str = ""
    late: float | None = None
    patience: float = _UNPLACED_SECONDS

    @property
    def matters(self) -> bool:
        """Whether the order depends on it."""
        return bool(self.behind or self.starting or self.failing)

    def failed(self, now: float) -> bool:
        """Whether today's platform does not work here."""
        return bool(self.failing) or (self.late is not None and self.late <= now)

    @property
    def rank(self) -> tuple[bool, bool, bool, int, DeploymentKey]:
        """Its place in the queue."""
        alone = self.serving == 1
        return (not self.begun, self.serving > 0, alone, self.replicas, self.key)


def standing_of(
    key: DeploymentKey, needed: int, members: Iterable[Member], drain_seconds: float = 0.0
) -> Standing:
    """The standing of a deployment whose approval holds, by its replicas that stay.

    A pod may take ``drain_seconds`` to leave its GPUs to the next.
    """
    staying = [one for one in members if not one.view.terminating]
    serving = sum(one.view.answers for one in staying)
    behind = [one for one in staying if one.view.behind and may_go(one.view, one.target)]
    today = [one for one in staying if one.view.current]
    coming = [one for one in today if _comes(one)]
    short = coming[0] if coming and serving < needed else None
    unplaced = short is not None and short.view.state == "Pending" and short.since is not None
    patience = _UNPLACED_SECONDS + drain_seconds
    return Standing(
        key,
        replicas=len(staying),
        serving=serving,
        behind=len(behind),
        begun=any(one.view.drain for one in behind) or bool(behind and today),
        starting=short.name if short else "",
        failing=next((one.name for one in today if one.view.state == "Failing"), ""),
        late=(short.since or 0.0) + patience if short and unplaced else None,
        patience=patience,
    )


def _comes(one: Member) -> bool:
    """Whether a replica is on its way; one without a node waits for GPUs, whoever asks for them."""
    return one.view.state not in {"Ready", "Failing"} and one.target.node is not None


@dataclass(frozen=True, slots=True)
class Order:
    """Who may go.

    ``made_for`` has the standings that matter; ``again`` is in how many seconds time alone may
    change it. ``waits``: some of them are behind.
    """

    first: DeploymentKey | None = None
    reason: Reason = reasons.PLATFORM_CHANGE_QUEUED
    message: Said = field(default_factory=lambda: say("whose turn it is is being decided"))
    made_for: Mapping[DeploymentKey, Standing] = field(default_factory=dict)
    again: float | None = None
    waits: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "waits", any(one.behind for one in self.made_for.values()))

    def hold(self, key: DeploymentKey) -> Hold | None:
        """What holds replicas of a deployment that are behind; None: it is its turn."""
        return None if key == self.first else Hold(self.reason, self.message)

    def stands(self, now: Standing) -> bool:
        """Whether it fits a deployment as that is now."""
        if not self.waits and not now.behind:
            return True  # nobody waits: how replicas do decides nothing
        return self.made_for.get(now.key) == (now if now.matters else None)


def plan_order(standings: Iterable[Standing], now: float) -> Order:
    """The order among all deployments whose approval holds."""
    known = {one.key: one for one in standings if one.matters}
    if not any(one.behind for one in known.values()):
        return Order(made_for=known)
    ends = [one.late - now for one in known.values() if one.late is not None and one.late > now]
    again = min(ends, default=None)
    ranked = sorted(known.values(), key=lambda one: one.rank)
    failed = [one for one in ranked if one.failed(now)]
    if failed:
        return Order(failed[0].key, reasons.PLATFORM_CHANGE_HELD, _held(failed[0]), known, again)
    first = next((one for one in ranked if one.starting), ranked[0])
    return Order(first.key, reasons.PLATFORM_CHANGE_QUEUED, _queued(first), known, again)


def _held(one: Standing) -> Said:
    name, namespace = one.key.name, one.key.namespace
    what = say("replica {name} exits", name=one.failing) if one.failing else _unplaced(one)
    return say(
        "the platform's change does not work for {who}: {what}; "
        "escadre why {name} -n {namespace} says more",
        who=f"{namespace}/{name}",
        what=what,
        name=name,
        namespace=namespace,
    )


def _unplaced(one: Standing) -> Said:
    return say(
        "replica {name} has no node after {seconds:.0f} s",
        name=one.starting,
        seconds=one.patience,
    )


def _queued(one: Standing) -> Said:
    who = f"{one.key.namespace}/{one.key.name}"
    if one.starting:
        return say("{who} goes first: replica {name} is starting", who=who, name=one.starting)
    return say("{who} goes first", who=who)
