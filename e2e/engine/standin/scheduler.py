"""Continuous batching, reduced to what makes queues: slots, a token budget per step, KV blocks.

Pure: ``engine.py`` calls ``step`` and lets time pass; this module knows no clock. The rules are
vLLM's: a step gives one token to every running sequence that is through its prompt, spends the
rest of the budget on prompts in chunks, admits from the queue in order of arrival while a slot
and blocks are free, and sends the youngest back to the queue when blocks run out.
"""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Scheduler", "Sequence", "Step"]


@dataclass(slots=True, eq=False)
class Sequence:
    """One request: how much of its prompt is computed and how many tokens it has."""

    prompt_tokens: int
    max_tokens: int
    computed: int = 0
    generated: int = 0
    blocks: int = 0
    preemptions: int = 0
    target: int = field(init=False)  # tokens to compute before the next one can be generated

    def __post_init__(self) -> None:
        self.target = self.prompt_tokens

    @property
    def decoding(self) -> bool:
        """Whether the whole prompt is computed."""
        return self.computed >= self.target

    @property
    def done(self) -> bool:
        """Whether it has all the tokens it may have."""
        return self.generated >= self.max_tokens


@dataclass(slots=True)
class Step:
    """What one step did."""

    admitted: list[Sequence] = field(default_factory=list)
    decoded: list[Sequence] = field(default_factory=list)
    finished: list[Sequence] = field(default_factory=list)
    prefilled_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens that went through the model."""
        return self.prefilled_tokens + len(self.decoded)


class Scheduler:
    """The queue, the batch, and the blocks."""

    def __init__(
        self, *, max_num_seqs: int, max_num_batched_tokens: int, blocks: int, block_size: int
    ) -> None:
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.blocks = blocks
        self.free_blocks = blocks
        self._max_num_seqs = max_num_seqs
        self._budget = max_num_batched_tokens
        self._block_size = block_size

    @property
    def usage(self) -> float:
        """Share of the KV blocks in use, 0 to 1."""
        return 1 - self.free_blocks / self.blocks

    def add(self, sequence: Sequence) -> None:
        """Put a new request at the end of the queue."""
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a request wherever it is (its client left, or the engine shuts down)."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._release(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)

    def step(self) -> Step:
        """Advance every running sequence and admit what fits."""
        step = Step()
        budget = self._decode(step)
        for sequence in list(self.running):
            if budget > 0 and not sequence.decoding:
                budget -= self._prefill(sequence, budget, step)
        while budget > 0 and self.waiting and len(self.running) < self._max_num_seqs:
            sequence = self.waiting[0]
            if self._blocks_for(sequence.target + 1) > self.free_blocks:
                break
            self.waiting.popleft()
            self._grow(sequence, sequence.target + 1)
            self.running.append(sequence)
            step.admitted.append(sequence)
            budget -= self._prefill(sequence, budget, step)
        for sequence in step.finished:
            self.remove(sequence)
        return step

    def _decode(self, step: Step) -> int:
        """One token for every sequence through its prompt; the budget that is left."""
        budget = self._budget
        for sequence in list(self.running):
            if not sequence.decoding or sequence not in self.running or budget <= 0:
                continue
            if self._make_room(sequence):
                self._emit(sequence, step)
                budget -= 1
        return budget

    def _prefill(self, sequence: Sequence, budget: int, step: Step) -> int:
        """Compute the next chunk of a prompt; its last chunk gives the first token."""
        chunk = min(budget, sequence.target - sequence.computed)
        sequence.computed += chunk
        step.prefilled_tokens += chunk
        if sequence.decoding:
            self._emit(sequence, step)
        return chunk

    def _emit(self, sequence: Sequence, step: Step) -> None:
        sequence.generated += 1
        step.decoded.append(sequence)
        if sequence.done:
            step.finished.append(sequence)

    def _make_room(self, sequence: Sequence) -> bool:
        """Give ``sequence`` the block its next token may need, at the youngest one's cost."""
        needed = sequence.prompt_tokens + sequence.generated + 1
        while self._blocks_for(needed) - sequence.blocks > self.free_blocks:
            youngest = self.running[-1]
            if youngest is sequence:
                if len(self.running) == 1:
                    break  # admitted alone it always fits: max_model_len <= KV tokens
                self._preempt(sequence)
                return False
            self._preempt(youngest)
        self._grow(sequence, needed)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._release(sequence)
        sequence.computed = 0
        sequence.target = sequence.prompt_tokens + sequence.generated
        sequence.preemptions += 1
        self.waiting.appendleft(sequence)

    def _blocks_for(self, tokens: int) -> int:
        return -(-tokens // self._block_size)

    def _grow(self, sequence: Sequence, tokens: int) -> None:
        missing = max(0, min(self._blocks_for(tokens) - sequence.blocks, self.free_blocks))
        sequence.blocks += missing
        self.free_blocks -= missing

    def _release(self, sequence: Sequence) -> None:
        self.free_blocks += sequence.blocks
        sequence.blocks = 0
