"""The event recorder: counts repetitions, folds chatter, never blocks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from structlog.testing import capture_logs
from tests.fakes.kube import FakeApi
from tests.fakes.virtualtime import in_virtual_time

from escadre import reasons
from escadre.clients.kube import EVENTS, Forbidden, Json
from escadre.machinery.events import Allowance, EventRecorder, ObjectRef
from escadre.reasons import Kind, Reason

_MDEP = ObjectRef("escadre.dev/v1alpha1", "ModelDeployment", "assistant", "team", "u1")
_NODE = ObjectRef("v1", "Node", "gpu-0", uid="u2")
_NO_CAPACITY = Reason("NoCapacity", Kind.MOVE, "There is no room.", "Make some.")
_LABELLED = Reason("Labelled", Kind.SETTLED, "A label was set.")


def _seen(name: str) -> Reason:
    return Reason(name, Kind.SETTLED, "Something was seen.")


class _Recording:
    """A recorder with its writer running."""

    def __init__(self, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        start = datetime(2026, 1, 1, tzinfo=UTC)
        self.api = FakeApi()
        self.recorder = EventRecorder(
            self.api,
            instance="pod-0",
            allowance=Allowance(
                clock=loop.time,
                wall=lambda: start + timedelta(seconds=loop.time() - 1000),
                **options,
            ),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.recorder.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def events(self) -> list[Json]:
        await asyncio.sleep(0.1)
        return self.api.server.all(EVENTS)


@in_virtual_time
async def test_an_event_says_what_about_whom() -> None:
    async with _Recording() as recording:
        recording.recorder.record(_MDEP, _NO_CAPACITY, "needs 2 GPUs, 1 free", warning=True)
        recording.recorder.record(_NODE, _LABELLED, "weights verified")
        first, second = sorted(await recording.events(), key=lambda each: each["reason"])
    assert first["reason"] == "Labelled"
    assert first["metadata"]["namespace"] == "default"
    assert first["type"] == "Normal"
    assert second["involvedObject"] == {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "assistant",
        "namespace": "team",
        "uid": "u1",
    }
    assert second["type"] == "Warning"
    assert second["reportingInstance"] == "pod-0"
    assert second["metadata"]["namespace"] == "team"


@in_virtual_time
async def test_a_repetition_is_counted_and_written_at_most_once_a_minute() -> None:
    async with _Recording() as recording:
        for _ in range(100):
            recording.recorder.record(_MDEP, _NO_CAPACITY, "needs 2 GPUs, 1 free")
            await asyncio.sleep(1)
        (event,) = await recording.events()
        writes = len(recording.api.writes)
    assert event["count"] == 61
    assert writes == 2
    assert event["lastTimestamp"] > event["firstTimestamp"]


@in_virtual_time
async def test_after_the_window_it_is_a_new_event() -> None:
    async with _Recording(window_seconds=600) as recording:
        recording.recorder.record(_MDEP, _NO_CAPACITY, "needs 2 GPUs, 1 free")
        await asyncio.sleep(601)
        recording.recorder.record(_MDEP, _NO_CAPACITY, "needs 2 GPUs, 1 free")
        assert len(await recording.events()) == 2


@in_virtual_time
async def test_a_state_that_turned_and_came_back_is_told_again() -> None:
    with capture_logs() as logs:
        async with _Recording() as recording:
            for state in ("ready", "failing", "ready"):
                recording.recorder.record(_MDEP, _seen("Seen"), state, topic="Ready")
                await asyncio.sleep(1)
            events = await recording.events()
    assert sorted(each["message"] for each in events) == ["failing", "ready", "ready"]
    assert [each["event"] for each in logs] == ["ready", "failing", "ready"]


@in_virtual_time
async def test_one_that_goes_on_turning_is_counted_from_the_fifth_time_on() -> None:
    async with _Recording(burst=100) as recording:
        for number in range(60):
            state = "ready" if number % 2 else "failing"
            recording.recorder.record(_MDEP, _seen("Seen"), state, topic="Ready")
            await asyncio.sleep(3)
        events = await recording.events()
    assert len(events) == 10
    assert sorted(each["count"] for each in events)[-2:] >= [20, 20]


@in_virtual_time
async def test_turns_of_other_topics_and_objects_do_not_count() -> None:
    async with _Recording() as recording:
        for _ in range(3):
            recording.recorder.record(_MDEP, _seen("Seen"), "ready", topic="Ready")
            recording.recorder.record(_MDEP, _seen("Seen"), "grows", topic="Scaling")
            recording.recorder.record(_NODE, _seen("Seen"), "ready", topic="Ready")
            await asyncio.sleep(1)
        assert len(await recording.events()) == 3


@in_virtual_time
async def test_messages_that_keep_changing_are_folded() -> None:
    async with _Recording() as recording:
        for number in range(40):
            recording.recorder.record(_MDEP, reasons.PULLING, f"{number} of 40 GB")
        events = await recording.events()
    assert len(events) == 11
    folded = [each for each in events if each["message"].startswith("(combined")]
    assert [each["message"] for each in folded] == ["(combined from similar events): 39 of 40 GB"]


@in_virtual_time
async def test_a_talkative_object_is_cut_short_and_others_are_not() -> None:
    async with _Recording(burst=3, refill_seconds=100) as recording:
        for number in range(10):
            recording.recorder.record(_MDEP, _seen(f"Reason{number}"), "x")
        recording.recorder.record(_NODE, _LABELLED, "x")
        assert len(await recording.events()) == 4
        assert recording.recorder.dropped == 7
        await asyncio.sleep(101)
        recording.recorder.record(_MDEP, _seen("Later"), "x")
        assert len(await recording.events()) == 5


@in_virtual_time
async def test_an_event_that_expired_on_the_server_is_posted_anew() -> None:
    async with _Recording() as recording:
        recording.recorder.record(_MDEP, _NO_CAPACITY, "x")
        (event,) = await recording.events()
        recording.api.server.remove(EVENTS, event["metadata"]["name"], "team")
        await asyncio.sleep(70)
        recording.recorder.record(_MDEP, _NO_CAPACITY, "x")
        (event,) = await recording.events()
    assert event["count"] == 2


@in_virtual_time
async def test_a_refusing_server_costs_only_the_event() -> None:
    async with _Recording() as recording:
        error = Forbidden(method="create", object="Event", status=403, reason="Forbidden")
        recording.api.refuse("create", "Event", lambda: error)
        recording.recorder.record(_MDEP, _NO_CAPACITY, "x")
        assert not await recording.events()
        assert recording.recorder.dropped == 1
        recording.api.refuse("create", "Event", None)
        recording.recorder.record(_MDEP, _NO_CAPACITY, "x")
        assert len(await recording.events()) == 1


@in_virtual_time
async def test_what_was_done_is_told_also_about_an_object_that_talks_too_much() -> None:
    async with _Recording(burst=3, refill_seconds=100) as recording:
        for number in range(5):
            recording.recorder.record(_MDEP, _seen(f"Seen{number}"), "a state")
        recording.recorder.record(_MDEP, reasons.SCALED, "from 3 to 1 replicas", done=True)
        told = {event["reason"] for event in await recording.events()}
    assert told == {"Seen0", "Seen1", "Seen2", "Scaled"}
    assert recording.recorder.dropped == 2


@in_virtual_time
async def test_what_is_new_is_logged_once_with_its_reason() -> None:
    with capture_logs() as logs:
        async with _Recording() as recording:
            for _ in range(3):
                recording.recorder.record(_MDEP, _NO_CAPACITY, "needs 2 GPUs", warning=True)
            recording.recorder.record(_NODE, _LABELLED, "weights verified")
    assert logs == [
        {
            "event": "needs 2 GPUs",
            "log_level": "warning",
            "reason": "NoCapacity",
            "kind": "ModelDeployment",
            "namespace": "team",
            "name": "assistant",
        },
        {
            "event": "weights verified",
            "log_level": "info",
            "reason": "Labelled",
            "kind": "Node",
            "namespace": "",
            "name": "gpu-0",
        },
    ]
