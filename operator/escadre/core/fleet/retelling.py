"""The states of pulls with the numbers of now: a plan stands while a pull goes on. Pure.

state/gather.py asks for the status of a deployment, the command line for its views.
"""

from collections.abc import Iterable, Mapping

from escadre.api.deployment import WeightsOnNode
from escadre.core.facts.node import NodeFacts

__all__ = ["newer_words", "retold"]


def retold(
    weights: Iterable[WeightsOnNode], nodes: Mapping[str, NodeFacts]
) -> tuple[WeightsOnNode, ...]:
    """The same states with the numbers of now."""
    return tuple(_retold(one, nodes.get(one.node)) for one in weights)


def _retold(one: WeightsOnNode, node: NodeFacts | None) -> WeightsOnNode:
    state = node.weights.get(one.manifest_digest) if node else None
    if state is None or one.state != "Pulling" or state.state != "Pulling":
        return one
    numbers = state.progress.numbers()
    numbers["bytes_total"] = numbers["bytes_total"] or one.bytes_total
    message = newer_words(one.message, state.message)
    return one.model_copy(update={**numbers, "reason": state.reason, "message": message})


def newer_words(told: str, agent: str) -> str:
    """The agent's words, with what the plan has added to the same words: whose pull goes first."""
    return told if agent and told.startswith(agent) else agent
