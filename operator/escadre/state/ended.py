"""ModelDeployments whose end was heard of. From handlers of the caches alone; no I/O.

What Kubernetes' garbage collector takes anyhow may be taken at once, of those and of no others: a
cache that does not have a ModelDeployment may not have heard of it yet. A restart forgets them, and
after a while nobody needs to know: the collector has been there.
"""

from collections.abc import Callable
from typing import Final

from escadre.machinery.informer import Informer
from escadre.state.views import DeploymentView

__all__ = ["Ended"]

_KNOWN_SECONDS: Final = 600.0


class Ended:
    """Asked for uids; ``now`` is the clock, in seconds."""

    def __init__(self, deployments: Informer[DeploymentView], now: Callable[[], float]) -> None:
        self._now = now
        self._heard: dict[str, float] = {}  # by uid
        deployments.on_change(self._deployment)

    def __len__(self) -> int:
        return len(self._heard)

    def __contains__(self, uid: str) -> bool:
        return uid in self._heard

    def settle(self, uid: str) -> None:
        """What hung on it was seen to."""
        self._heard.pop(uid, None)

    def _deployment(self, _: str, old: DeploymentView | None, new: DeploymentView | None) -> None:
        if old is None or (new is not None and new.uid == old.uid):
            return
        now = self._now()
        known = self._heard.items()
        self._heard = {uid: at for uid, at in known if now <= at + _KNOWN_SECONDS}
        self._heard[old.uid] = now
