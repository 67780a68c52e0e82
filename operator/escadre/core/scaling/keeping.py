"""What was learned of a replica's speed, over restarts of the operator and changes of its leader.

The status of a deployment tells the factors that decisions use, which move seldom, and the kind of
replica that they are true of. A leader that knows nothing of the kind begins from them: they stand
where the prior stood, so its own readings soon count for more. A status is anybody's word: what it
tells of another kind is left alone, and no factor is believed beyond half and double. Pure.
"""

from hashlib import blake2b
from typing import NamedTuple

from escadre.api.scalingstatus import LearnedSpeed
from escadre.core.scaling.learning import Factors, Learned, clamped

__all__ = ["Kept", "begun", "kept", "telling"]


class Kept(NamedTuple):
    """What a status tells: a name of the kind, and the factors in percent."""

    key: str
    prompt: int
    fixed: int
    per_running: int
    per_cached_token: int

    @staticmethod
    def of(told: LearnedSpeed) -> "Kept":
        """As a status tells it."""
        return Kept(
            told.key,
            told.prompt_percent,
            told.step_percent,
            told.request_percent,
            told.cached_token_percent,
        )

    def told(self) -> LearnedSpeed:
        """For a status."""
        return LearnedSpeed(
            key=self.key,
            prompt_percent=self.prompt,
            step_percent=self.fixed,
            request_percent=self.per_running,
            cached_token_percent=self.per_cached_token,
        )


def kept(learned: Learned | None, before: Kept | None) -> Kept | None:
    """What to tell, ``before`` being told now.

    While nothing is known of today's kind, what was told of another one stays: a rollout may be
    taken back. None: nothing.
    """
    if learned is None:
        return before
    name = _name(learned.key)
    if learned.told_at is None:
        return before if before is not None and before.key != name else None
    return Kept(name, *(round(100 * one) for one in learned.told.each))


def begun(told: Kept | None, key: str, now: float) -> Learned | None:
    """Where a leader begins that has seen no replica of the kind; None where nothing tells of it.

    For the next ten minutes it stays so: the first readings are few.
    """
    if told is None or told.key != _name(key):
        return None
    _, *percents = told
    factors = Factors(*(clamped(one / 100) for one in percents))
    return Learned(key, told=factors, told_at=now, begun=factors)


def telling(*known: Learned | None) -> Learned | None:
    """The first that has something to tell, else the first."""
    there = [one for one in known if one is not None]
    return next((one for one in there if one.told_at is not None), there[0] if there else None)


def _name(key: str) -> str:
    """Of a kind, short enough for a status."""
    return blake2b(key.encode(), digest_size=8).hexdigest()
