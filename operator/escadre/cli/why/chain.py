"""The chain from a wish to a served model, and its first link that does not hold. Pure.

wish → approval → plan → weights → nodes → replicas → serving: each link is one condition of the
ModelDeployment, put into words with its numbers. `escadre why` shows it; whoever wants the same
programmatically reads the conditions, which say nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from escadre.api.base import Condition
from escadre.api.deployment import Layout
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.marks import state_of
from escadre.cli.shared.words import bytes_text, count, short_digest, tokens
from escadre.cli.why.advice import Advice, advise
from escadre.cli.why.link import Link
from escadre.core.listing import listed
from escadre.names import ConditionType

__all__ = ["Chain", "build"]


@dataclass(frozen=True, slots=True)
class Chain:
    """All links, and the first that does not hold (None: the model is served as wished)."""

    links: tuple[Link, ...]
    blocker: Link | None
    advice: Advice | None


def build(each: Deployed) -> Chain:
    """The chain of one deployment."""
    links = [
        _wish(each),
        _link(each, "approval", ConditionType.APPROVED, _approval_text),
        _link(each, "plan", ConditionType.PLANNED, _plan_text, _plan_details),
        _link(each, "weights", ConditionType.WEIGHTS_READY, _weights_text, _weights_details),
        _link(each, "nodes", ConditionType.SCHEDULED, _nodes_text),
        _link(each, "replicas", ConditionType.SERVING, _replicas_text, _replica_details),
        _link(each, "serving", ConditionType.READY, _serving_text),
    ]
    blocker = _blocker(links)
    if blocker is not None:
        at = links.index(blocker)
        links[at + 1 :] = [_after(link, blocker) for link in links[at + 1 :]]
    return Chain(tuple(links), blocker, advise(each, blocker) if blocker else None)


def _blocker(links: Sequence[Link]) -> Link | None:
    """The first link that does not hold; where Ready names a fault, the link of that fault.

    A child that cannot be written is said by Ready alone, and goes before everything else.
    """
    failing = [link for link in links if link.state != "ok"]
    ready = links[-1]
    if ready.state != "blocked" or ready.condition is None or failing[0] is links[0]:
        return failing[0] if failing else None
    reason = ready.condition.reason
    return next(link for link in failing if link.condition and link.condition.reason == reason)


def _after(link: Link, blocker: Link) -> Link:
    """A later link that does not hold either waits for the blocker, unless it failed by itself."""
    if link.state == "ok" or (link.state == "blocked" and not _follows(link, blocker)):
        return link
    return replace(link, state="waiting", text=f"waits for {blocker.step}", details=())


def _follows(link: Link, blocker: Link) -> bool:
    """Whether a failed link only repeats the blocker."""
    if link.condition is None or blocker.condition is None:
        return False
    return link.condition.reason == blocker.condition.reason


def _wish(each: Deployed) -> Link:
    stalled = each.condition(ConditionType.STALLED)
    leaves = {one.reason for one in each.status.conditions if one.type != ConditionType.STALLED}
    if each.spec is None:
        words = f"cannot be read by this program: {each.problem}"
        return Link("wish", "blocked", words, stalled or each.ready)
    if stalled and stalled.status == "True" and stalled.reason not in leaves:
        return Link("wish", "blocked", f"{stalled.reason}: {stalled.message}", stalled)
    if not each.judged:
        return Link(
            "wish",
            "unknown",
            f"the operator has not looked at generation {each.generation} yet",
            each.ready,
        )
    spec, scaling = each.spec, each.spec.scaling
    at_once = f"{spec.concurrency} at once" if spec.concurrency else "as many at once as fit"
    most = count(scaling.max_replicas, "replica")
    span = (
        most
        if scaling.min_replicas == scaling.max_replicas
        else (f"{scaling.min_replicas} to {most}")
    )
    return Link(
        "wish",
        "ok",
        f"approval {spec.approval}, {tokens(spec.context_length)} per request, {at_once}, {span}",
    )


def _link(
    each: Deployed,
    step: str,
    type_: str,
    text: Callable[[Deployed, Condition], str],
    details: Callable[[Deployed], tuple[str, ...]] = lambda _: (),
) -> Link:
    condition = each.condition(type_)
    if condition is None:
        return Link(step, "unknown", "the operator has not said anything about it yet")
    if condition.status == "True":
        return Link(step, "ok", text(each, condition), condition, details(each))
    words = f"{condition.reason}: {condition.message}"
    return Link(step, state_of(condition.reason), words, condition, details(each))


def _approval_text(each: Deployed, condition: Condition) -> str:
    served = each.status.approval
    which = f"{served.repository} @ {short_digest(served.revision)}, " if served else ""
    return which + condition.message


def _plan_text(each: Deployed, condition: Condition) -> str:
    layout = each.status.plan
    return _layout_words(layout) if layout else condition.message


def _plan_details(each: Deployed) -> tuple[str, ...]:
    """What may be wrong with the plan though it holds."""
    odd = each.condition(ConditionType.ENGINE_MISMATCH)
    return (f"{odd.reason}: {odd.message}",) if odd and odd.status == "True" else ()


def _layout_words(layout: Layout) -> str:
    memory, capacity = layout.memory, layout.capacity
    return (
        f"{layout.summary}: on each GPU {bytes_text(memory.weights_bytes)} weights and "
        f"{bytes_text(memory.key_value_cache_bytes)} cache, which "
        f"holds {tokens(capacity.key_value_tokens)}; {capacity.required_tokens:,} needed"
    )


def _weights_text(each: Deployed, condition: Condition) -> str:
    nodes = sorted(one.node for one in each.status.weights if one.state == "Verified")
    if not nodes:
        return condition.message
    return f"verified on {listed(nodes, 6)}"


def _weights_details(each: Deployed) -> tuple[str, ...]:
    return tuple(
        f"{one.node}: {one.state}{_progress(one.bytes_done, one.bytes_total)}"
        + "".join(f": {words}" for words in (one.reason or "", one.message) if words)
        for one in each.status.weights
        if one.state != "Verified"
    )


def _progress(done: int, total: int) -> str:
    if not total or not done:
        return ""
    return f" {100 * done // total} % ({bytes_text(done)} of {bytes_text(total)})"


def _nodes_text(each: Deployed, condition: Condition) -> str:
    replicas = each.status.replicas
    nodes = sorted({one.node for one in replicas.items if one.node}) if replicas else []
    return f"replicas are on {listed(nodes, 6)}" if nodes else condition.message


def _replicas_text(each: Deployed, condition: Condition) -> str:
    replicas = each.status.replicas
    if replicas is None:
        return condition.message
    return (
        f"{replicas.ready} of {replicas.desired} ready, {replicas.current} of them on the "
        "current inputs"
    )


def _replica_details(each: Deployed) -> tuple[str, ...]:
    replicas = each.status.replicas
    return tuple(
        f"{one.name} on {one.node or 'no node'}: {one.state}"
        + (f": {one.message}" if one.message else "")
        for one in (replicas.items if replicas else ())
        if one.state != "Ready"
    )


def _serving_text(each: Deployed, condition: Condition) -> str:
    return f"answers at {each.status.url}" if each.status.url else condition.message
