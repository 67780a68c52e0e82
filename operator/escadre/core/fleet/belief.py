"""What the operator believes of a node's agent, and which weight labels follow from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from escadre import reasons
from escadre.api.gpunode import GPUNodeStatus
from escadre.core.facts.node import Unbelieved, WeightState
from escadre.names import NODE_LABEL_PREFIX, NODE_LABEL_PRODUCT, node_weights_label
from escadre.reasons import Reason

__all__ = ["AgentView", "NodeBelief", "believe", "label_changes"]

AGENT_GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AgentView:
    """The agent's pod on the node, from the API server.

    ``unready_since`` is when it stopped being Ready (seconds since the epoch), None while Ready.
    """

    ready: bool
    unready_since: float | None


@dataclass(frozen=True, slots=True)
class NodeBelief:
    """What is believed. ``recheck`` is in how many seconds an answer may change by itself."""

    verified: frozenset[str]
    weights: Mapping[str, WeightState]
    unbelieved: Unbelieved | None = None
    recheck: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether the report counts."""
        return self.unbelieved is None


def believe(
    *,
    node_uid: str,
    boot_id: str,
    status: GPUNodeStatus,
    agent: AgentView,
    now: float,
) -> NodeBelief:
    """Believes a report only if it is of this node, this boot and the store it was verified in.

    An empty boot id never matches. An agent that is not Ready is believed for 60 s more: its pod
    restarts in an upgrade, and the weights do not go away with it.
    """
    if not status.boot_id:
        return _nothing(reasons.AGENT_NOT_READY, "its agent has not reported yet")
    if status.boot_id != boot_id or status.node_uid != node_uid:
        return _nothing(
            reasons.NODE_IDENTITY_MISMATCH,
            f"its agent reports node {status.node_uid or '-'} boot "
            f"{status.boot_id}, the node is {node_uid} boot {boot_id or '-'}",
        )
    recheck = None
    if not agent.ready:
        since = agent.unready_since if agent.unready_since is not None else 0.0
        left = since + AGENT_GRACE_SECONDS - now
        if left <= 0:
            return _nothing(
                reasons.AGENT_NOT_READY,
                f"its agent has not been ready for more than {AGENT_GRACE_SECONDS:.0f} s",
            )
        recheck = left
    weights = {
        entry.manifest_digest: WeightState(
            state=entry.state,
            progress=entry,
            mirror=entry.mirror,
            reason=entry.reason,
            message=entry.message,
            behind=entry.behind,
        )
        for entry in status.weights
        if entry.store_id and entry.store_id == status.store_id
    }
    verified = frozenset(digest for digest, one in weights.items() if one.state == "Verified")
    return NodeBelief(verified, weights, recheck=recheck)


def _nothing(reason: Reason, message: str) -> NodeBelief:
    return NodeBelief(frozenset(), {}, Unbelieved(reason, message))


def label_changes(
    labels: Mapping[str, str], verified: Iterable[str], product: str = ""
) -> dict[str, str | None]:
    """Merge patch for the node's labels: only keys of our prefix, None removes.

    ``product`` is what only the agent tells of the GPUs, "" where that is no matter.
    """
    wanted = {node_weights_label(digest): "verified" for digest in verified}
    if product:
        wanted[NODE_LABEL_PRODUCT] = product
    ours = {key: value for key, value in labels.items() if key.startswith(NODE_LABEL_PREFIX)}
    changes: dict[str, str | None] = {
        key: value for key, value in wanted.items() if ours.get(key) != value
    }
    changes.update({key: None for key in ours if key not in wanted})
    return changes
