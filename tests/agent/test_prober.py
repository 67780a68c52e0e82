"""Probing for all: what is asked of a real server, how often, and what is told."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.clients.sources.faulty import LOCAL, Faulty, faulty, refuse
from typing_extensions import override

from escadre import reasons
from escadre.agent.prober import Prober, told_of
from escadre.agent.wish import ProbeWish
from escadre.api.gpunode import MirrorSource
from escadre.api.mirror import ModelMirrorSpec
from escadre.api.probe import MirrorProbe, ProbedMirror, SampleFile
from escadre.clients.sources.errors import MirrorBusy
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.probe import Finding, Probed
from escadre.clients.sources.protocol import Source
from escadre.core.weights.manifest import Manifest, ManifestFile, digest, render
from escadre.errors import Refusal

COMMIT = "0" * 40
NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)
LARGE, SMALL = bytes(range(256)) * 4096, b"{}"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TEXT = render(
    Manifest(
        tuple(
            ManifestFile(path, len(content), sha(content), (sha(content),))
            for path, content in (("model.safetensors", LARGE), ("params.json", SMALL))
        )
    )
)
WANTED = MirrorProbe(
    mirror="internal",
    generation=3,
    approval="small",
    repository="o/m",
    revision=COMMIT,
    manifest_digest=digest(TEXT),
    large=SampleFile(path="model.safetensors", size=len(LARGE), sha256=sha(LARGE)),
    small=SampleFile(path="params.json", size=len(SMALL), sha256=sha(SMALL)),
)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as server:
        server.files[f"/o/m/{COMMIT}/model.safetensors"] = LARGE
        server.files[f"/o/m/{COMMIT}/params.json"] = SMALL
        server.files[f"/escadre-manifests/{digest(TEXT)[7:]}.manifest"] = TEXT
        yield server


def prober(server: Faulty, **more: Any) -> Prober:
    async def opened(wish: ProbeWish) -> Source:
        wanted = wish.probe
        spec = ModelMirrorSpec(type="http", url=server.url)
        return open_source(
            wanted.mirror,
            spec,
            repository=wanted.repository,
            revision=wanted.revision,
            guard=LOCAL,
        )

    return Prober(opened, lambda: NOW, **more)


WISH = ProbeWish(WANTED, MirrorSource(name="internal", type="http", url="http://m.example"))


async def told(prober: Prober) -> ProbedMirror:
    """What is told first."""
    heard = asyncio.Event()
    prober.changed = heard.set
    prober.want((WISH,))
    async with asyncio.timeout(20):
        await heard.wait()
    return prober.found["internal"]


async def test_a_good_mirror_is_told_with_figures(server: Faulty) -> None:
    one = prober(server)
    found = await told(one)
    one.close()
    assert (found.reason, found.message, found.ranges) == (None, "", True)
    assert (found.mirror, found.generation, found.since) == ("internal", 3, NOW)
    assert found.first_byte_milliseconds is not None
    assert len(server.log) == 3


async def test_a_fault_is_told_with_its_reason_and_asked_for_again_soon(server: Faulty) -> None:
    server.faults[f"/escadre-manifests/{digest(TEXT)[7:]}.manifest"] = [refuse(503)]
    one = prober(server, again=0.01)
    words: list[str] = []
    good = asyncio.Event()

    def changed() -> None:
        found = one.found["internal"]
        words.append(f"{found.reason}: {found.message}")
        if found.reason is None:
            good.set()

    one.changed = changed
    one.want((WISH,))
    async with asyncio.timeout(20):
        await good.wait()
    one.close()
    assert words[0].startswith("MirrorUnavailable: ")
    assert "503" in words[0]
    assert len(words) == 2


async def test_what_was_found_of_a_mirror_that_is_another_now_is_forgotten(server: Faulty) -> None:
    one = prober(server)
    await told(one)
    one.want((replace(WISH, probe=WANTED.model_copy(update={"mirror_uid": "another"})),))
    assert one.found == {}
    one.close()


async def test_who_is_elected_no_more_forgets_and_asks_no_more(server: Faulty) -> None:
    one = prober(server)
    await told(one)
    one.want(())
    assert one.found == {}


async def test_a_mirror_that_cannot_be_opened_is_told() -> None:
    async def opened(_: ProbeWish) -> Source:
        raise Refusal(reasons.SECRET_NOT_FOUND, "Secret x does not exist")

    found = await told(Prober(opened, lambda: NOW))
    assert (found.reason, found.message) == (reasons.SECRET_NOT_FOUND, "Secret x does not exist")


def probed(**more: Any) -> Probed:
    given: dict[str, Any] = {
        "findings": (Finding("ranges", "8 MB"),),
        "ranges": True,
        "first_byte_seconds": 0.01,
        "bytes_per_second": 123_456_789,
        **more,
    }
    return Probed(**given)


def test_figures_are_rounded() -> None:
    found = told_of(WANTED, probed(), NOW)
    assert (found.first_byte_milliseconds, found.bytes_per_second) == (10, 120_000_000)


@pytest.mark.parametrize(
    ("later", "anew"),
    [
        pytest.param({"bytes_per_second": 60_000_000}, False, id="half as fast"),
        pytest.param({"bytes_per_second": 10_000_000}, True, id="a tenth as fast"),
        pytest.param({"first_byte_seconds": 0.5}, False, id="still quick"),
        pytest.param({"first_byte_seconds": 5.0}, True, id="slow to begin"),
        pytest.param({"ranges": False}, True, id="ranges no more"),
    ],
)
async def test_only_what_differs_is_told_anew(later: dict[str, Any], anew: bool) -> None:
    answers = [probed(), probed(**later)]
    times = iter(NOW + timedelta(hours=index) for index in range(9))
    rounds = asyncio.Event()

    class Played(Prober):
        @override
        async def _probed(self, _: ProbeWish) -> Probed | Refusal:
            if len(answers) == 1:
                rounds.set()
            return answers.pop(0) if len(answers) > 1 else answers[0]

    async def never(_: ProbeWish) -> Source:
        raise AssertionError

    told = 0

    def changed() -> None:
        nonlocal told
        told += 1

    one = Played(never, lambda: next(times), changed, every=0.0)
    one.want((WISH,))
    async with asyncio.timeout(20):
        await rounds.wait()
        await asyncio.sleep(0)
    one.close()
    assert told == (2 if anew else 1)


async def test_a_mirror_that_does_not_list_is_good_for_pulls(server: Faulty) -> None:
    """Nobody pulls by a list, and a key that pulls may be none that lists."""
    server.files |= {
        path.replace(f"/{COMMIT}", f"/resolve/{COMMIT}"): text
        for path, text in server.files.items()
    }

    async def opened(wish: ProbeWish) -> Source:
        spec = ModelMirrorSpec(
            type="huggingface",
            url=server.url,
            manifests_url=f"{server.url}/escadre-manifests",
        )
        return open_source(
            "internal",
            spec,
            repository=wish.probe.repository,
            revision=wish.probe.revision,
            guard=LOCAL,
        )

    one = Prober(opened, lambda: NOW)
    found = await told(one)
    one.close()
    assert (found.reason, found.message, found.ranges) == (None, "", True)


@pytest.mark.parametrize(
    ("busy", "told"), [pytest.param(2, 1, id="a moment"), pytest.param(3, 3, id="for good")]
)
async def test_a_mirror_without_room_is_asked_again_before_that_is_told(
    busy: int, told: int
) -> None:
    """As one that serves so many connections, and all are taken by pulls."""
    full = Finding("ranges", "HTTP 503", MirrorBusy("HTTP 503", transient=True))
    answers = [probed(), *[probed(findings=(full,))] * busy, probed()]
    words: list[str] = []
    over = asyncio.Event()

    class Played(Prober):
        @override
        async def _probed(self, _: ProbeWish) -> Probed | Refusal:
            await asyncio.sleep(0)
            if len(answers) == 1:
                over.set()
            return answers.pop(0) if len(answers) > 1 else answers[0]

    async def never(_: ProbeWish) -> Source:
        raise AssertionError

    one = Played(never, lambda: NOW, lambda: words.append("told"), every=0.0, again=0.0)
    one.want((WISH,))
    async with asyncio.timeout(20):
        await over.wait()
        for _ in range(3):
            await asyncio.sleep(0)
    one.close()
    assert len(words) == told
