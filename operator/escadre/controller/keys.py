"""Keys of the work queue: which piece of the world to look at again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from typing_extensions import override

from escadre.machinery.queue import Priority

__all__ = [
    "FLEET",
    "FLEET_DEBOUNCE",
    "Add",
    "Begun",
    "Key",
    "approval_key",
    "deployment_key",
    "mirror_key",
    "node_key",
]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """``fleet`` has neither namespace nor name; the others but a deployment a name only."""

    kind: Literal["fleet", "deployment", "node", "approval", "mirror"]
    namespace: str = ""
    name: str = ""

    @override
    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def group(self) -> tuple[str, str]:
        """Whose turn it is among the keys of one priority: a namespace's, or a kind's of its own.

        Else a planning pass would wait until all nodes that the last one woke were looked at.
        """
        return self.kind, self.namespace


class Begun(float):
    """Seconds after which a pass looks again, before anything else is begun."""


Add = Callable[[Key, float, Priority], None]  # files a key, due after some seconds

FLEET: Final = Key("fleet")

# A burst of changes becomes one planning pass; the limit an edit may wait for its plan, in seconds.
FLEET_DEBOUNCE: Final = 0.1


def deployment_key(namespace: str, name: str) -> Key:
    """The children and the status of one ModelDeployment."""
    return Key("deployment", namespace, name)


def node_key(name: str) -> Key:
    """One GPUNode's spec and its Node's weight labels."""
    return Key("node", name=name)


def approval_key(name: str) -> Key:
    """One ModelApproval's status."""
    return Key("approval", name=name)


def mirror_key(name: str) -> Key:
    """One ModelMirror's status."""
    return Key("mirror", name=name)
