"""state/demand.py: what engines that hang hold is demand until they are gone."""

import pytest
from tests.fakes.kube import FakeServer
from tests.state.test_observe import Bench, pod_of, workload

from escadre.clients.kube import PODS
from escadre.core.replicas.drain import Drain
from escadre.core.scaling.demand import Demand, Reading
from escadre.core.scaling.policy import Sample
from escadre.core.scaling.progress import Hung
from escadre.settings import ScalingSettings
from escadre.state.caches import Caches
from escadre.state.demand import lost_of, samples_of

HELD = Demand(4, 20, 50.0)


@pytest.fixture
async def bench() -> Bench:
    """One replica, whose engine hangs and cannot leave before somebody lets it."""
    server = FakeServer()
    found = Bench(server, Caches(server.client(), "escadre-system"))
    made = workload()
    pod = pod_of(made)
    pod["metadata"]["finalizers"] = ["example.com/hold"]
    uid = server.put(PODS, pod)["metadata"]["uid"]
    await found.look(made)
    found.hung[uid] = Hung(10.0, "gave no token in 30 s", HELD)
    found.readings[uid] = Reading(HELD, moved=10.0)
    return found


async def samples(bench: Bench, *objects: dict[str, object]) -> list[Sample]:
    """All that a decision is made from."""
    observed = await bench.look(*objects)
    pods = bench.caches.pods.by("deployment", ("team", "chat"))
    replicas = samples_of(observed, bench.readings, None, ScalingSettings(), 60.0)
    return [*replicas, *lost_of(observed, pods, bench.hung)]


async def test_while_it_is_the_replica_it_is_stuck_and_counted_once(bench: Bench) -> None:
    (one,) = await samples(bench)
    assert (one.phase, one.demand) == ("stuck", HELD)


async def test_while_it_leaves_what_it_holds_stays_beside_its_replacement(bench: Bench) -> None:
    bench.server.remove(PODS, "chat-0-abc-x", "team")
    bench.readings.clear()  # one that leaves is not read
    there = [(one.slot, one.phase, one.demand) for one in await samples(bench)]
    assert there == [(0, "loading", None), (0, "lost", HELD)]


async def test_while_it_is_drained_it_will_not_finish_what_it_holds(bench: Bench) -> None:
    found = await samples(bench, workload(drain=Drain("ScaleDown", 55.0)))
    assert [(one.phase, one.demand) for one in found] == [("draining", HELD), ("lost", HELD)]


async def test_once_it_is_gone_or_moves_again_there_is_nothing_of_it(bench: Bench) -> None:
    bench.server.remove(PODS, "chat-0-abc-x", "team")
    bench.readings.clear()
    bench.hung.clear()  # as controller/stuck.py does
    assert [one.phase for one in await samples(bench)] == ["loading"]


async def test_while_none_hangs_samples_ask_nothing_of_what_was_read_of_replicas(
    bench: Bench,
) -> None:
    bench.hung.clear()
    read, readings = await bench.look(), dict(bench.readings)
    bench.readings.clear()
    bare = await bench.look()
    assert read != bare
    settings = ScalingSettings()
    assert samples_of(bare, readings, None, settings, 60.0) == samples_of(
        read, readings, None, settings, 60.0
    )
