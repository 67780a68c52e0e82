"""Measures the running operator: cold start, restart, edits, deleted children, memory."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from e2e.bench.client import MERGE, BareClient
from e2e.bench.fleet import DEPLOYMENTS_PATH, Fleet, wish_name
from e2e.bench.floor import CHILDREN
from e2e.bench.numbers import percentile
from e2e.bench.process import OperatorProcess
from e2e.cluster.audit import OPERATOR, AuditLog, Entry
from e2e.cluster.wait import wait_for_async
from e2e.stage.stage import TEAM

__all__ = ["Measure"]

_QUIET_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.5
_SPACING_SECONDS: Final = 0.25
# Children that a person may delete and that come back by themselves; not volumes and claims.
_HEALED: Final = ("services", "networkpolicies", "poddisruptionbudgets", "deployments")
_ADMIN: Final = "escadre-test-admin"


class Measure:
    """One phase after the other; each leaves the operator running and at rest."""

    def __init__(
        self, fleet: Fleet, operator: OperatorProcess, client: BareClient, audit: AuditLog
    ) -> None:
        self._fleet = fleet
        self._operator = operator
        self._client = client
        self._audit = audit

    async def cold(self) -> dict[str, Any]:
        """All wishes stand: from leadership to the last child, then to all claims bound."""
        mark = self._audit.mark()
        self._operator.start()
        leading = await asyncio.to_thread(self._operator.wait_said, "leading", 60)
        wanted = self._fleet.count * len(CHILDREN)
        deadline = max(600.0, self._fleet.count)
        last = await self._until(
            mark, _is_new_child, wanted, deadline, "all children to be applied"
        )
        cpu = self._operator.cpu_seconds()
        bound = await self.reach(self._fleet.bound, "all claims to be bound")
        ready = await self.reach(self._fleet.ready, "all to be Ready")
        await self.rest()
        writes = self._audit.writes(mark)
        return {
            "coldSeconds": round(last - leading, 2),
            "coldCpuSeconds": round(cpu, 2),
            "coldWrites": len(writes),
            "coldWritesByKind": _by_kind(writes),
            "coldStatusWrites": sum(one.resource == "modeldeployments" for one in writes),
            "claimsBoundSeconds": round(bound - leading, 1),
            "allReadySeconds": round(ready - leading, 1),
        }

    async def restart(self, times: int) -> dict[str, Any]:
        """A graceful restart: from leadership to the end of the first full pass; what it wrote."""
        seconds, writes = [], []
        for _ in range(times):
            self._operator.stop()
            mark = self._audit.mark()
            self._operator.start()
            leading = await asyncio.to_thread(self._operator.wait_said, "leading", 60)
            done = await asyncio.to_thread(self._operator.wait_said, "caught up", 120)
            await asyncio.sleep(_QUIET_SECONDS)  # what comes late counts as well
            seconds.append(done - leading)
            writes += self._audit.writes(mark)
        for one in writes[:10]:
            print(f"    written after a restart: {one.what}")
        return {
            "restartSeconds": round(max(seconds), 2),
            "restartSecondsEach": [round(one, 2) for one in seconds],
            "restartWrites": len(writes),
        }

    async def edit(self, count: int) -> dict[str, Any]:
        """``minReplicas`` 1 -> 2 of every tenth: from the edit's answer to the first write."""
        mark = self._audit.mark()
        body = json.dumps({"spec": {"scaling": {"minReplicas": 2}}}).encode()
        names = [wish_name(number * 10) for number in range(count)]
        for name in names:
            await self._client.send("PATCH", f"{DEPLOYMENTS_PATH}/{name}", body, MERGE)
            await asyncio.sleep(_SPACING_SECONDS)
        await self._until(mark, _is_new_child, count, 60, "the replicas of the edits")
        await self.reach(self._fleet.ready, "all to be Ready after the edits")
        await self.rest()
        edited = {
            one.name: one
            for one in self._audit.entries(mark, user=_ADMIN)
            if one.resource == "modeldeployments" and one.verb == "patch"
        }
        first: dict[str, float] = {}
        for one in self._audit.writes(mark):
            about = _about(one)
            if about in edited and one.received > edited[about].received:
                first[about] = min(first.get(about, one.done), one.done)
        waits = [max(0.0, first[name] - edited[name].done) for name in names]
        return {
            "editToFirstWriteP50Seconds": round(percentile(waits, 0.5), 3),
            "editToFirstWriteP99Seconds": round(percentile(waits, 0.99), 3),
        }

    async def heal(self, count: int) -> dict[str, Any]:
        """Children deleted by hand, of all kinds in turn: from the answer to their creation."""
        mark = self._audit.mark()
        deleted = []
        for number in range(count):
            resource = _HEALED[number % len(_HEALED)]
            name = wish_name(number * 7 % self._fleet.count)
            if resource == "deployments":
                name += "-0"
            await self._client.send(
                "DELETE", f"/{CHILDREN[resource].format(namespace=TEAM)}/{name}"
            )
            deleted.append((resource, name))
            await asyncio.sleep(_SPACING_SECONDS)
        await self._until(mark, _is_new_child, count, 60, "deleted children to come back")
        await self.reach(self._fleet.ready, "all to be Ready after the deletions")
        entries = list(self._audit.entries(mark, keep=lambda one: one.writes))
        gone = {
            (one.resource, one.name): one
            for one in entries
            if one.user == _ADMIN and one.verb == "delete"
        }
        back = {
            (one.resource, one.name): one.done
            for one in entries
            if one.user == OPERATOR and one.code == 201
        }
        # A Service is gone for the watchers before the server has answered: never less than 0.
        healed = [max(0.0, back[key] - gone[key].done) for key in deleted]
        return {
            "healP50Seconds": round(percentile(healed, 0.5), 3),
            "healP99Seconds": round(percentile(healed, 0.99), 3),
        }

    def memory(self) -> dict[str, Any]:
        """Resident memory of the operator."""
        now, peak = self._operator.memory()
        return {"rssMegabytes": round(now, 1), "rssPeakMegabytes": round(peak, 1)}

    async def _until(
        self, mark: int, counts: Callable[[Entry], bool], wanted: int, deadline: float, what: str
    ) -> float:
        """Until so many entries of the operator were seen; when the last of them was done."""
        seen, last = 0, 0.0

        def enough() -> bool:
            nonlocal mark, seen, last
            self._operator.check()
            for entry, behind in self._audit.tail(mark, user=OPERATOR):
                mark = behind
                if counts(entry):
                    seen, last = seen + 1, max(last, entry.done)
            return seen >= wanted

        await wait_for_async(enough, deadline, f"{what} ({wanted})")
        return last

    async def reach(self, count: Callable[[BareClient], Any], what: str) -> float:
        """Until all wishes count; looked at every two seconds, for a look costs the server."""
        end = time.monotonic() + max(900, self._fleet.count)
        while (seen := await count(self._client)) < self._fleet.count:
            self._operator.check()
            if time.monotonic() > end:
                raise AssertionError(f"waiting for {what}: {seen} of {self._fleet.count}")
            await asyncio.sleep(2)
        return time.time()

    async def rest(self, quiet: float = _QUIET_SECONDS) -> None:
        """Until the operator has written nothing for so many seconds."""
        since = time.monotonic()
        end, mark = since + 300, self._audit.mark()
        while time.monotonic() < since + quiet:
            await asyncio.sleep(_LOOK_SECONDS)
            here = self._audit.mark()
            if writes := self._audit.writes(mark):
                since = time.monotonic()
                if since > end:
                    raise AssertionError(f"the operator does not rest: {writes[-1].what}")
            mark = here


def _is_new_child(entry: Entry) -> bool:
    return entry.resource in CHILDREN and entry.code == 201


def _about(entry: Entry) -> str:
    """The wish that a write is about, by the name of its object."""
    found = re.match(r"model-\d{4}", entry.name)
    return found.group() if found else ""


def _by_kind(writes: list[Entry]) -> dict[str, int]:
    """How many writes of each sort."""
    words = (f"{one.verb} {one.resource} {one.subresource}".rstrip() for one in writes)
    found = Counter(f"{each} -> {one.code}" for each, one in zip(words, writes, strict=True))
    return dict(sorted(found.items()))
