"""Writes the page that shows a ModelDeployment beside everything the operator makes of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml
from tests.render.objects import with_middleware_in_a_word

from escadre.names import (
    ANNOTATION_INPUTS,
    ANNOTATION_TEMPLATE,
    NODE_LABEL_PREFIX,
)

__all__ = ["page"]

Json = dict[str, Any]
_INTRODUCTION: Final = """\
# This ModelDeployment → these objects

Written by a test that runs the whole operator (`tests/golden/`); it fails when the operator makes
something else. Two nodes with eight H100 each, the approval signed, the weights pulled, the first
replica ready. Left out: uids, versions and times that the API server adds, and the statuses of
objects that other controllers write.

## What the team applies
"""
# In the order in which they are written, with what each is for.
_WORDS: Final[Mapping[str, str]] = {
    "Service": """\
The endpoint. Only pods with the label `escadre.dev/serving` get requests: a replica that leaves
loses the label first and finishes what it has.""",
    "NetworkPolicy": """\
Nothing out; in from the own namespace, from the operator that reads the queue, and from namespaces
the platform names.""",
    "PodDisruptionBudget": """\
A node drain takes one replica at a time; one that does not serve is no hindrance.""",
    "PersistentVolume": """\
The gate: it lies only on nodes whose label says that the weights are verified, and is mounted
read-only.""",
    "PersistentVolumeClaim": """\
Ties that volume to the namespace. Its size is nominal: the bytes lie on the node already.""",
    "Deployment": """\
One per replica, of one pod. The first annotation is what the replica was made from: only when that
changes the pod is replaced. The second is the pod as it was rendered then.""",
}
_SHORT: Final = "(the JSON of spec.template)"


def page(wish: str, made: Mapping[str, Sequence[Json]]) -> str:
    """The whole page; ``wish`` is the text that was applied."""
    return "\n".join([_INTRODUCTION, _block(wish.rstrip("\n")), *_children(made), *_others(made)])


def _children(made: Mapping[str, Sequence[Json]]) -> Iterator[str]:
    yield "## What the operator makes of it\n"
    for kind, words in _WORDS.items():
        for one in made[kind]:
            yield f"### {kind} `{one['metadata']['name']}`\n\n{words}\n"
            yield _block(_yaml(_readable(one)))


def _others(made: Mapping[str, Sequence[Json]]) -> Iterator[str]:
    yield "## What it writes elsewhere\n"
    yield "Into the GPUNode of the chosen node, for its agent: the weights to hold.\n"
    yield from (_block(_yaml({"spec": one["spec"]})) for one in made["GPUNode"] if _wanted(one))
    yield "Onto that Node, once its agent has verified them:\n"
    yield from (_block(_yaml({"metadata": {"labels": labels}})) for labels in _labels(made["Node"]))
    yield "## What it says\n\nThe status of the ModelDeployment:\n"
    yield from (_block(_yaml({"status": one["status"]})) for one in made["ModelDeployment"])


def _wanted(gpunode: Json) -> bool:
    return bool(gpunode["spec"].get("weights"))


def _labels(nodes: Sequence[Json]) -> Iterator[Json]:
    for node in nodes:
        labels = node["metadata"]["labels"].items()
        if own := {key: value for key, value in labels if key.startswith(NODE_LABEL_PREFIX)}:
            yield own


def _readable(one: Json) -> Json:
    """The object with its inputs as YAML, and the copy of its template told in a word."""
    notes = dict(one["metadata"].get("annotations") or {})
    if ANNOTATION_TEMPLATE not in notes:
        return one
    assert json.loads(notes[ANNOTATION_TEMPLATE]) == one["spec"]["template"]
    notes[ANNOTATION_TEMPLATE] = _SHORT
    notes[ANNOTATION_INPUTS] = json.loads(notes[ANNOTATION_INPUTS])
    spec = {**one["spec"], "template": with_middleware_in_a_word(one["spec"]["template"])}
    return {**one, "metadata": {**one["metadata"], "annotations": notes}, "spec": spec}


def _yaml(value: Json) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).rstrip("\n")


def _block(text: str) -> str:
    return f"```yaml\n{text}\n```\n"
