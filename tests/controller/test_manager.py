"""Workers: every outcome of a reconcile ends in a count, and the key comes again when it must."""

import asyncio
from collections.abc import Callable

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import Conflict, ServerUnavailable, TooManyRequests
from escadre.controller import manager as module
from escadre.controller.context import Context
from escadre.controller.keys import FLEET, Begun, Key, node_key
from escadre.controller.manager import Manager
from escadre.errors import Retryable
from escadre.machinery.queue import Priority, WorkQueue

CASES: dict[str, tuple[Callable[[], BaseException], str]] = {
    "the cache was behind": (lambda: Conflict(method="apply", object="x", status=409), "conflict"),
    "the server asks for patience": (
        lambda: TooManyRequests(method="apply", object="x", status=429, retry_after=1),
        "throttled",
    ),
    "something else must happen first": (lambda: Retryable("not yet", delay=0.1), "retry"),
    "the server is away": (lambda: ServerUnavailable(method="apply", object="x"), "error"),
    "a bug": (lambda: KeyError("x"), "bug"),
}


async def run_once(
    monkeypatch: pytest.MonkeyPatch, result: Callable[[], float | None]
) -> tuple[str, int]:
    """Runs one worker over one key; returns the outcome, and how many keys come again."""
    outcomes: list[str] = []
    queue: WorkQueue[Key] = WorkQueue(base_delay=100)
    seen = asyncio.Event()

    async def reconcile(_: Context, __: Key) -> float | None:
        return result()

    def observe(what: str, kind: str, _: float) -> None:
        assert kind == "fleet"
        outcomes.append(what)
        seen.set()

    monkeypatch.setattr(module, "reconcile", reconcile)
    task = asyncio.create_task(Manager(Operator.start(World()).context, queue, 1, observe).run())
    queue.add(FLEET)
    async with asyncio.timeout(60):
        await seen.wait()
        again = queue.delayed
        await queue.shutdown(1)
        await task
    return outcomes[0], again


@pytest.mark.parametrize("case", CASES)
async def test_a_failure_is_counted_and_comes_again(
    monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    error, expected = CASES[case]

    def fail() -> float | None:
        raise error()

    assert await run_once(monkeypatch, fail) == (expected, 1)


async def test_a_bug_is_told_in_the_log_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> float | None:
        raise KeyError("x")

    await run_once(monkeypatch, fail)
    said = capsys.readouterr().out
    assert "reconcile met a case it does not know" in said
    assert "InternalError" in said


async def test_a_success_that_wants_to_look_again_is_filed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await run_once(monkeypatch, lambda: 30.0) == ("ok", 1)


async def test_a_success_that_is_done_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await run_once(monkeypatch, lambda: None) == ("ok", 0)


@pytest.mark.parametrize(
    ("again", "priority"),
    [
        pytest.param(Begun(0.5), Priority.BEGUN, id="what was begun goes before an edit"),
        pytest.param(0.5, Priority.RESYNC, id="a look that is soon does not"),
    ],
)
async def test_what_was_begun_comes_again_before_what_is_edited(
    monkeypatch: pytest.MonkeyPatch, again: float, priority: Priority
) -> None:
    filed: list[tuple[Key, float, Priority]] = []
    monkeypatch.setattr(WorkQueue, "add_after", lambda _, *what: filed.append(what))
    await run_once(monkeypatch, lambda: again)
    assert filed == [(FLEET, again, priority)]


@pytest.mark.parametrize(("workers", "at_a_time"), [(1, 1), (2, 1), (9, 8), (16, 14), (64, 56)])
async def test_not_all_workers_do_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, workers: int, at_a_time: int
) -> None:
    begun: list[Key] = []
    ends = asyncio.Event()

    async def reconcile(_: Context, key: Key) -> float | None:
        begun.append(key)
        await ends.wait()
        return None

    monkeypatch.setattr(module, "reconcile", reconcile)
    queue: WorkQueue[Key] = WorkQueue()
    manager = Manager(Operator.start(World()).context, queue, workers, lambda *_: None)
    task = asyncio.create_task(manager.run())
    for number in range(2 * workers):
        queue.add(node_key(str(number)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(begun) == at_a_time
    ends.set()
    await queue.shutdown(1)
    await task
