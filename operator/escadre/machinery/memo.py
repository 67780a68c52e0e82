"""What was made from objects that do not change, kept for as long as they are the ones there are.

For pure functions of frozen arguments: asked again with equal ones, the answer is the one before,
the same object. There is no list of what counts: it is the arguments. Only the last answer of a
key is kept, and with it the arguments it was asked with last, so that no older object is held;
`keep_only` drops those of keys that are gone.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, ParamSpec, TypeVar

__all__ = ["Memo"]

P = ParamSpec("P")
T = TypeVar("T")


class Memo(Generic[P, T]):
    """The last answer of ``make`` for each key."""

    def __init__(self, make: Callable[P, T]) -> None:
        self._make = make
        self._known: dict[Hashable, tuple[tuple[object, ...], tuple[T]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, key: Hashable, *given: P.args, **named: P.kwargs) -> T:
        """The answer for these arguments."""
        arguments = (*given, *named.values())
        before, answer = self._known.get(key, ((), None))
        if answer is None or before != arguments:
            answer = (self._make(*given, **named),)
        self._known[key] = (arguments, answer)
        return answer[0]

    def keep_only(self, keys: Iterable[Hashable]) -> None:
        """Forgets the others."""
        for key in self._known.keys() - set(keys):
            del self._known[key]
