"""Chunks that are cut on their way: from a real server, whatever becomes of a part.

Which chunk is cut when, and that no byte is brought twice, test_handout.py has in virtual time.
"""

import pytest
from tests.agent.conftest import Puller, SampleModel, publish, sample_model, where
from tests.agent.pull.test_pull import judged_as_if_quiet, tree
from tests.clients.sources.faulty import Answer, Fault, Faulty, flip, refuse, reset

from escadre.agent.pull import halves, handout
from escadre.agent.pull.piece import Cut, Piece
from escadre.agent.store.store import Store
from escadre.clients.sources.errors import DigestMismatch, NotFound
from escadre.core.weights.manifest import CHUNK_SIZE

BIG = "consolidated.safetensors"
MIB = 1 << 20


@pytest.fixture(scope="module")
def model(large: bytes) -> SampleModel:
    return sample_model({BIG: large, "tekken.json": bytes(5 * MIB)})


@pytest.fixture
def cutting(
    model: SampleModel, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> tuple[Faulty, SampleModel]:
    """A server so slow that a chunk is under way for long, and workers that cut whatever is."""
    publish(server, model)
    server.pace = 0.02
    judged_as_if_quiet(monkeypatch, patience=60)
    monkeypatch.setattr(handout, "halve", halves.halve)
    monkeypatch.setattr(halves, "_GRAIN", 1e-9)
    return server, model


def parts(server: Faulty) -> list[str]:
    """Ranges of the big file that begin in the midst of a chunk."""
    ranges = [entry.range for entry in server.log if entry.path == where(BIG) and entry.range]
    return [one for one in ranges if int(one[6:].partition("-")[0]) % CHUNK_SIZE]


def on_parts(faults: list[Fault]) -> Fault:
    """Apply ``faults`` to ranges that begin in the midst of a chunk, one each."""

    def fault(answer: Answer) -> None:
        first = answer.headers.get("Content-Range", "bytes 0-").removeprefix("bytes ")
        if faults and int(first.partition("-")[0]) % CHUNK_SIZE:
            faults.pop(0)(answer)

    return fault


def test_a_chunk_is_brought_by_several_and_judged_as_one(
    cutting: tuple[Faulty, SampleModel], pull: Puller, store: Store
) -> None:
    server, model = cutting
    work = pull(model)
    work.run()
    assert parts(server)
    assert tree(store.models.path(model.digest)) == model.contents
    progress = work.meter.reading().progress
    assert progress.bytes_done == progress.bytes_total


def whole_file(large: bytes) -> Fault:
    """A server that takes no notice of the range."""

    def fault(answer: Answer) -> None:
        answer.status, answer.headers, answer.body = 200, {}, large

    return fault


@pytest.mark.parametrize("kind", ["flipped", "reset", "refused", "crowded", "unranged"])
def test_what_becomes_of_a_part_costs_no_more_than_a_retry(
    cutting: tuple[Faulty, SampleModel], pull: Puller, store: Store, large: bytes, kind: str
) -> None:
    server, model = cutting
    fault = {
        "flipped": flip(100),
        "reset": reset(MIB // 2),
        "refused": refuse(500),
        "crowded": refuse(503),
        "unranged": whole_file(large),
    }[kind]
    faults = [fault]
    server.always[where(BIG)] = on_parts(faults)
    work = pull(model)
    work.run()
    assert not faults
    assert tree(store.models.path(model.digest)) == model.contents
    progress = work.meter.reading().progress
    assert progress.bytes_done == progress.bytes_total
    set_aside = list((store.root / "quarantine").glob("*.bin"))
    assert len(set_aside) == (kind == "flipped")


def test_a_chunk_whose_parts_are_bad_is_asked_for_once_more_as_a_whole(
    cutting: tuple[Faulty, SampleModel], pull: Puller, store: Store
) -> None:
    server, model = cutting

    def bad(answer: Answer) -> None:
        if len(answer.body) > MIB:
            flip(-1 - MIB)(answer)  # in the first chunk, whichever part this is

    server.always[where(BIG)] = bad
    with pytest.raises(DigestMismatch, match="chunk 0"):
        pull(model).run()
    assert not store.models.path(model.digest).exists()
    assert server.log[-1].range in {None, f"bytes=0-{CHUNK_SIZE - 1}"}


def test_a_part_that_is_refused_for_good_ends_the_pull(
    cutting: tuple[Faulty, SampleModel], pull: Puller, store: Store
) -> None:
    server, model = cutting
    server.always[where(BIG)] = on_parts([refuse(404)])
    with pytest.raises(NotFound):
        pull(model).run()
    assert not store.models.path(model.digest).exists()


def running(model: SampleModel, inside: int, hand: int = 0) -> Piece:
    (file,) = (file for file in model.manifest.files if file.path == BIG)
    piece = Piece(file, 0, 2, heard=0.0, got=MIB, inside=inside, hand=hand)
    piece.held = bool(hand)
    return piece


def test_what_a_worker_has_in_hand_stays_with_it(model: SampleModel) -> None:
    piece = running(model, inside=10 * MIB, hand=4 * MIB)
    half = halves.halve([piece], now=1.0)
    assert half
    assert piece.until == half.since == half.inside == 39 * MIB
    assert half.stop == CHUNK_SIZE
    assert half.cut is piece.cut is not None
    assert piece.cut.left == 2


def test_the_half_of_a_half_is_of_the_same_chunk(model: SampleModel) -> None:
    piece = running(model, inside=0)
    first = halves.halve([piece], now=1.0)
    second = halves.halve([piece], now=1.0)
    assert first
    assert second
    assert (piece.stop, second.since, second.stop, first.since) == (
        16 * MIB,
        16 * MIB,
        32 * MIB,
        32 * MIB,
    )
    assert piece.cut
    assert piece.cut.left == 3


@pytest.mark.parametrize(
    "case",
    ["it has not begun to come", "it was bad once", "less than a second is left", "little is left"],
)
def test_a_chunk_is_not_cut_where(case: str, model: SampleModel) -> None:
    piece = running(model, inside=32 * MIB)
    if case == "it has not begun to come":
        piece.heard = None
    elif case == "it was bad once":
        piece.entire = True
    elif case == "less than a second is left":
        piece.got = 33 * MIB
    else:
        piece.inside, piece.got = 63 * MIB, 1000
    assert halves.halve([piece], now=1.0) is None
    assert piece.cut is None


def test_a_part_that_comes_to_nothing_begins_anew() -> None:
    cut = Cut(left=2)
    file = sample_model({BIG: bytes(8 * MIB)}).manifest.files[0]
    piece = Piece(file, 0, 1, beside=True, inside=5 * MIB, since=4 * MIB, cut=cut)
    again = halves.part_again(piece)
    assert (again.inside, again.since, again.stop) == (4 * MIB, 4 * MIB, 8 * MIB)
    assert again.cut is cut
