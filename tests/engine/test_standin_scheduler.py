"""Continuous batching as far as queues need it."""

from e2e.engine.standin.scheduler import Scheduler, Sequence
from hypothesis import given
from hypothesis import strategies as st


def _scheduler(
    *, seqs: int = 4, batched: int = 2048, blocks: int = 1000, block_size: int = 16
) -> Scheduler:
    return Scheduler(
        max_num_seqs=seqs, max_num_batched_tokens=batched, blocks=blocks, block_size=block_size
    )


def test_no_more_run_than_there_are_slots_and_the_others_wait() -> None:
    scheduler = _scheduler(seqs=4)
    for _ in range(12):
        scheduler.add(Sequence(prompt_tokens=5, max_tokens=3))
    scheduler.step()
    assert (len(scheduler.running), len(scheduler.waiting)) == (4, 8)


def test_the_first_token_comes_with_the_prompts_last_chunk() -> None:
    scheduler = _scheduler(batched=64)
    sequence = Sequence(prompt_tokens=150, max_tokens=2)
    scheduler.add(sequence)
    steps = [scheduler.step() for _ in range(4)]
    assert [step.prefilled_tokens for step in steps] == [64, 64, 22, 0]
    assert [len(step.decoded) for step in steps] == [0, 0, 1, 1]
    assert steps[3].finished == [sequence]
    assert scheduler.usage == 0


def test_a_long_prompt_keeps_others_out_of_the_batch() -> None:
    scheduler = _scheduler(batched=64)
    for _ in range(4):
        scheduler.add(Sequence(prompt_tokens=4000, max_tokens=1))
    scheduler.step()
    assert (len(scheduler.running), len(scheduler.waiting)) == (1, 3)


def test_when_blocks_run_out_the_youngest_goes_back_and_still_ends() -> None:
    scheduler = _scheduler(blocks=6, block_size=4)
    first = Sequence(prompt_tokens=7, max_tokens=12)
    second = Sequence(prompt_tokens=7, max_tokens=12)
    scheduler.add(first)
    scheduler.add(second)
    finished: list[Sequence] = []
    for _ in range(200):
        finished += scheduler.step().finished
    assert finished == [first, second]
    assert second.preemptions > 0
    assert first.generated == second.generated == 12


def test_a_removed_sequence_frees_its_blocks_wherever_it_was() -> None:
    scheduler = _scheduler(seqs=1)
    running, waiting = Sequence(40, 9), Sequence(40, 9)
    scheduler.add(running)
    scheduler.add(waiting)
    scheduler.step()
    scheduler.remove(waiting)
    scheduler.remove(running)
    assert scheduler.usage == 0
    assert not scheduler.running
    assert not scheduler.waiting


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(8, 64),
)
def test_every_request_ends_with_all_its_tokens_and_no_block_is_lost(
    wishes: list[tuple[int, int]], seqs: int, batched: int
) -> None:
    scheduler = _scheduler(seqs=seqs, batched=batched, blocks=24, block_size=4)
    sequences = [Sequence(prompt, tokens) for prompt, tokens in wishes]
    for sequence in sequences:
        scheduler.add(sequence)
    for _ in range(20_000):
        scheduler.step()
        assert len(scheduler.running) <= seqs
        assert 0 <= scheduler.free_blocks <= scheduler.blocks
        if not scheduler.running and not scheduler.waiting:
            break
    assert all(sequence.done for sequence in sequences)
    assert scheduler.free_blocks == scheduler.blocks
