"""The operator dies before and after each of its writes: the end is always the same."""

from collections.abc import Callable

import pytest
from tests.controller.operator import Operator
from tests.controller.world import OTHER_DIGEST, World
from tests.fakes.kube_faults import Killed

from escadre.clients.kube import EVENTS, LEASES

SLOTS = {"minReplicas": 2, "maxReplicas": 2}


def _fresh(world: World) -> None:
    world.approve()
    world.deploy(scaling=SLOTS)


def _rollout(world: World) -> None:
    world.approve("newer", digest=OTHER_DIGEST)
    world.deploy(approval="newer")


def _shrink(world: World) -> None:
    world.deploy(scaling={"minReplicas": 1, "maxReplicas": 1})


Change = Callable[[World], None]
HISTORIES: dict[str, tuple[Change, ...]] = {
    "a deployment comes to life": (_fresh,),
    "new weights roll out": (_fresh, _rollout),
    "replicas are scaled away": (_fresh, _shrink),
}


async def _live_through(
    changes: tuple[Change, ...], kill: tuple[int, str] | None
) -> tuple[World, int]:
    """Applies the changes; the last one with a kill. Returns the world and the writes it took."""
    world = World(nodes=1, gpus=2)
    operator = Operator.start(world)
    for change in changes[:-1]:
        change(world)
        await operator.settle()
    changes[-1](world)
    operator = Operator.start(world)
    if kill is not None:
        operator.api.kill_at(kill[0], kill[1])  # type: ignore[arg-type]  # Literal from a table
        with pytest.raises(Killed):
            await operator.settle()
        operator = Operator.start(world)
    await operator.settle()
    return world, len(operator.api.writes)


@pytest.mark.parametrize("history", HISTORIES)
async def test_a_kill_around_any_write_ends_in_the_same_state(history: str) -> None:
    changes = HISTORIES[history]
    reference, writes = await _live_through(changes, None)
    wanted = _end(reference)
    assert writes > 0
    for number in range(1, writes + 1):
        for when in ("before", "after"):
            world, _ = await _live_through(changes, (number, when))
            assert _end(world) == wanted, f"killed {when} write {number}"


def _end(world: World) -> dict[str, object]:
    """Everything but what tells of history: times and the events."""
    state = world.server.snapshot(EVENTS, LEASES)
    return {name: _timeless(obj) for name, obj in state.items()}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _timeless(one)
            for key, one in value.items()
            if key
            not in {
                "lastTransitionTime",
                "at",
                "managedFields",
                "since",
                "observedGeneration",
                "message",
            }
        }
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return value
