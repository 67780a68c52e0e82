"""Errors of escadre.

    EscadreError
    ├── Refusal             a wish that cannot be fulfilled as it stands; carries a stable reason
    │   └── MirrorError     of clients/sources
    ├── Retryable           a fault outside that may pass; the caller tries again later
    ├── ApiError            of clients/kube: the API server did not do what was asked
    ├── ConnectionUnknown   of clients/kube: no way to an API server is known
    ├── Cancelled           of clients/sources: called off while reading
    ├── ManifestError       of core/weights: no canonical manifest
    ├── IntakeError         of core/weights: a model that must not be approved
    └── BadInput            of cli/shared: what was given on the command line is wrong

Clients derive theirs at their edge; nothing above clients/ knows the exceptions of a library.
"""

from escadre.reasons import Reason

__all__ = ["EscadreError", "Refusal", "Retryable"]


class EscadreError(Exception):
    """Base of all errors that are meant for a reader."""


class Refusal(EscadreError):
    """A refusal with a reason and a message for its reader.

    Args:
        reason: which one; on the wire it is its name.
        message: object, value, limit and next step.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Retryable(EscadreError):
    """A fault that may pass.

    Args:
        message: what was tried on which object and what came back.
        delay: seconds after which another try is worth it; the back-off never waits longer then.
    """

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.delay = delay
