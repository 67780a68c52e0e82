"""Errors of escadre.

    EscadreError
    ├── Refusal      a wish that cannot be fulfilled as it stands; carries a stable reason
    └── Retryable    a fault outside that may pass; the caller tries again later

Clients derive their own errors from these at their edge; nothing above clients/ knows the
exceptions of a library.
"""

__all__ = ["EscadreError", "Refusal", "Retryable"]


class EscadreError(Exception):
    """Base of all errors that are meant for a reader."""


class Refusal(EscadreError):
    """A refusal with a reason from escadre.reasons and a message for its reader.

    Args:
        reason: stable CamelCase reason.
        message: object, value, limit and next step.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Retryable(EscadreError):
    """A fault that may pass.

    Args:
        message: what was tried on which object and what came back.
        delay: seconds to wait at least before the next try, None to leave it to the back-off.
    """

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.delay = delay
