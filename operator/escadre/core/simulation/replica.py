"""What a simulation knows of one replica and of one request. Pure data; engine.py works with it."""

from dataclasses import dataclass

from escadre.core.engines.amounts import ceil_div
from escadre.core.engines.speed import Speed
from escadre.core.engines.windows import BLOCK_TOKENS

__all__ = ["Job", "ReplicaModel", "Request", "blocks_of"]


@dataclass(frozen=True, slots=True)
class Request:
    """One line of a request log: when it arrived, in seconds, and its tokens, one at least each."""

    at: float
    prompt: int
    answer: int

    @property
    def longest(self) -> int:
        """Tokens in the cache before the last is given: that one is never read again."""
        return self.prompt + self.answer - 1


@dataclass(frozen=True, slots=True)
class ReplicaModel:
    """A replica as the engine is started with it, and how fast it is.

    ``cache_blocks`` are of ``BLOCK_TOKENS`` tokens. All layers keep every token: of a model with
    windows the cache holds more than is counted here.
    """

    speed: Speed
    cache_blocks: int
    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    gpus: int

    def takes(self, request: Request) -> bool:
        """Whether an engine answers it: vLLM refuses what is longer than --max-model-len."""
        return (
            request.prompt + request.answer <= self.max_model_len
            and blocks_of(request.longest) <= self.cache_blocks
        )

    def step_seconds(self, decoding: int, cached_tokens: int, prompt_tokens: int) -> float:
        """One step of the engine.

        Prompt tokens take their time beside the decode step of those that decode, as in the fit of
        ai-dynamo/aiconfigurator's measurements (a + b·B + c·tokens + d·prompt tokens). A step that
        only reads prompts reads the weights as well, while it computes.
        """
        prompt = prompt_tokens / self.speed.prefill_tokens_per_second
        if not decoding:
            return max(prompt, self.speed.decode.fixed)
        return prompt + self.speed.decode.seconds(decoding, cached_tokens)


@dataclass(slots=True)
class Job:
    """A request in an engine.

    ``computed`` tokens of it are in the cache, 0 after a preemption; ``emitted`` tokens were given.
    ``last_at`` is when the last of them was, in seconds.
    """

    request: Request
    computed: int = 0
    emitted: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    @property
    def remaining(self) -> int:
        """Tokens to compute until it gives the next; 1 while it decodes."""
        return self.request.prompt + self.emitted - self.computed

    @property
    def decodes(self) -> bool:
        """Whether its next step is one of decoding."""
        return self.emitted > 0 and self.remaining == 1


def blocks_of(tokens: int) -> int:
    """Blocks of the cache that so many tokens of one request take."""
    return ceil_div(tokens, BLOCK_TOKENS)
