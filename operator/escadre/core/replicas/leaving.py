"""Whether a pod that is being deleted may end sooner than its grace period says. Pure.

The grace period is for requests in flight. An engine that still loads has none, and vLLM loses the
SIGTERM that reaches it during its start: it would load to the end and hold its GPUs until SIGKILL.
One that hangs finishes none.
However the deletion began (scaling down, a rollback, a drained node, the deployment itself), its
pod is seen here. controller/deployment.py deletes it again with less grace.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["LOADING_GRACE_SECONDS", "Leaving", "hurried"]

# Some seconds for what can end well; the GPUs are free within half a minute.
LOADING_GRACE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Leaving:
    """What of a pod tells how it may end.

    ``loading``: its engine runs and was never ready. ``grace`` is the whole time it was given.
    ``hung``: its engine computes nothing any more.
    """

    terminating: bool
    loading: bool
    grace: int
    hung: bool = False


def hurried(pod: Leaving) -> bool:
    """Whether to delete it again, with less grace."""
    useless = pod.loading or pod.hung
    return pod.terminating and useless and pod.grace > LOADING_GRACE_SECONDS
