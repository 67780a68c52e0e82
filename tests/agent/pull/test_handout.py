"""Which worker fetches what: against played mirrors, in virtual time."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.pull.played import MIB, Filling, Mirror, Played, a_file

from escadre.agent.pull.piece import Piece
from escadre.core.weights.manifest import ManifestFile, chunk_at

WEIGHTS = a_file("weights", 2048 * MIB)
TOKENS = a_file("tokens", 16 * MIB)
PARAMS = a_file("params", 1000)
SHARDS = [a_file(f"shard{n}", 512 * MIB) for n in range(4)]


def together(files: list[ManifestFile]) -> int:
    return sum(file.size for file in files)


def all_chunks(files: list[ManifestFile]) -> list[tuple[str, int]]:
    return [(file.path, n) for file in files for n in range(len(file.chunks))]


def test_a_file_begins_as_one_stream_from_its_first_missing_chunk() -> None:
    played = Played(Mirror(), [WEIGHTS], done={"weights": {0, 1, 2, 9}})
    piece = played.handout.next(0.0)
    assert piece
    assert (piece.at, piece.end, piece.beside) == (3, 9, False)
    assert played.handout.next(0.0) is None


def test_a_mirror_that_seeks_is_read_by_all_at_once() -> None:
    files = [WEIGHTS, TOKENS]
    played = Played(Mirror(pace=100e6), files).run()
    assert sorted(played.verified) == sorted(all_chunks(files))
    assert played.now < together(files) / (100e6 * 8) * 1.4
    assert played.mirror.source_bytes < together(files) * 2  # a stream asks for what ranges bring


def test_one_file_alone_is_read_by_ranges_where_its_stream_is_slow() -> None:
    played = Played(Mirror(pace=3e6), [WEIGHTS]).run()
    assert played.now < WEIGHTS.size / (3e6 * 8) * 1.2


@pytest.mark.parametrize(
    "files",
    [[WEIGHTS, TOKENS, PARAMS], [*SHARDS, TOKENS, PARAMS], [WEIGHTS]],
    ids=["one", "shards", "alone"],
)
@pytest.mark.parametrize("pace", [70e6, 800e6])
def test_a_cache_that_fills_is_asked_for_each_file_once(
    files: list[ManifestFile], pace: float
) -> None:
    played = Played(Filling(pace=pace, latency=0.005), files).run()
    assert sorted(played.verified) == sorted(all_chunks(files))
    assert played.mirror.source_bytes <= 1.2 * together(files)
    assert played.now <= 1.3 * together(files) / pace


def test_a_cache_that_fills_slowly_costs_one_range_where_nothing_small_told() -> None:
    played = Played(Filling(pace=20e6), [WEIGHTS]).run()
    assert played.mirror.source_bytes == 2 * WEIGHTS.size
    assert played.now <= 1.01 * WEIGHTS.size / 20e6


@pytest.mark.parametrize("retry_after", [None, 30.0])
def test_five_go_on_where_five_are_let_in(retry_after: float | None) -> None:
    widths: list[int] = []
    mirror = Mirror(pace=3e6, most=5, retry_after=retry_after)
    files = [a_file("weights", 4096 * MIB)]
    played = Played(mirror, files, watch=lambda p: widths.append(len(p.handout.asking))).run()
    assert sorted(played.verified) == all_chunks(files)  # none twice
    assert played.now <= 1.15 * together(files) / (5 * mirror.pace)
    assert mirror.refused <= 8  # pauses double


@pytest.mark.parametrize("most", [3, 5, 7])
def test_no_reader_is_waited_for_at_the_end(most: int) -> None:
    mirror = Mirror(pace=3e6, most=most)
    files = [a_file("weights", 496 * MIB), TOKENS, PARAMS]
    played = Played(mirror, files, ceiling=most).run()
    assert sorted(played.verified) == sorted(all_chunks(files))
    assert played.now <= 1.08 * together(files) / (most * mirror.pace)


def test_what_takes_less_than_a_second_more_is_not_cut() -> None:
    played = Played(Mirror(pace=100e6), [WEIGHTS, TOKENS]).run()
    assert len(played.brought) == len(played.verified)


def test_what_a_stream_passes_over_is_not_cut() -> None:
    played = Played(Mirror(), [WEIGHTS], done={"weights": {1}})
    played.handout.ranges = False
    stream = played.handout.next(0.0)
    assert stream
    assert played.handout.advance(stream) is False
    assert stream.at == 1
    assert stream.entire
    assert played.handout.advance(stream)
    assert not stream.entire


def test_a_part_that_came_to_nothing_is_brought_by_another() -> None:
    mirror = Mirror(pace=3e6)

    def watch(played: Played) -> None:
        parts = any(piece.cut for piece in played.handout.asking)
        mirror.latency = 10.0 if parts and not mirror.refused else 0.002
        mirror.refused += mirror.latency == 10.0

    played = Played(mirror, [WEIGHTS], watch=watch).run()
    assert mirror.refused
    assert_each_byte_once(played, [(WEIGHTS, range(len(WEIGHTS.chunks)))])


def test_a_mirror_that_takes_nothing_is_given_up_after_the_tries() -> None:
    played = Played(Mirror(most=0), [WEIGHTS, TOKENS]).run()
    assert played.error
    assert played.mirror.asked == 6  # by all workers together


def test_a_long_wait_is_not_sat_out() -> None:
    played = Played(Mirror(most=0, retry_after=3000), [WEIGHTS]).run()
    assert played.error
    assert played.error.delay == 3000
    assert played.mirror.asked == 1


def test_after_a_fault_that_stays_each_ends_with_its_chunk() -> None:
    def spoil(played: Played) -> None:
        if played.now > 2:
            played.handout.fault = ValueError("of another worker")

    played = Played(Mirror(pace=30e6), SHARDS, watch=spoil)
    begun: set[Piece] = set()
    played.run(2.1)
    begun |= played.handout.asking
    assert begun
    assert all(played.handout.advance(piece) is None for piece in begun)
    assert played.handout.next(played.now) is None


def assert_each_byte_once(
    played: Played, missing: Iterable[tuple[ManifestFile, Iterable[int]]]
) -> None:
    """Those who brought bytes of a chunk that was missing brought all of them, each one once."""
    for file, chunks in missing:
        for number in chunks:
            chunk = chunk_at(file, number)
            end = chunk.offset + chunk.size
            parts = sorted(
                (first, behind)
                for path, first, behind in played.brought
                if path == file.path and chunk.offset <= first < end
            )
            assert [first for first, _ in parts] == [chunk.offset, *(end for _, end in parts[:-1])]
            assert parts[-1][1] == end


MIRRORS = st.builds(
    lambda kind, pace, latency, most: kind(pace=pace, latency=latency, most=most),
    st.sampled_from([Mirror, Filling]),
    st.floats(1e6, 2e9),
    st.floats(0.0001, 10),
    st.integers(1, 12),
)
SIZES = st.lists(st.integers(1, 700 * MIB), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(MIRRORS, SIZES, st.data())
def test_every_chunk_is_fetched_once_within_the_width(
    mirror: Mirror, sizes: list[int], data: st.DataObject
) -> None:
    files = [a_file(f"f{n}", size) for n, size in enumerate(sizes)]
    done = {
        file.path: data.draw(st.sets(st.integers(0, len(file.chunks) - 1), max_size=3))
        for file in files
    }
    files = [file for file in files if len(done[file.path]) < len(file.chunks)]

    def watch(played: Played) -> None:
        width = played.handout.width
        assert 1 <= width.limit <= width.ceiling
        assert len(played.handout.asking) <= width.ceiling

    played = Played(mirror, files, done=done, watch=watch).run()
    missing = [(path, n) for path, n in all_chunks(files) if n not in done[path]]
    assert not played.error
    assert sorted(played.verified) == sorted(missing)
    assert_each_byte_once(
        played, [(f, [n for path, n in missing if path == f.path]) for f in files]
    )
    assert played.handout.over
