"""What belongs to one deployment, and which requests touch it. Used by the upgrade cases.

The cases share a cluster, and what other cases deleted goes on leaving it: claims, volumes and the
labels of weights are written while a case looks, and are none of its business.
"""

import json
from dataclasses import dataclass

from e2e.cases.serving import pods_of
from e2e.cluster.audit import OPERATOR, Entry
from e2e.stage.stage import TEAM, Json, Stage
from escadre.names import node_weights_label, volume_name

__all__ = ["Belongings"]

_IN_PASSING = frozenset({"modeldeployments/status", "events"})


@dataclass(frozen=True, slots=True)
class Belongings:
    """A deployment's pods by uid, the nodes they are on, and which of these hold its weights."""

    name: str
    pods: dict[str, Json]
    nodes: frozenset[str]
    label: str
    held: frozenset[str]
    volumes: str  # how the names of its volumes begin

    @classmethod
    def of(cls, stage: Stage, name: str) -> "Belongings":
        """Now."""
        mdep = stage.mdep(name)
        digest = mdep["status"]["approval"]["manifestDigest"]
        label = node_weights_label(digest)
        pods = pods_of(stage, name)
        nodes = frozenset(pod["spec"]["nodeName"] for pod in pods)
        volume = volume_name(TEAM, name, mdep["metadata"]["uid"], digest)
        return cls(
            name=name,
            pods={pod["metadata"]["uid"]: _what_is_intended(pod) for pod in pods},
            nodes=nodes,
            label=label,
            held=frozenset(node for node in nodes if label in _labels(stage, node)),
            volumes=volume.rpartition("-")[0],
        )

    def is_touched_by(self, one: Entry) -> bool:
        """Whether the operator asked for a change of what belongs to the deployment."""
        if one.user != OPERATOR or not one.writes or one.target in _IN_PASSING:
            return False
        if one.target == "nodes":
            # One write takes away or adds the labels of all weights that came or went.
            return one.name in self.nodes and self.label in _changed_labels(one)
        if one.target == "persistentvolumes":
            return one.name.startswith(self.volumes)
        return one.namespace == TEAM and (one.name == self.name or self._is_child(one.name))

    def _is_child(self, name: str) -> bool:
        return name.startswith(f"{self.name}-") or not name  # without a name it may be any


def _what_is_intended(pod: Json) -> Json:
    """A pod without what its kubelet says of it, but for restarts."""
    meta = pod["metadata"]
    return {
        "labels": meta["labels"],
        "annotations": meta.get("annotations", {}),
        "leaves": "deletionTimestamp" in meta,
        "spec": pod["spec"],
        "restarts": [one["restartCount"] for one in pod["status"]["containerStatuses"]],
    }


def _labels(stage: Stage, node: str) -> Json:
    labels: Json = stage.cluster.get("node", node)["metadata"]["labels"]
    return labels


def _changed_labels(one: Entry) -> Json:
    """The labels that a merge patch of a Node sets or takes away."""
    labels: Json = (json.loads(one.body) or {}).get("metadata", {}).get("labels", {})
    return labels
