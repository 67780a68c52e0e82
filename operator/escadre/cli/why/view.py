"""What `escadre why` prints: a chain in, rich renderables and JSON out. Pure."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from escadre import reasons
from escadre.api.base import Condition
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.leader import Leader
from escadre.cli.shared.marks import heading, mark
from escadre.cli.shared.scalingview import scaling_view
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import since, time_text
from escadre.cli.why.chain import Chain
from escadre.cli.why.link import Link
from escadre.names import ConditionType

__all__ = ["document", "view"]


def view(each: Deployed, chain: Chain, leader: Leader, now: float) -> Group:
    """The chain, then the blocker explained."""
    table = grid("", "", "")
    for link in chain.links:
        table.add_row(mark(link.state), link.step, _text(link, chain))
        for line in link.details:
            table.add_row("", "", f"  {line}")
    parts: list[RenderableType] = [heading(_title(each, chain)), Text(), table]
    if chain.blocker and chain.advice:
        parts += [Text(), _explained(chain.blocker, chain, now)]
    scaling = each.status.scaling
    if scaling and (scaling.signal != "Unknown" or each.spec is None):
        parts += [Text(), *scaling_view(each.spec, each.status, now)]
    if leader.standing == "unknown":
        parts += [Text(), Text(f"note: {leader.words(now)}")]
    return Group(*parts)


def _text(link: Link, chain: Chain) -> str:
    """What is explained below is named here: a message stands once."""
    explained = link is chain.blocker and link.condition and link.condition.message in link.text
    return f"{link.cause}: see below" if explained and link.cause else link.text


def _title(each: Deployed, chain: Chain) -> str:
    name = f"{each.namespace}/{each.name}"
    if chain.blocker and chain.blocker.cause is reasons.NO_OPERATOR_LEADS:
        return f"{name}: no operator leads, so nothing of it is certain"
    if chain.blocker is None:
        return f"{name} is ready: every link from the wish to the served model holds"
    if each.is_ready:
        return f"{name} is ready and serves, but {chain.blocker.step} does not hold"
    if chain.blocker.state == "working":
        return f"{name} is not ready yet: work goes on at {chain.blocker.step}"
    if chain.blocker.state == "unknown":
        return f"{name}: the operator has not looked at it yet"
    available = each.condition(ConditionType.AVAILABLE)
    if available and available.status == "True":
        return f"{name} serves, but not as wished: blocked at {chain.blocker.step}"
    return f"{name} is not ready: blocked at {chain.blocker.step}"


def _explained(blocker: Link, chain: Chain, now: float) -> RenderableType:
    table = grid("", "")
    condition = blocker.condition
    if condition and since(condition.last_transition_time, now):
        table.add_row("since", _since(condition, now))
    if blocker.cause:
        table.add_row("reason", blocker.cause.name)
        table.add_row("why", condition.message if condition else blocker.cause.meaning)
    if chain.advice:
        table.add_row("next", chain.advice.next_step)
        table.add_row("who", chain.advice.who)
        table.add_row("look at", chain.advice.look_at)
    return table


def _since(condition: Condition, now: float) -> str:
    """The time is that of the status: a condition that stays False may change its reason."""
    moment = condition.last_transition_time
    return (
        f"{time_text(moment)} ({since(moment, now)} ago): {condition.type} is "
        f"{condition.status} from then on; its reason may be newer"
    )


def document(each: Deployed, chain: Chain, leader: Leader) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "namespace": each.namespace,
        "name": each.name,
        "ready": each.is_ready and leader.standing != "nobody",
        "operator": leader.document(),
        "links": [_link_document(link) for link in chain.links],
        "scaling": each.status.scaling.model_dump(mode="json", by_alias=True, exclude_none=True)
        if each.status.scaling
        else None,
        "blocker": None
        if chain.blocker is None or chain.advice is None
        else {
            **_link_document(chain.blocker),
            "nextStep": chain.advice.next_step,
            "who": chain.advice.who,
            "lookAt": chain.advice.look_at,
        },
    }


def _link_document(link: Link) -> dict[str, Any]:
    condition = link.condition
    return {
        "step": link.step,
        "state": link.state,
        "text": link.text,
        "details": list(link.details),
        "reason": link.cause.name if link.cause else "",
        "message": condition.message if condition else "",
        "since": time_text(condition.last_transition_time) if condition else None,
    }
