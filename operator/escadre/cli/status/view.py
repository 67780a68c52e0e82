"""What `escadre status` prints: ModelDeployments in, rich renderables and JSON out. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre import reasons
from escadre.api.base import Condition
from escadre.api.deployment import LayoutStatus, RejectedLayout, ReplicaStatus
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.leader import Leader
from escadre.cli.shared.marks import State, heading, mark, state_of, styled
from escadre.cli.shared.scalingview import scaling_view
from escadre.cli.shared.tables import grid
from escadre.cli.shared.weightsview import weights_table
from escadre.cli.shared.words import bytes_text, count, short_digest, since, tokens
from escadre.core.engines.shape import shape_of
from escadre.core.status.conditions import TRUE_IS_BAD
from escadre.names import ConditionType

__all__ = [
    "arithmetic",
    "conditions_table",
    "detail",
    "layout_table",
    "leader_line",
    "overview",
    "summary",
]

_TRUE_IS_WORK = {ConditionType.RECONCILING}
# They repeat the condition that does not hold.
_SUMMARIES = {ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED}
_REPLICA_STATES: dict[str, State] = {
    "Ready": "ok",
    "Loading": "working",
    "Draining": "working",
    "Pending": "working",
    "NotResponding": "working",
    "Failing": "blocked",
}


def overview(deployments: Sequence[Deployed], *, namespaces: bool) -> Table:
    """One line per deployment, as `kubectl get mdep` has them."""
    titles = ["NAME", "READY", "MODEL", "LAYOUT", "REPLICAS", "REASON"]
    columns = ["NAMESPACE", *titles] if namespaces else titles
    table = grid(*columns, shorten=({"MODEL": 5}, {"LAYOUT": 6}, {"NAMESPACE": 8, "NAME": 8}))
    for each in deployments:
        ready, plan, replicas = each.ready, each.status.plan, each.status.replicas
        cells: list[RenderableType] = [
            each.name,
            styled(ready.status if ready and each.judged else "Unknown"),
            each.model.rpartition("/")[2] or "-",
            plan.summary if plan else "-",
            replicas.summary if replicas else "-",
            (ready.reason if ready else reasons.PENDING).name,
        ]
        table.add_row(*([each.namespace, *cells] if namespaces else cells))
    return table


def leader_line(leader: Leader, now: float) -> Text:
    """Whether somebody looks after all this: a status is as old as the last operator."""
    states: dict[str, State] = {"leads": "ok", "nobody": "blocked", "unknown": "unknown"}
    line = mark(states[leader.standing]).append_text(Text(f" operator: {leader.words(now)}"))
    if leader.standing == "nobody":
        line.append(". What stands below is what the last one wrote: escadre why NAME")
    return line


def summary(each: Deployed) -> dict[str, Any]:
    """The JSON of one deployment: the columns, and the whole status as the API has it."""
    ready = each.ready
    return {
        "namespace": each.namespace,
        "name": each.name,
        "ready": each.is_ready,
        "reason": (ready.reason if ready else reasons.PENDING).name,
        "message": ready.message if ready else "",
        "status": each.status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def detail(each: Deployed, now: float) -> Group:
    """Everything about one deployment."""
    status = each.status
    parts: list[RenderableType] = [_header(each), Text(), conditions_table(each, now)]
    if status.plan:
        title = f"Layout  {layout_title(status.plan)}"
        parts += [Text(), heading(title), _layout_of(each, status.plan)]
    if status.weights:
        parts += [Text(), heading("Weights"), weights_table(status.weights)]
    if status.replicas:
        title = f"Replicas  {status.replicas.summary}"
        parts += [Text(), heading(title)]
        if status.replicas.items:
            parts.append(_replicas_table(status.replicas.items, known=not _unread(each)))
    if scaling := scaling_view(each.spec, status, now):
        parts += [Text(), *scaling]
    return Group(*parts)


def _header(each: Deployed) -> Group:
    ready = each.ready
    title = heading(f"{each.namespace}/{each.name}  ")
    title.append_text(styled(ready.status if ready else "Unknown"))
    title.append(f"  {ready.reason}" if ready else "")
    return Group(title, _facts(each))


def _facts(each: Deployed) -> Table:
    status = each.status
    table = grid("", "")
    if each.problem:
        table.add_row("unreadable", each.problem)
    if not each.judged:
        seen = max(status.observed_generation, 0)
        table.add_row("stale", f"generation {each.generation}, the operator saw {seen}")
    if status.approval:
        served = status.approval
        table.add_row("model", f"{served.repository} @ {short_digest(served.revision)}")
        table.add_row("weights", short_digest(served.manifest_digest))
        table.add_row("approval", served.name)
    if status.url:
        table.add_row("url", status.url)
    return table


def conditions_table(each: Deployed, now: float) -> Table:
    """The conditions with their age and message."""
    table = grid("", "CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE")
    for one in each.status.conditions:
        age = since(one.last_transition_time, now)
        words = _words(one, each.status.conditions)
        table.add_row(mark(_state(one)), one.type, styled(one.status), one.reason.name, age, words)
    return table


def _words(one: Condition, all_of_them: Sequence[Condition]) -> str:
    """The message and the next step; what another condition says in full is pointed to."""
    if one.type in _SUMMARIES and (source := _told_by(one, all_of_them)):
        return f"see {source}"
    return f"{one.message}\nnext: {one.next_step}" if one.next_step else one.message


def _told_by(one: Condition, all_of_them: Sequence[Condition]) -> str:
    """The condition that says the same as a summary, "" without one; Ready is the last resort."""
    same = [other.type for other in all_of_them if other.message == one.message != ""]
    leaves = [type_ for type_ in same if type_ not in _SUMMARIES]
    ready = [type_ for type_ in same if type_ == ConditionType.READY != one.type]
    return next(iter([*leaves, *ready]), "")


def _state(one: Condition) -> State:
    if one.status == "True":
        bad: State = "blocked" if one.type in TRUE_IS_BAD else "ok"
        return "working" if one.type in _TRUE_IS_WORK else bad
    if one.status == "False":
        return state_of(one.reason)
    # Looked at, but nothing to judge before another condition holds; the message says which.
    return "unknown" if one.reason == reasons.PENDING else "waiting"


def layout_title(layout: LayoutStatus) -> str:
    """The layout in short, and what it would be if the spec did not bind it."""
    instead = layout.without_override
    return f"{layout.summary} (without spec.layout: {instead})" if instead else layout.summary


def _layout_of(each: Deployed, layout: LayoutStatus) -> Table:
    target = each.spec.scaling.target_queue_depth if each.spec else None
    return layout_table(layout, layout.rejected, target)


def layout_table(
    layout: LayoutStatus | None, rejected: Sequence[RejectedLayout], target: int | None
) -> Table:
    """The arithmetic of a layout, each line one step that can be checked by hand.

    ``target``: the requests per replica that the spec fixes, None where it fixes none.
    """
    table = grid("", "")
    for title, words in arithmetic(layout, target) if layout else ():
        table.add_row(f"  {title}", words)
    for each in rejected:
        table.add_row("  not", ": ".join(refused(each)))
    return table


def refused(one: RejectedLayout) -> tuple[str, str]:
    """Which layout, and why it would not do."""
    return f"{one.product} {shape_of(one).words}", f"{one.reason}: {one.message}"


def arithmetic(layout: LayoutStatus, target: int | None) -> list[tuple[str, str]]:
    """Each step that can be checked by hand, and its name."""
    memory, capacity = layout.memory, layout.capacity
    cache = bytes_text(memory.key_value_cache_bytes)
    fill = (
        f"{bytes_text(memory.visible_bytes)} visible × {layout.gpu_memory_utilization_percent} % = "
        f"{bytes_text(memory.usable_bytes)} = {bytes_text(memory.weights_bytes)} weights + "
        f"{bytes_text(memory.overhead_bytes)} overhead + {cache} cache"
    )
    wished = max(layout.max_model_len, layout.max_num_seqs * layout.typical_tokens)
    is_room = "=" if wished == capacity.required_tokens else "for"  # windows take less
    room = (
        f"{cache} ÷ {memory.key_value_bytes_per_token:,} bytes per token = "
        f"{tokens(capacity.key_value_tokens)}; needed {capacity.required_tokens:,} {is_room} "
        f"max({layout.max_model_len:,}, {layout.max_num_seqs} × {layout.typical_tokens:,})"
    )
    holds = (
        f"{count(capacity.full_length_requests, 'request')} of {layout.max_model_len:,} tokens, "
        f"or {capacity.typical_requests:,} of {layout.typical_tokens:,}; "
        f"{layout.max_num_seqs} at once"
    )
    if target is not None:
        holds += f", scales at {target} per replica"
    spread = (
        f"{layout.gpus} × {layout.product}: tensor parallel "
        f"{layout.tensor_parallel_size}, pipeline parallel {layout.pipeline_parallel_size}"
    )
    return [("replica", spread), ("one GPU", fill), ("cache", room), ("holds", holds)]


def _unread(each: Deployed) -> bool:
    """Whether the operator cannot read the spec, so that nobody knows what is old."""
    scaling = each.condition(ConditionType.SCALING)
    return scaling is not None and scaling.reason is reasons.INVALID_SPEC


def _replicas_table(items: Sequence[ReplicaStatus], *, known: bool) -> Table:
    columns = ("", "REPLICA", "STATE", "NODE", "INPUTS", "MESSAGE")
    table = grid(*columns, shorten=({"REPLICA": 16, "NODE": 14},))
    for one in items:
        table.add_row(
            mark(_REPLICA_STATES[one.state]),
            one.name,
            one.state,
            one.node or "-",
            ("current" if one.current else "old") if known else "-",
            one.message,
        )
    return table
