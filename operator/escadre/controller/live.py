"""The numbers of a running operator, as its metrics ask for them. Called by controller/run.py."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from escadre.controller.context import Context
from escadre.controller.keys import Key
from escadre.core.scaling.target import requests_of, target_queue_depth
from escadre.machinery.queue import WorkQueue
from escadre.metrics.operator import DeploymentNumbers, Live, WatchNumbers
from escadre.state.deployments import key_of
from escadre.state.views import DeploymentView

__all__ = ["LiveNumbers"]


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """Read from the parts themselves whenever they are asked for."""

    context: Context
    queue: WorkQueue[Key]
    leads: Callable[[], bool]

    def live(self) -> Live:
        """For `OperatorMetrics.watch`."""
        return Live(self._queue, self._watches, self._dropped, self._deployments)

    def _queue(self) -> tuple[int, float]:
        return self.queue.depth, self.queue.oldest_age()

    def _watches(self) -> Iterator[WatchNumbers]:
        now = time.monotonic()
        for one in self.context.caches.all():
            silent = max(0.0, now - one.last_activity)
            yield WatchNumbers(one.resource.kind, one.watch_restarts, one.relists, silent)

    def _dropped(self) -> int:
        return self.context.recorder.dropped

    def _deployments(self) -> Iterator[DeploymentNumbers]:
        """What the leader exports; a standby's would be the same series a second time."""
        if not self.leads():
            return
        for view in self.context.caches.deployments.values():
            scaled = self.context.memory.scaled.get(view.uid)
            decision = scaled.decision if scaled else None
            yield DeploymentNumbers(
                namespace=view.namespace,
                name=view.name,
                desired=view.told.desired or 0,
                ready=view.told.ready,
                loading=view.told.loading,
                capacity=requests_of(decision, self._target(view)),
                age=decision.age if decision else None,
                demand=decision.demand if decision and decision.age is not None else None,
                fullest=decision.fullest if decision else None,
                conditions=tuple(
                    (one.type, one.status, one.reason.name) for one in view.told.conditions
                ),
            )

    def _target(self, view: DeploymentView) -> int | None:
        plan = self.context.memory.plan_of(key_of(view))
        wished = view.spec.scaling.target_queue_depth if view.spec else None
        return target_queue_depth(wished, plan.layout if plan else None)
