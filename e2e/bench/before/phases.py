"""The phases of the comparison: each measures one side and adds samples to it."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import Any, Final

from e2e.bench.before.edits import Sightings
from e2e.bench.before.side import Side
from e2e.bench.before.trail import (
    applied_after_owner,
    first_children,
    status_after_children,
    writes_each,
)
from e2e.bench.client import MERGE
from e2e.bench.fleet import DEPLOYMENTS_PATH, wish_name
from e2e.bench.floor import CHILDREN
from e2e.bench.numbers import percentile
from e2e.cluster.wait import wait_for_async
from e2e.stage.stage import TEAM

__all__ = ["cold", "delete_all", "edit", "empty", "look_at_rest", "memory"]

_ADMIN: Final = "escadre-test-admin"
_SPACING_SECONDS: Final = 0.25
_OURS: Final = "app.kubernetes.io%2Fmanaged-by%3Descadre"
_MINIMUM_TWO: Final = json.dumps({"spec": {"scaling": {"minReplicas": 2}}}).encode()


async def empty(side: Side) -> None:
    """The operator without a deployment: what its memory begins with."""
    await side.start()
    side.note("memoryBase", side.operator.memory()[0])
    side.operator.stop()


async def cold(side: Side, prefix: str) -> None:
    """All wishes stand and the operator starts; its writes, and its CPU until it is at rest."""
    mark = side.audit.mark()
    found = await side.measure.cold()
    side.note(f"{prefix}Seconds", found["coldSeconds"])
    side.note(f"{prefix}CpuToLastChild", found["coldCpuSeconds"])
    side.note(f"{prefix}Cpu", side.operator.cpu_seconds())
    writes = side.audit.writes(mark)
    for kind, each in writes_each(writes, side.fleet.count).items():
        side.note(f"{prefix}{kind.capitalize()}", each)
    late = status_after_children(writes, await _volumes(side))
    side.note(f"{prefix}StatusAfterChildren", max(late.values()))
    side.note(f"{prefix}StatusAfterChildrenP50", percentile([*late.values()], 0.5))
    side.operator.stop()


async def look_at_rest(side: Side, name: str, seconds: float) -> None:
    """Its share of a core while nothing happens."""
    mark, cpu, began = side.audit.mark(), side.operator.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    used = side.operator.cpu_seconds() - cpu
    side.note(name, 100 * used / (time.monotonic() - began))
    side.note("restWrites", len(side.audit.writes(mark)))


def memory(side: Side, name: str) -> None:
    """What each deployment adds, in kB, to what an operator without any holds."""
    more = side.operator.memory()[0] - side.samples["memoryBase"][-1]
    side.note(name, 1000 * more / side.fleet.count)


async def edit(side: Side, suffix: str, numbers: Sequence[int]) -> None:
    """``minReplicas`` 1 to 2: to the first child written, and to a status of that generation."""
    mark = side.audit.mark()
    names = [wish_name(number) for number in numbers]
    async with Sightings(side.client) as seen:
        for name in names:
            answer = await side.client.send(
                "PATCH", f"{DEPLOYMENTS_PATH}/{name}", _MINIMUM_TWO, MERGE
            )
            seen.expect(name, json.loads(answer)["metadata"]["generation"], time.time())
            await asyncio.sleep(_SPACING_SECONDS)
        await wait_for_async(seen.complete, 120, "a status of each edit's generation")
    side.note(f"editStatus{suffix}", *seen.waits())
    await side.rest()
    edited = {
        one.name: one
        for one in side.audit.entries(mark, user=_ADMIN)
        if one.resource == "modeldeployments" and one.verb == "patch"
    }
    since = {name: one.received for name, one in edited.items()}
    first = first_children(side.audit.writes(mark), since)
    if missing := [name for name in names if name not in first]:
        raise AssertionError(f"edited, and no child written: {', '.join(missing[:5])}")
    side.note(f"editChild{suffix}", *(max(0.0, first[name] - edited[name].done) for name in names))


async def delete_all(side: Side) -> None:
    """Every wish deleted, one by one: until they and all that was theirs are gone."""
    volumes = await _volumes(side)
    mark, began = side.audit.mark(), time.monotonic()
    await side.client.each(
        [("DELETE", f"{DEPLOYMENTS_PATH}/{wish_name(number)}", b"", "")]
        for number in range(side.fleet.count)
    )
    left = [f"{DEPLOYMENTS_PATH}?limit=1"]
    children = [*CHILDREN.values(), "api/v1/namespaces/{namespace}/pods"]
    left += [f"/{one.format(namespace=TEAM)}?limit=1&labelSelector={_OURS}" for one in children]

    async def gone() -> bool:
        while left and not (await side.client.get(left[0]))["items"]:
            left.pop(0)
        return not left

    deadline = max(900, side.fleet.count)
    await wait_for_async(gone, deadline, "all deployments and what was theirs to be gone")
    side.note("deleteSeconds", time.monotonic() - began)
    await side.rest()
    late = applied_after_owner(side.audit.entries(mark), volumes)
    side.note("deleteLate", len(late))
    for one in late[:5]:
        print(f"    applied after its owner was gone: {one.what}")


async def _volumes(side: Side) -> dict[str, str]:
    """The wish of each volume, by the claim that it is for."""
    found: list[dict[str, Any]] = (await side.client.get("/api/v1/persistentvolumes"))["items"]
    claims = {one["metadata"]["name"]: one["spec"]["claimRef"]["name"] for one in found}
    wishes = {name: re.search(r"model-\d{4}", claim) for name, claim in claims.items()}
    return {name: match.group() for name, match in wishes.items() if match}
