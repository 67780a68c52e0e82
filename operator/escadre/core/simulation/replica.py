"""What a simulation knows of one replica and of one request. Pure data; engine.py works with it."""

from dataclasses import dataclass

from escadre.core.engines.speed import Speed
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.service import Prior

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

    @property
    def cache_tokens(self) -> int:
        """That its cache holds."""
        return self.cache_blocks * BLOCK_TOKENS

    @property
    def prior(self) -> Prior:
        """What scaling is told that it should be able to do."""
        return Prior(self.speed, self.cache_tokens, self.max_num_seqs, self.max_model_len)

    def takes(self, request: Request) -> bool:
        """Whether an engine answers it: vLLM refuses what is longer than --max-model-len."""
        return (
            request.prompt + request.answer <= self.max_model_len
            and blocks_of(request.longest) <= self.cache_blocks
        )

    @property
    def least_step(self) -> float:
        """Seconds that no step takes less than."""
        return self.speed.decode.fixed

    def pace(self, running: int, cached_tokens: int) -> tuple[float, float]:
        """Seconds of the next decode step, and how much longer each further one takes."""
        decode = self.speed.decode
        first = (
            decode.fixed + decode.per_running * running + decode.per_cached_token * cached_tokens
        )
        return first, decode.per_cached_token * running

    def step_seconds(self, decoding: int, cached_tokens: int, prompt_tokens: int) -> float:
        """One step of the engine.

        Prompt tokens take their time beside the decode step of those that decode, as in the fit of
        ai-dynamo/aiconfigurator's measurements (a + b·B + c·tokens + d·prompt tokens). A step that
        only reads prompts reads the weights as well, while it computes.
        """
        prompt = prompt_tokens / self.speed.prefill_tokens_per_second
        if not decoding:
            return max(prompt, self.least_step)
        return prompt + self.pace(decoding, cached_tokens)[0]


@dataclass(slots=True)
class Job:
    """A request in an engine; times in seconds.

    ``left`` tokens of its answer are to be given; ``computed`` tokens of it are in the cache, 0
    after a preemption. ``begun_at`` is when it first ran, -1 before; ``last_at`` when the last
    token was given. While it decodes with others these are as of the step when it ``joined`` them
    (decoding.py).
    """

    request: Request
    left: int
    computed: int = 0
    begun_at: float = -1.0
    first_at: float = 0.0
    last_at: float = 0.0
    joined: int = 0

    @property
    def remaining(self) -> int:
        """Tokens to compute until it gives the next; 1 while it decodes."""
        return self.request.prompt + self.request.answer - self.left - self.computed

    @property
    def decodes(self) -> bool:
        """Whether its next step is one of decoding."""
        return self.left < self.request.answer and self.remaining == 1

    def blocks_for(self, tokens: int) -> int:
        """Further blocks of the cache that so many more tokens of it take."""
        return blocks_of(self.computed + tokens) - blocks_of(self.computed)


def blocks_of(tokens: int) -> int:
    """Blocks of the cache that so many tokens of one request take."""
    return -(-tokens // BLOCK_TOKENS)
