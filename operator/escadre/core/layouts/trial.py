"""What one model and wish come to in any shape on any product: legal or not, and how it fills.

core/layouts/search.py asks it for each shape that it tries. What is the same on every product is
worked out once. Pure.
"""

from typing import Final, NamedTuple

from escadre.api.approval import Architecture
from escadre.core.engines.legality import candidate_sizes, check_size
from escadre.core.engines.refusal import LayoutRefusal
from escadre.core.engines.shape import Shape
from escadre.core.engines.stages import check_stages
from escadre.core.engines.textonly import without_encoder
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import (
    Candidate,
    Engine,
    GPUProduct,
    Need,
    candidate,
    most_sequences,
    refuse_memory,
)
from escadre.core.layouts.shapes import MOST_GPUS
from escadre.core.profile import EngineProfile

__all__ = ["Judged", "Trial"]

_DEFAULT_TYPICAL_TOKENS: Final = 4096


class Judged(NamedTuple):
    """A shape, filled where it is legal, and what stands against it."""

    one: Candidate | None
    refusal: LayoutRefusal | None


class Trial(NamedTuple):
    """One model and wish to be tried: how full a GPU may be, and what is the same on every product.

    ``legal`` says of each tensor parallel size what stands against it. ``served`` is the model as
    it fills memory, without the encoder that the wish leaves out, where the engine can; legality
    asks for the whole.
    """

    architecture: Architecture
    wish: Wish
    need: Need
    percent: int
    profile: EngineProfile
    sizes: tuple[int, ...]
    legal: dict[int, LayoutRefusal | None]
    served: Architecture

    @staticmethod
    def of(architecture: Architecture, wish: Wish, percent: int, profile: EngineProfile) -> "Trial":
        """Nothing is judged yet."""
        sizes = candidate_sizes(architecture, MOST_GPUS)
        served = architecture
        if wish.text_only and profile.leaves_encoder_out:
            served = without_encoder(architecture)
        return Trial(architecture, wish, _need(wish), percent, profile, sizes, {}, served)

    @property
    def text_only(self) -> bool:
        """Whether there is an encoder, and it is left out."""
        whole, served = self.architecture, self.served
        heads = (whole.vision_heads, whole.audio_heads)
        return heads != (served.vision_heads, served.audio_heads)

    def judge(self, product: GPUProduct, shape: Shape) -> Judged:
        """The shape, filled where it is legal, with as many requests as the wish leaves open."""
        refusal = self._refusal(shape)
        if refusal is not None:
            return Judged(None, refusal)
        engine = Engine(self.percent, self.profile.memory)
        one = candidate(self.served, self.need, product, shape, engine)
        refusal = refuse_memory(self.need, one.fill)
        if refusal is None and self.need.concurrency is None:
            one = most_sequences(self.served, self.need, one)
        return Judged(one, refusal)

    def _refusal(self, shape: Shape) -> LayoutRefusal | None:
        """Why the engine would refuse the shape."""
        if shape.tensor not in self.legal:
            self.legal[shape.tensor] = check_size(self.architecture, shape.tensor)
        return self.legal[shape.tensor] or check_stages(self.architecture, shape.pipeline)


def _need(wish: Wish) -> Need:
    return Need(
        wish.context_length,
        wish.typical_tokens or min(wish.context_length, _DEFAULT_TYPICAL_TOKENS),
        wish.concurrency,
    )
