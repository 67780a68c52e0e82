"""The smallest and the largest file of a model: what a mirror is asked for as a sample. Pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

__all__ = ["FileOfModel", "extremes"]


class FileOfModel(Protocol):
    """A file as approvals and probes have it."""

    @property
    def path(self) -> str:
        """Its path."""
        ...

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Its approved digest."""
        ...


_File = TypeVar("_File", bound=FileOfModel)


def extremes(files: Iterable[_File]) -> tuple[_File, _File]:
    """The smallest and the largest with content, by path among equals; ValueError without one."""
    by_size = sorted((one for one in files if one.size), key=lambda one: (one.size, one.path))
    if not by_size:
        raise ValueError("no file has content")
    return by_size[0], by_size[-1]
