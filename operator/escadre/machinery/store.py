"""The memory of one informer: projected objects by key, with indices.

Decides what counts as a change: versions of objects only go up (resourceVersions of one resource
are comparable, KEP-5504), so that duplicate and late events, relists and the answers of our own
writes may arrive in any order. Private to the informer; does no I/O and calls nobody.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

__all__ = ["Change", "Key", "Store", "Stored", "key_of", "version_of"]


class Stored(Protocol):
    """What a projection must keep of an object's metadata."""

    @property
    def namespace(self) -> str:
        """Empty for cluster-scoped objects."""
        ...

    @property
    def name(self) -> str:
        """``metadata.name``."""
        ...

    @property
    def uid(self) -> str:
        """``metadata.uid``."""
        ...

    @property
    def resource_version(self) -> str:
        """``metadata.resourceVersion``."""
        ...


T = TypeVar("T", bound=Stored)
Key = tuple[str, str]  # namespace, name
Change = tuple[T | None, T | None]  # old, new
Index = Callable[[T], Iterable[Hashable]]


def key_of(obj: Mapping[str, Any]) -> Key:
    """Namespace (empty if cluster-scoped) and name of an object."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def version_of(obj: Mapping[str, Any]) -> int:
    """The object's resourceVersion as a number."""
    return int(obj["metadata"]["resourceVersion"])


class Store(Generic[T]):
    """Objects of one resource; every mutator returns the changes it made, in order."""

    def __init__(
        self, project: Callable[[dict[str, Any]], T], indices: Mapping[str, Index[T]]
    ) -> None:
        self._project = project
        self._functions = dict(indices)
        self._objects: dict[Key, T] = {}
        self._indices: dict[str, dict[Hashable, dict[Key, None]]] = {name: {} for name in indices}
        self.seen = 0  # the highest resourceVersion heard of

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> T | None:
        """The object of that key."""
        return self._objects.get(key)

    def values(self) -> Iterable[T]:
        """All objects; not to be iterated across an await."""
        return self._objects.values()

    def by(self, index: str, value: Hashable) -> tuple[T, ...]:
        """The objects that ``index`` files under ``value``."""
        return tuple(self._objects[key] for key in self._indices[index].get(value, ()))

    def saw(self, version: int) -> None:
        """A bookmark: everything up to ``version`` has been heard."""
        self.seen = max(self.seen, version)

    def put(self, obj: dict[str, Any]) -> list[Change[T]]:
        """An object as listed, watched or written; older than the one held, it changes nothing."""
        key, version = key_of(obj), version_of(obj)
        self.saw(version)
        old = self._objects.get(key)
        if old is not None and int(old.resource_version) >= version:
            return []
        new = self._projected(obj, old)
        changes: list[Change[T]] = []
        if old is not None:
            self._unfile(key, old)
            if old.uid != new.uid:  # its deletion was never heard of
                changes.append((old, None))
                old = None
        self._objects[key] = new
        self._file(key, new)
        changes.append((old, new))
        return changes

    def _projected(self, obj: dict[str, Any], old: T | None) -> T:
        """What is kept of an object; one that knows how makes less work of its later versions."""
        later = getattr(old, "later", None)
        if old is None or later is None or old.uid != obj["metadata"]["uid"]:
            return self._project(obj)
        return cast("T", later(obj))

    def note(self, obj: dict[str, Any]) -> list[Change[T]]:
        """The answer of our own write, unless the object has gone since."""
        if key_of(obj) not in self._objects and version_of(obj) <= self.seen:
            return []
        seen = self.seen
        changes = self.put(obj)
        self.seen = seen  # events of others below this version are still to come
        return changes

    def remove(self, obj: dict[str, Any]) -> list[Change[T]]:
        """A deletion as watched; late ones, of an older object of that name, change nothing."""
        version = version_of(obj)
        self.saw(version)
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None or old.uid != obj["metadata"]["uid"] or int(old.resource_version) > version:
            return []
        return self._drop(key, old)

    def keep_only(self, keys: Iterable[Key], version: int) -> list[Change[T]]:
        """After a list at ``version``: what was not in it and is not younger has been deleted."""
        self.saw(version)
        gone = self._objects.keys() - set(keys)
        changes: list[Change[T]] = []
        for key in sorted(gone):
            old = self._objects[key]
            if int(old.resource_version) <= version:
                changes += self._drop(key, old)
        return changes

    def _drop(self, key: Key, old: T) -> list[Change[T]]:
        del self._objects[key]
        self._unfile(key, old)
        return [(old, None)]

    def _file(self, key: Key, thing: T) -> None:
        for name, function in self._functions.items():
            for value in function(thing):
                self._indices[name].setdefault(value, {})[key] = None

    def _unfile(self, key: Key, thing: T) -> None:
        for name, function in self._functions.items():
            index = self._indices[name]
            for value in function(thing):
                index[value].pop(key, None)
                if not index[value]:
                    del index[value]
