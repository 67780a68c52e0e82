"""The layouts that hold a wish, best first, as the fleet chooses among them. Pure.

core/layouts/search.py makes them for each wish; core/fleet/placement.py takes the one that it has
room for, mostly the first. To word a layout with all its arithmetic takes longer than to find it,
so each is worded when somebody asks for it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from typing_extensions import override

from escadre.api.deployment import Layout

__all__ = ["NO_LAYOUTS", "Alternatives", "Size"]

Size = tuple[str, int]  # GPUs of a product


class Alternatives:
    """A sequence of layouts; ``sizes`` says of each, unworded, how many GPUs of which product."""

    def __init__(self, sizes: Sequence[Size], worded: Callable[[int], Layout]) -> None:
        self.sizes: Final = tuple(sizes)
        self._worded = worded
        self._known: dict[int, Layout] = {}

    @staticmethod
    def of(layouts: Sequence[Layout]) -> "Alternatives":
        """Layouts that are worded already."""
        return Alternatives([(one.product, one.gpus) for one in layouts], layouts.__getitem__)

    def after(self, first: Layout) -> "Alternatives":
        """The same with one before all others."""

        def worded(index: int) -> Layout:
            return self[index - 1] if index else first

        return Alternatives([(first.product, first.gpus), *self.sizes], worded)

    def __getitem__(self, index: int) -> Layout:
        if index not in self._known:
            self._known[index] = self._worded(index)
        return self._known[index]

    def __iter__(self) -> Iterator[Layout]:
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        return len(self.sizes)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alternatives) and tuple(self) == tuple(other)

    @override
    def __hash__(self) -> int:
        return hash(self.sizes)


NO_LAYOUTS: Final = Alternatives.of(())
