"""The GPUs that simulated deployments share: who waits longest has the next ones. Pure."""

from dataclasses import dataclass, field

__all__ = ["Pool"]


@dataclass(slots=True)
class Pool:
    """``free`` GPUs, None for as many as are asked for; ``waiting`` deployments, longest first."""

    free: int | None = None
    waiting: list[int] = field(default_factory=list)

    def take(self, who: int, gpus: int) -> bool:
        """Takes so many for a replica of the deployment; it waits when there are not enough."""
        if self.free is None:
            return True
        first = not self.waiting or self.waiting[0] == who
        if first and gpus <= self.free:
            self.free -= gpus
            return True
        if who not in self.waiting:
            self.waiting.append(who)
        return False

    def give(self, gpus: int) -> None:
        """Those of a replica that is gone."""
        if self.free is not None:
            self.free += gpus

    def served(self, who: int) -> None:
        """It has all that it wants."""
        if who in self.waiting:
            self.waiting.remove(who)

    def contended_for(self, who: int) -> bool:
        """Whether another than this one waits."""
        return any(other != who for other in self.waiting)
