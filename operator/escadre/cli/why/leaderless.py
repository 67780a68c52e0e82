"""The chain while no operator leads: what the last one wrote, and nothing of it certain. Pure."""

from dataclasses import replace

from escadre import reasons
from escadre.cli.shared.leader import Leader
from escadre.cli.why.advice import Advice
from escadre.cli.why.chain import Chain
from escadre.cli.why.link import Link

__all__ = ["leaderless"]


def leaderless(chain: Chain, leader: Leader, now: float) -> Chain:
    """The chain below the link that blocks before all others."""
    reason = reasons.NO_OPERATOR_LEADS
    words = f"{leader.words(now)}. What stands below is what the last one wrote."
    operator = Link("operator", "blocked", words, reason=reason)
    doubted = tuple(replace(link, state="unknown") for link in chain.links)
    advice = Advice(
        next_step=reason.next_step,
        who=reason.who,
        look_at=f"kubectl -n {leader.namespace} get pods,events",
    )
    return Chain((operator, *doubted), operator, advice)
