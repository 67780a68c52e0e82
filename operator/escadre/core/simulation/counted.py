"""What a simulated engine has counted since its start, as vLLM counts it. Pure; engine.py keeps it.

Prompts once they are read, tokens as they are given, prefill at a request's end
(vllm-project/vllm:vllm/v1/metrics/stats.py, IterationStats).
"""

from dataclasses import dataclass, field

from escadre.core.scaling.demand import Sums, Work
from escadre.core.simulation.gaps import Gaps
from escadre.core.simulation.replica import Job

__all__ = ["Counted"]


@dataclass(slots=True)
class Counted:
    """Sums; ``given`` are tokens of answers, ``firsts`` those of them that came first."""

    gaps: Gaps = field(default_factory=Gaps)
    preemptions: int = 0
    prompt_tokens: int = 0
    given: int = 0
    firsts: int = 0
    gap_seconds: float = 0.0
    answered: int = 0
    prefill_seconds: float = 0.0
    prefilled_tokens: int = 0
    _told: Work | None = None

    @property
    def work(self) -> Work:
        """As a scrape has it: no number changes without a token or a preemption."""
        told = self._told
        if (
            told is None
            or told.generation_tokens != self.given
            or told.preemptions != self.preemptions
        ):
            self._told = told = Work(
                prompt_tokens=self.prompt_tokens,
                generation_tokens=self.given,
                answered=self.answered,
                preemptions=self.preemptions,
                prefill=Sums(self.prefill_seconds, self.answered),
                prefilled_tokens=self.prefilled_tokens,
                gaps=Sums(self.gap_seconds, self.given - self.firsts),
            )
        return told

    def emit(self, job: Job, now: float) -> None:
        """One token of a request."""
        if job.left < job.request.answer:
            self.gaps.add(now - job.last_at)
            self.gap_seconds += now - job.last_at
        else:
            self.firsts += 1
            self.prompt_tokens += job.request.prompt
        self.given += 1

    def decode(self, first: float, growth: float, steps: int, count: int) -> None:
        """``steps`` tokens of each of so many; each step is longer by ``growth`` than the last."""
        self.gaps.add_growing(first, growth, steps, count)
        self.gap_seconds += count * (steps * first + growth * steps * (steps - 1) / 2)
        self.given += count * steps

    def emit_together(self, seconds: float, count: int, *, summed: bool) -> None:
        """One token each of so many, all of them ``seconds`` after the one before.

        ``summed``: one gap after the other, which ends in another last bit than their product.
        """
        self.gaps.add(seconds, count)
        self.given += count
        if summed:
            for _ in range(count):
                self.gap_seconds += seconds
        else:
            self.gap_seconds += count * seconds

    def end(self, job: Job) -> None:
        """A request that was answered."""
        self.answered += 1
        self.prefill_seconds += job.first_at - job.begun_at
        self.prefilled_tokens += job.request.prompt
