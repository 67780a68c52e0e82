"""Leader election: one at a time, gone leaders replaced within limits, nobody's clock trusted."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.kube import FakeApi, FakeServer
from tests.fakes.virtualtime import in_virtual_time

from escadre.clients.kube import LEASES, Json, ServerUnavailable
from escadre.machinery.lease import Candidate, LeaderElector, Terms

_NAMESPACE, _NAME = "escadre-system", "escadre-operator"


class _Candidate:
    """One operator process: its client, its elector, its wrong idea of the time of day."""

    def __init__(self, server: FakeServer, name: str, skew: float = 0.0, seed: int = 1) -> None:
        loop = asyncio.get_running_loop()
        self.api: FakeApi = server.client(name)
        self.lost: list[str] = []
        self.elector = LeaderElector(
            self.api,
            Candidate(_NAMESPACE, _NAME, name),
            terms=Terms(
                clock=loop.time,
                wall=lambda: datetime.now(UTC) + timedelta(seconds=skew),
                rng=random.Random(seed),  # noqa: S311 - jitter, the same in every run
            ),
            on_lost=self.lost.append,
        )
        self.task = asyncio.create_task(self.elector.run())

    @property
    def leads(self) -> bool:
        return self.elector.leading.is_set()

    def unplug(self) -> None:
        """From now on the API server cannot be reached."""
        for verb in ("get", "create", "patch"):
            self.api.refuse(
                verb, "Lease", lambda: ServerUnavailable(method="x", object="y", reason="down")
            )

    def plug_in(self) -> None:
        for verb in ("get", "create", "patch"):
            self.api.refuse(verb, "Lease", None)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def _edit_lease(server: FakeServer, **spec: str) -> None:
    """The Lease as somebody else has written it."""
    lease = _lease(server)
    lease["spec"].update(spec)
    server.put(LEASES, lease)


def _lease(server: FakeServer) -> Json:
    lease = server.get(LEASES, _NAME, _NAMESPACE)
    assert lease is not None
    return lease


async def _until(predicate: Callable[[], bool], within: float) -> float:
    """Seconds until it holds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.timeout(within):
        while not predicate():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
    return loop.time() - start


@in_virtual_time
async def test_the_first_leads_and_the_second_waits() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    second = _Candidate(server, "b", seed=2)
    await asyncio.sleep(120)
    assert first.leads
    assert not second.leads
    assert second.elector.holder == "a"
    lease = server.get(LEASES, _NAME, _NAMESPACE)
    assert lease is not None
    assert lease["spec"]["leaseTransitions"] == 0
    assert not [each for each in second.api.writes if each.verb != "create"]
    await first.stop()
    await second.stop()


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_leader_is_replaced_within_12_seconds(seed: int) -> None:
    @in_virtual_time
    async def play() -> None:
        server = FakeServer()
        first = _Candidate(server, "a", skew=-3600, seed=seed)
        await _until(lambda: first.leads, 1)
        second = _Candidate(server, "b", skew=7200, seed=seed + 1)
        await asyncio.sleep(60 + seed * 0.37)
        first.api.dead = True
        seconds = await _until(lambda: second.leads, 30)
        assert 8 < seconds <= 12
        lease = server.get(LEASES, _NAME, _NAMESPACE)
        assert lease is not None
        assert lease["spec"]["leaseTransitions"] == 1
        await asyncio.gather(first.task, return_exceptions=True)
        await second.stop()

    play()


@in_virtual_time
async def test_a_graceful_release_hands_over_within_3_seconds() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    second = _Candidate(server, "b", seed=2)
    await asyncio.sleep(33)
    await first.stop()
    assert not first.leads
    assert not first.lost
    assert await _until(lambda: second.leads, 10) <= 3
    await second.stop()


@in_virtual_time
async def test_who_ends_in_the_middle_of_a_renewal_hands_over_as_soon() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    second = _Candidate(server, "b", seed=2)
    await asyncio.sleep(33)
    # A renewal that was done, and whose answer nobody waited for.
    _edit_lease(server, renewTime=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    await first.stop()
    assert await _until(lambda: second.leads, 20) <= 3
    await second.stop()


@in_virtual_time
async def test_who_ends_leaves_the_lease_of_another_alone() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    _edit_lease(server, holderIdentity="another")
    await first.stop()
    assert _lease(server)["spec"]["holderIdentity"] == "another"


@in_virtual_time
async def test_a_leader_cut_off_stops_before_another_starts() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    second = _Candidate(server, "b", seed=2)
    await asyncio.sleep(30)
    first.unplug()
    assert await _until(lambda: not first.leads, 20) <= 13
    assert not second.leads
    assert "not renewed for" in first.lost[0]
    await first.task
    await _until(lambda: second.leads, 10)
    await second.stop()


@in_virtual_time
async def test_a_short_outage_costs_no_leadership() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    first.unplug()
    await asyncio.sleep(6)
    first.plug_in()
    await asyncio.sleep(60)
    assert first.leads
    await first.stop()


@in_virtual_time
async def test_a_renewal_whose_answer_was_lost_is_found_to_be_ours() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    first.api.timeout_after_commit(len(first.api.writes) + 1)
    await asyncio.sleep(30)
    assert first.leads
    await first.stop()


@in_virtual_time
async def test_a_leader_that_sees_another_holder_stops_at_once() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    _edit_lease(server, holderIdentity="usurper")
    assert await _until(lambda: not first.leads, 5) <= 2.5
    assert first.lost == ["usurper holds it now"]
    await first.task
    assert _lease(server)["spec"]["holderIdentity"] == "usurper"


@in_virtual_time
async def test_a_deleted_lease_is_made_again() -> None:
    server = FakeServer()
    first = _Candidate(server, "a")
    await _until(lambda: first.leads, 1)
    server.remove(LEASES, _NAME, _NAMESPACE)
    await asyncio.sleep(10)
    assert first.leads
    assert server.get(LEASES, _NAME, _NAMESPACE) is not None
    await first.stop()


@in_virtual_time
async def test_of_many_candidates_never_two_lead() -> None:
    server = FakeServer()
    crowd = [_Candidate(server, f"c{number}", seed=number) for number in range(5)]
    for _ in range(4):
        await _until(lambda: any(each.leads for each in crowd), 30)
        leader = next(each for each in crowd if each.leads)
        for _ in range(40):
            await asyncio.sleep(0.5)
            assert sum(each.leads for each in crowd) == 1
        leader.api.dead = True
        await asyncio.gather(leader.task, return_exceptions=True)
        crowd.remove(leader)
    for each in crowd:
        await each.stop()


def test_impossible_times_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lease 5 s must exceed renewal 10 s"):
        LeaderElector(
            FakeApi(),
            Candidate(_NAMESPACE, _NAME, "a"),
            terms=Terms(lease_seconds=5, renew_seconds=10),
        )
