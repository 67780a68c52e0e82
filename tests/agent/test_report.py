"""GPUNode.status from what the agent knows."""

from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from tests.agent.pull.test_choose import A, B

from escadre import reasons
from escadre.agent.gpus.inventory import Inventory
from escadre.agent.identity import Identity
from escadre.agent.pull.choose import FailedPull
from escadre.agent.pull.meter import Reading
from escadre.agent.report import build_status
from escadre.agent.store.records import ModelRecord
from escadre.agent.store.store import Space
from escadre.agent.view import RunningPull, StoreView, View
from escadre.agent.wish import Wish
from escadre.api.gpunode import GPU, GPUNodeStatus
from escadre.api.probe import MirrorProbe, ProbedMirror
from escadre.api.progress import Progress
from escadre.api.schema import structural
from escadre.api.wire import dump, read
from escadre.errors import Refusal

SCHEMA = structural(GPUNodeStatus, people=False)
NOW = "2026-11-22T10:00:00Z"
BEFORE = "2026-11-22T09:00:00Z"
GPU_0 = GPU(
    index=0,
    uuid="GPU-0",
    product="NVIDIA-H100-80GB-HBM3",
    memory_bytes=85520809984,
    compute_capability="9.0",
    nvlink=True,
    healthy=True,
)
STORE = StoreView("s-1", Space(1 << 40, (5 << 30) + 17), {})
VIEW = View(
    wishes=(),
    since={A.digest: BEFORE, B.digest: BEFORE},
    inventory=Inventory("580", (GPU_0,)),
    store=STORE,
    running=None,
    failures={},
)


def build(view: View, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    built = build_status(
        view,
        Identity("gpu-1", "u-1", "b-1"),
        version="1",
        generation=3,
        previous=read(GPUNodeStatus, previous),
        slow=1000,
        now=NOW,
    )
    status = dump(built)
    jsonschema.validate(status, SCHEMA)
    return status


def reading(rate: int = 2000, **changes: Any) -> Reading:
    progress = Progress(bytes_done=40, bytes_total=100, bytes_per_second=rate, eta_seconds=1)
    return replace(Reading(progress, arrived=40, seconds=31, asked=31), **changes)


def weights(view: View) -> dict[str, dict[str, Any]]:
    return {entry["manifestDigest"]: entry for entry in build(view)["weights"]}


def test_identity_store_and_gpus_are_told() -> None:
    status = build(VIEW)
    assert (status["nodeUID"], status["bootID"], status["storeID"]) == ("u-1", "b-1", "s-1")
    assert status["store"] == {"capacityBytes": 1 << 40, "freeBytes": 5 << 30, "free": "5.4 GB"}
    assert status["gpuSummary"] == "1"
    assert status["gpus"][0]["memoryBytes"] == 85520809984
    assert "reservedBytes" not in status["gpus"][0]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "InventoryReady": "True",
        "StoreReady": "True",
    }


GIB = 1 << 30
HUNDRED = 100 * GIB  # its step is 2 GiB


@pytest.mark.parametrize(
    ("told", "free", "expected"),
    [
        (None, 50 * GIB + 17, 50 * GIB),
        (50 * GIB, 52 * GIB - 1, 50 * GIB),
        (50 * GIB, 48 * GIB + 1, 50 * GIB),
        (50 * GIB, 52 * GIB, 52 * GIB),
        (50 * GIB, 48 * GIB, 48 * GIB),
        (50 * GIB, 0, 0),
    ],
)
def test_free_bytes_stay_as_told_while_others_write_a_little(
    told: int | None, free: int, expected: int
) -> None:
    before = None if told is None else {"store": {"capacityBytes": HUNDRED, "freeBytes": told}}
    view = replace(VIEW, store=replace(STORE, space=Space(HUNDRED, free)))
    assert build(view, before)["store"]["freeBytes"] == expected


def test_a_dead_gpu_is_counted_and_named() -> None:
    dead = GPU_0.model_copy(
        update={"index": 1, "uuid": "GPU-1", "healthy": False, "message": "is lost"}
    )
    status = build(replace(VIEW, inventory=Inventory("580", (GPU_0, dead))))
    assert status["gpuSummary"] == "1/2"
    told = next(one for one in status["conditions"] if one["type"] == "InventoryReady")
    assert (told["status"], told["reason"]) == ("False", "GPUUnhealthy")
    assert told["message"] == "GPU 1 (GPU-1): is lost"


def test_a_store_of_another_size_is_told_at_once() -> None:
    before = {"store": {"capacityBytes": HUNDRED, "freeBytes": 49 * GIB}}
    view = replace(VIEW, store=replace(STORE, space=Space(2 * HUNDRED, 50 * GIB)))
    assert build(view, before)["store"] == {
        "capacityBytes": 2 * HUNDRED,
        "freeBytes": 50 * GIB,
        "free": "53.7 GB",
    }


def test_verified_weights_repeat_the_store_id() -> None:
    record = ModelRecord("s-1", 100, BEFORE)
    view = replace(VIEW, store=replace(STORE, verified={A.digest: record}), wishes=(A, B))
    assert weights(view)[A.digest] == {
        "manifestDigest": A.digest,
        "storeID": "s-1",
        "state": "Verified",
        "bytesDone": 100,
        "bytesTotal": 100,
        "since": BEFORE,
    }
    assert build(view)["summary"] == "1/2"


def test_progress_is_told_with_rate_and_time_to_go() -> None:
    entry = weights(replace(VIEW, wishes=(A, B), running=RunningPull(A, reading())))
    assert entry[A.digest] | {} == {
        "manifestDigest": A.digest,
        "storeID": "s-1",
        "state": "Pulling",
        "bytesDone": 40,
        "bytesTotal": 100,
        "bytesPerSecond": 2000,
        "etaSeconds": 1,
        "mirror": "m",
        "since": BEFORE,
    }
    assert entry[B.digest]["message"] == (
        f"waits for another pull on this node: {A.digest[:19]}… of ModelApproval {A.want.approval}"
    )
    assert entry[B.digest]["behind"] == A.digest


@pytest.mark.parametrize(
    ("changes", "slow"),
    [
        pytest.param({"rate": 999}, True, id="slow"),
        pytest.param({"rate": 1000}, False, id="fast enough"),
        pytest.param({"rate": 1, "asked": 29}, False, id="still getting up to speed"),
    ],
)
def test_a_slow_mirror_is_told_with_numbers(changes: dict[str, Any], slow: bool) -> None:
    view = replace(VIEW, wishes=(A,), running=RunningPull(A, reading(**changes)))
    entry = weights(view)[A.digest]
    assert (entry.get("reason") == reasons.MIRROR_SLOW.name) is slow
    assert entry["state"] == "Pulling"  # it goes on
    words = "mirror m delivers 999 B/s, less than 1.0 kB/s (chart value agent.slowBytesPerSecond)"
    assert not slow or entry["message"] == words


def test_a_disk_that_is_hashed_first_is_no_fault_of_the_mirror() -> None:
    hashing = reading(rate=0, hashing=True)
    entry = weights(replace(VIEW, wishes=(A,), running=RunningPull(A, hashing)))[A.digest]
    assert "reason" not in entry
    assert entry["message"] == (
        "verifies what is on the node already, before anything is asked of the mirror"
    )


def test_a_mirror_that_sends_nothing_is_told_with_the_time_of_its_last_byte() -> None:
    silent = reading(rate=0, silent_since=1_790_000_000.0)
    entry = weights(replace(VIEW, wishes=(A,), running=RunningPull(A, silent)))[A.digest]
    assert entry["message"] == "no byte from mirror m since 14:13:20 UTC"


def test_a_wait_that_the_mirror_asked_for_is_told_with_its_end() -> None:
    waits = reading(rate=0, silent_since=1_790_000_000.0, waits_until=1_790_000_060.0)
    entry = weights(replace(VIEW, wishes=(A,), running=RunningPull(A, waits)))[A.digest]
    assert entry["message"] == "mirror m asked to be left alone until 14:14:20 UTC"


def test_a_failure_stays_told_until_a_new_try_brings_something() -> None:
    failed = FailedPull(A, reasons.MIRROR_UNAVAILABLE, "chunk 0 …", BEFORE)
    view = replace(VIEW, wishes=(A,), failures={A.digest: failed})
    told = weights(view)[A.digest]
    assert (told["state"], told["reason"], told["mirror"]) == ("Failed", "MirrorUnavailable", "m")
    again = replace(view, running=RunningPull(A, reading(arrived=0)))
    assert weights(again)[A.digest] == told
    moving = replace(view, running=RunningPull(A, reading()))
    assert weights(moving)[A.digest]["state"] == "Pulling"


def test_what_a_wish_waits_for_is_told_before_whose_pull_goes_first() -> None:
    lost = Wish(B.want, None, "waits for the operator: mirror m is not in spec.mirrors")
    view = replace(VIEW, wishes=(A, lost), running=RunningPull(A, reading()))
    entry = weights(view)[B.digest]
    assert (entry["state"], entry["mirror"]) == ("Pulling", "m")
    assert entry["message"] == "waits for the operator: mirror m is not in spec.mirrors"
    assert "behind" not in entry


def test_bad_bytes_stay_told_while_they_are_tried_again() -> None:
    failed = FailedPull(A, reasons.DIGEST_MISMATCH, "chunk 0 …", BEFORE)
    view = replace(VIEW, wishes=(A,), failures={A.digest: failed})
    moving = replace(view, running=RunningPull(A, reading()))
    assert weights(moving) == weights(view)


def test_a_store_that_cannot_be_used_says_nothing_of_weights() -> None:
    refusal = Refusal(reasons.STORE_UNUSABLE, "opening in the store /x: Permission denied")
    status = build(replace(VIEW, store=refusal, wishes=(A,)))
    assert (status["storeID"], status["weights"]) == ("", [])
    condition = status["conditions"][1]
    assert (condition["status"], condition["reason"]) == ("False", "StoreUnusable")
    assert "Permission denied" in condition["message"]


def test_a_disk_that_reserves_nothing_is_told_beside_a_ready_store() -> None:
    view = replace(VIEW, store=replace(STORE, space=Space(1 << 40, 5 << 30, reserves=False)))
    condition = build(view)["conditions"][1]
    assert (condition["type"], condition["status"]) == ("StoreReady", "True")
    assert condition["message"].startswith("its file system sets no space aside (no fallocate)")
    assert build(VIEW)["conditions"][1]["message"] == ""


def test_no_nvml_is_a_condition() -> None:
    refusal = Refusal(reasons.NVML_UNAVAILABLE, "NVML not available: NVML Shared Library Not Found")
    condition = build(replace(VIEW, inventory=refusal))["conditions"][0]
    assert (condition["type"], condition["status"]) == ("InventoryReady", "False")
    assert condition["message"].startswith("NVML not available: ")


def test_transition_times_move_only_with_the_status() -> None:
    first = build(VIEW)
    for condition in first["conditions"]:
        condition["lastTransitionTime"] = BEFORE
    assert [c["lastTransitionTime"] for c in build(VIEW, first)["conditions"]] == [BEFORE] * 2
    lost = replace(VIEW, store=Refusal(reasons.STORE_UNUSABLE, "x"))
    assert [c["lastTransitionTime"] for c in build(lost, first)["conditions"]] == [BEFORE, NOW]


def test_words_of_a_library_are_cut_and_show_it() -> None:
    failed = FailedPull(A, reasons.MIRROR_UNAVAILABLE, "x" * 5000, BEFORE)
    view = replace(
        VIEW, inventory=Inventory("580" * 99, ()), wishes=(A,), failures={A.digest: failed}
    )
    message = weights(view)[A.digest]["message"]
    assert (len(message), message[-2:]) == (2048, "x…")
    assert len(build(view)["driverVersion"]) == 64


def test_a_node_with_more_weights_than_a_status_holds_tells_those_wanted() -> None:
    record = ModelRecord("s-1", 100, BEFORE)
    others = {f"sha256:{index:064x}": record for index in range(600)}
    verified = others | {A.digest: record}
    status = build(replace(VIEW, store=replace(STORE, verified=verified), wishes=(A, B)))
    told = [entry["manifestDigest"] for entry in status["weights"]]
    assert len(told) == 512
    assert set(told[:2]) == {A.digest, B.digest}
    assert status["summary"] == "601/602"


def test_a_status_of_another_version_is_no_obstacle() -> None:
    first = build(VIEW, {"conditions": [{"type": "StoreReady"}, 7], "store": "full", "gpus": 1})
    assert first == build(VIEW)


def test_what_an_agent_finds_again_after_its_start_is_found_so_since_before() -> None:
    """A restart writes nothing for its sake."""
    about: dict[str, Any] = {"mirror": "internal", "generation": 3, "approval": "small"}
    wanted = MirrorProbe.model_construct(**about)
    told = {**about, "ranges": True, "bytesPerSecond": 100, "since": BEFORE}
    again = ProbedMirror(**about, ranges=True, bytes_per_second=110, since=NOW)
    view = replace(VIEW, asked=(wanted,), found={"internal": again})
    assert build(view, {"probes": [told]})["probes"] == [told]
    other = again.model_copy(update={"ranges": False})
    (found,) = build(replace(view, found={"internal": other}), {"probes": [told]})["probes"]
    assert (found["ranges"], found["since"]) == (False, NOW)
