"""The status of one ModelDeployment from what a pass saw and did, and events for what turned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from escadre.controller.context import Context
from escadre.controller.execute import Executor
from escadre.controller.passes import Pass
from escadre.controller.statuswriter import Pace, draft_of, write_draft
from escadre.core.approvals.verdict import iso
from escadre.core.replicas.steps import Problem
from escadre.core.scaling.history import joined
from escadre.core.scaling.policy import Decision
from escadre.core.scaling.step import Scalable, step
from escadre.core.status.build import answer
from escadre.core.status.conditions import Leaf
from escadre.core.status.facts import StatusFacts
from escadre.core.status.moments import passing
from escadre.core.status.news import News, news_of_deeds, news_of_turns, turns_of
from escadre.render.service import url
from escadre.state.demand import windows_of
from escadre.state.engines import engine_seen
from escadre.state.lines import line_of, patience_of

__all__ = ["report", "tell"]


async def report(context: Context, this: Pass, problems: Sequence[Problem]) -> float | None:
    """Writes the status if it changed; returns seconds after which what waits may be written."""
    told, view = answer(_facts(context, this, problems)), this.view
    pace = Pace(told.essence, passing=passing(view.told.conditions, told.leaves))
    draft = draft_of(context, view, told.status, pace)
    if not draft.soon:
        _tell_turns(context, this, told.leaves)
        await write_draft(context, context.caches.deployments, view, draft)
    return draft.left


def _facts(context: Context, this: Pass, problems: Sequence[Problem]) -> StatusFacts:
    view, approval, plan = this.view, this.approval, this.plan
    scaled, seen = context.memory.scaled.get(view.uid), this.sight.scalable(view)
    blocking = [one for one in problems if one.blocks_serving]
    problem = next(iter([*blocking, *problems]), None)
    decision = scaled.decision if scaled else _first_decision(context, seen, this.sight.now)
    return StatusFacts(
        generation=view.generation,
        url=url(this.owner),
        approved=approval.approved,
        approval_reason=approval.reason,
        approval_message=approval.message,
        model=approval.model,
        plan=replace(plan, weights=this.sight.retold(plan.weights)),
        target=seen.target,
        rollout=this.steps.rollout,
        replicas=tuple(
            line_of(one, context.caches, this.approval.model, this.sight.now)
            for one in this.observed
        ),
        desired=plan.facts.desired,
        min_replicas=view.spec.scaling.min_replicas if view.spec else 1,
        decision=decision,
        changes=joined(view.told.changes, scaled.changes if scaled else ()),
        problem=(problem.reason, problem.message) if problem else None,
        unreachable=bool(blocking),
        previous=view.told,
        now=iso(context.now()),
        patience=patience_of(context.settings),
        engine=engine_seen(this.observed, context.memory.versions, context.gather.engine),
        bounds=seen.bounds,
        scaling=view.scaling if decision is None else None,
    )


def _first_decision(context: Context, seen: Scalable, now: float) -> Decision | None:
    """What is to be said of scaling before the demand loop has come by for the first time."""
    if seen.told is not None:
        return None  # as it was told before
    return step(None, seen, (), windows_of(context.settings.scaling), now).decision


def tell(context: Context, this: Pass, executor: Executor) -> None:
    """Events for what was done; that a new deployment gets its replicas goes without saying."""
    known = this.view.told.desired is not None
    deeds = news_of_deeds(
        this.view.name,
        this.steps.rollout,
        executor.slots if known else frozenset(),
        executor.applier.changed,
        stood=bool(this.view.told.replicas),
    )
    _record(context, this, deeds)


def _tell_turns(context: Context, this: Pass, leaves: Sequence[Leaf]) -> None:
    """Events for the conditions that turned since the last pass told of them."""
    uid, known = this.view.uid, context.memory.told
    stored, now = turns_of(this.view.told.conditions), turns_of(leaves)
    before = known.pop(uid, stored)
    if now != stored:  # else the status remembers it
        known[uid] = now
    _record(context, this, news_of_turns(before, leaves))


def _record(context: Context, this: Pass, news: Iterable[News]) -> None:
    for one in news:
        context.recorder.record(
            this.about,
            one.reason,
            one.message,
            warning=one.warning,
            done=one.done,
            topic=one.topic,
        )
