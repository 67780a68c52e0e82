"""The work queue: each key once, urgent first, fair between groups, delays and backoff."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.clock import FakeClock

from escadre.machinery.queue import Priority, ShutDown, WorkQueue

Key = tuple[str, str]


def _queue(clock: FakeClock, **options: float) -> WorkQueue[Key]:
    rng = random.Random(1)  # noqa: S311 - jitter, the same in every run
    return WorkQueue(clock=clock, group_of=lambda key: key[0], rng=rng, **options)


async def _drain(queue: WorkQueue[Key]) -> list[Key]:
    order = []
    while queue.depth:
        key = await queue.get()
        order.append(key)
        queue.done(key)
    return order


async def test_a_key_added_twice_is_handed_out_once() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "1"))
    queue.add(("a", "1"))
    assert await _drain(queue) == [("a", "1")]


async def test_a_key_added_while_processed_runs_again_only_after_done() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "1"))
    key = await queue.get()
    queue.add(key)
    queue.add(key)
    assert queue.depth == 0
    assert queue.processing == 1
    queue.done(key)
    assert await _drain(queue) == [key]


async def test_user_edits_overtake_resync_and_promote_a_waiting_key() -> None:
    queue = _queue(FakeClock())
    for name in ("1", "2", "3"):
        queue.add(("a", name), Priority.RESYNC)
    queue.add(("a", "3"), Priority.USER)
    queue.add(("a", "1"), Priority.RESYNC)
    assert await _drain(queue) == [("a", "3"), ("a", "1"), ("a", "2")]


async def test_a_key_dirtied_by_an_edit_keeps_that_urgency() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "1"))
    key = await queue.get()
    queue.add(key, Priority.RESYNC)
    queue.add(key, Priority.USER)
    queue.add(("a", "2"))
    queue.done(key)
    assert await _drain(queue) == [("a", "1"), ("a", "2")]


async def test_room_is_kept_for_what_is_urgent() -> None:
    queue = _queue(FakeClock())
    for name in ("1", "2", "3"):
        queue.add(("a", name))
    held = [await queue.get(2), await queue.get(2)]
    kept = asyncio.create_task(queue.get(2))
    await asyncio.sleep(0)
    assert not kept.done()
    queue.add(("a", "4"), Priority.BEGUN)
    assert await kept == ("a", "4")
    queue.done(held[0])
    assert await queue.get(2) == ("a", "3")


async def test_the_worker_that_was_kept_wakes_for_a_key_that_becomes_urgent() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "1"))
    queue.add(("a", "2"), Priority.RESYNC)
    await queue.get(1)
    kept = asyncio.create_task(queue.get(1))
    await asyncio.sleep(0)
    queue.add(("a", "2"), Priority.USER)
    assert await asyncio.wait_for(kept, 60) == ("a", "2")


@pytest.mark.parametrize("turns", range(20))
async def test_edits_are_worked_on_at_every_turn_while_there_is_no_room(turns: int) -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "long"))
    await queue.get(1)
    queue.add(("a", "resync"), Priority.RESYNC)
    for number in range(turns + 1):
        queue.add(("a", str(number)), Priority.USER)
        assert await queue.get(1) == ("a", str(number))
        queue.done(("a", str(number)))


async def test_groups_take_turns() -> None:
    queue = _queue(FakeClock())
    for number in range(4):
        queue.add(("big", str(number)))
    queue.add(("small", "0"))
    assert (await _drain(queue)).index(("small", "0")) == 1


async def test_resync_is_not_starved_by_edits() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "resync"), Priority.RESYNC)
    for number in range(30):
        queue.add(("a", f"{number:02}"), Priority.USER)
    assert (await _drain(queue)).index(("a", "resync")) < 10


async def test_the_earliest_of_several_delays_counts() -> None:
    clock = FakeClock()
    queue = _queue(clock)
    queue.add_after(("a", "1"), 5)
    queue.add_after(("a", "1"), 0.1)
    queue.add_after(("a", "1"), 3)
    clock.advance(0.09)
    assert queue.depth == 0
    clock.advance(0.02)
    assert await _drain(queue) == [("a", "1")]
    clock.advance(10)
    assert queue.depth == queue.delayed == 0


async def test_backoff_doubles_up_to_the_limit_and_is_forgotten() -> None:
    clock = FakeClock()
    queue = _queue(clock, base_delay=1.0, max_delay=8.0)
    delays = []
    for _ in range(6):
        delays.append(queue.retry(("a", "1")))
        clock.advance(20)
        assert len(await _drain(queue)) == 1
    for delay, nominal in zip(delays, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.8 * nominal <= delay <= 1.2 * nominal
    assert queue.failures(("a", "1")) == 6
    queue.forget(("a", "1"))
    assert queue.retry(("a", "1")) <= 1.2


async def test_ages_are_those_of_the_oldest() -> None:
    clock = FakeClock()
    queue = _queue(clock)
    assert queue.oldest_age() == queue.oldest_processing_age() == 0
    queue.add(("a", "1"))
    clock.advance(2)
    queue.add(("a", "2"))
    assert queue.oldest_age() == 2
    key = await queue.get()
    clock.advance(3)
    assert queue.oldest_processing_age() == 3
    assert queue.oldest_age() == 3
    queue.done(key)


async def test_a_waiting_worker_gets_a_key_added_later() -> None:
    queue = _queue(FakeClock())
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(("a", "1"))
    assert await worker == ("a", "1")


async def test_a_worker_cancelled_as_it_is_woken_loses_no_key() -> None:
    queue = _queue(FakeClock())
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(("a", "1"))
    first.cancel()
    assert await asyncio.wait_for(second, 60) == ("a", "1")
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_shutdown_waits_for_what_is_processed_and_hands_out_nothing_more() -> None:
    queue = _queue(FakeClock())
    queue.add(("a", "1"))
    key = await queue.get()
    queue.add(("a", "2"))
    idle = asyncio.create_task(_queue(FakeClock()).get())
    stopping = asyncio.create_task(queue.shutdown(5))
    await asyncio.sleep(0)
    with pytest.raises(ShutDown):
        await queue.get()
    queue.add(("a", "3"))
    assert not stopping.done()
    queue.done(key)
    assert await stopping is True
    idle.cancel()


async def test_shutdown_wakes_idle_workers_and_gives_up_on_a_stuck_one() -> None:
    queue = _queue(FakeClock())
    idle = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert await queue.shutdown(0) is True
    with pytest.raises(ShutDown):
        await idle
    stuck = _queue(FakeClock())
    stuck.add(("a", "1"))
    await stuck.get()
    assert await stuck.shutdown(0.01) is False


_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "get", "done", "retry", "wait"]), st.integers(0, 4)),
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(steps=_STEPS)
def test_no_key_is_lost_or_processed_twice_at_once(steps: list[tuple[str, int]]) -> None:
    """Whatever is done: one holder per key, and a key added last is handed out at the end."""
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    queue = _queue(clock)
    held: list[Key] = []
    owed: set[Key] = set()
    for step, number in steps:
        key = (str(number % 2), str(number))
        if step == "add":
            queue.add(key, Priority(number % 3))
            owed.add(key)
        elif step == "retry":
            queue.retry(key)
            owed.add(key)
        elif step == "wait":
            clock.advance(number)
        elif step == "get" and queue.depth:
            got = await queue.get()
            assert got not in held
            held.append(got)
            owed.discard(got)
        elif step == "done" and held:
            queue.done(held.pop(0))
    for key in held:
        queue.done(key)
    clock.advance(1000)
    assert owed <= set(await _drain(queue))


async def test_what_somebody_waits_for_is_urgent_until_it_is_done() -> None:
    queue = _queue(FakeClock())
    key = ("a", "1")
    for priority in Priority:
        assert not queue.urgent
        queue.add(key, priority)
        urgent = priority in {Priority.BEGUN, Priority.USER}
        assert queue.urgent is urgent
        assert await queue.get() == key
        assert queue.urgent is urgent
        queue.done(key)
    queue.add_after(key, 5, Priority.USER)
    assert not queue.urgent
