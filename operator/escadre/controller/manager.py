"""Workers: take a key from the queue, reconcile it, and file when to look again.

The only place that catches everything: a reconcile that fails is logged, counted and tried again.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from escadre import reasons
from escadre.clients.kube import ApiError, Conflict, TooManyRequests
from escadre.controller.approval import reconcile_approval
from escadre.controller.context import Context
from escadre.controller.deployment import reconcile_deployment
from escadre.controller.fleet import reconcile_fleet
from escadre.controller.keys import Begun, Key
from escadre.controller.mirror import reconcile_mirror
from escadre.controller.node import reconcile_node
from escadre.errors import Retryable
from escadre.machinery.queue import Priority, ShutDown, WorkQueue

__all__ = ["Manager", "Observer", "reconcile"]

# result, kind of key, seconds
Observer = Callable[[str, str, float], None]

_DEADLINE_SECONDS = 120.0
_KEPT_OF = 8  # of so many workers one is kept for what was begun or edited; never the only one


async def reconcile(context: Context, key: Key) -> float | None:
    """One pass over one key; returns in how many seconds to look again."""
    match key.kind:
        case "fleet":
            return await reconcile_fleet(context)
        case "deployment":
            return await reconcile_deployment(context, key)
        case "node":
            return await reconcile_node(context, key.name)
        case "approval":
            return await reconcile_approval(context, key.name)
        case "mirror":
            return await reconcile_mirror(context, key.name)


@dataclass(slots=True)
class Manager:
    """Runs N workers over the queue until it is shut down."""

    context: Context
    queue: WorkQueue[Key]
    workers: int
    observe: Observer

    async def run(self) -> None:
        """Until the queue is shut down."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self._work())

    @property
    def _room(self) -> int:
        """For how many of the workers at a time anything will do.

        A pass that makes children takes seconds while the API server is busy. Should all workers
        have such a one, the status of what was made before would wait for as long.
        """
        return self.workers - (self.workers + _KEPT_OF - 2) // _KEPT_OF

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get(self._room)
            except ShutDown:
                return
            try:
                await self._once(key)
            finally:
                self.queue.done(key)

    async def _once(self, key: Key) -> None:
        log = structlog.get_logger().bind(key=str(key))
        started = time.perf_counter()
        result = "ok"
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                again = await reconcile(self.context, key)
        except Conflict as error:
            result = "conflict"  # the cache was behind; what changed it wakes the key as well
            log.debug("reconcile conflicts", error=str(error), again=self.queue.retry(key))
        except TooManyRequests as error:
            result = "throttled"
            self.queue.add_after(key, max(error.retry_after, 1.0))
            log.warning("API server asks for patience", seconds=error.retry_after)
        except Retryable as error:
            result = "retry"
            delay = self.queue.retry(key)
            if error.delay is not None and error.delay < delay:
                self.queue.add_after(key, error.delay)
            log.info("reconcile waits", why=error.message)
        except (ApiError, TimeoutError) as error:
            result = "error"
            delay = self.queue.retry(key)
            log.warning("reconcile failed", error=str(error) or "deadline passed", again=delay)
        except Exception:
            result = "bug"
            log.exception(
                "reconcile met a case it does not know",
                reason=reasons.INTERNAL_ERROR.name,
                again=self.queue.retry(key),
            )
        else:
            self.queue.forget(key)
            if again is not None:
                begun = isinstance(again, Begun)
                self.queue.add_after(key, again, Priority.BEGUN if begun else Priority.RESYNC)
        self.observe(result, key.kind, time.perf_counter() - started)
