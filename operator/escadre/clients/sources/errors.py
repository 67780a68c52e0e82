"""What can go wrong between a node and a mirror: one class per reason.

    Refusal
    └── MirrorError              transient: whether another try may help by itself
        ├── MirrorUnavailable    no connection, errors, broken or unusable answers
        │   └── MirrorBusy       429, 503, no connection: no room for this request now
        ├── AddressRefused       its name leads to an address that the platform does not allow
        ├── Unauthorized         401, 403
        ├── NotFound             404, 410, naming the URL
        ├── MirrorSlow           no byte for longer than the idle limit
        ├── DigestMismatch       other bytes than the approved ones
        └── RangesUnsupported    internal: the file has to be read as one stream

Raised by clients/sources, turned into status and metrics by the agent. Messages carry URLs without
credentials: a mirror's URL has none by its schema, and queries are cut off.
"""

__all__ = [
    "AddressRefused",
    "DigestMismatch",
    "MirrorBusy",
    "MirrorError",
    "MirrorSlow",
    "MirrorUnavailable",
    "NotFound",
    "RangesUnsupported",
    "Unauthorized",
]

from escadre import reasons
from escadre.errors import Refusal


class MirrorError(Refusal):
    """A fault of a mirror.

    Args:
        message: what was asked of which URL and what came back.
        transient: whether the same request may succeed a little later.
        delay: seconds the mirror asked to wait, None when it said nothing.
    """

    REASON = reasons.MIRROR_UNAVAILABLE

    def __init__(
        self, message: str, *, transient: bool = False, delay: float | None = None
    ) -> None:
        super().__init__(self.REASON, message)
        self.transient = transient
        self.delay = delay


class MirrorUnavailable(MirrorError):
    """The mirror does not answer, or not in a way that can be used."""


class MirrorBusy(MirrorUnavailable):
    """The mirror takes no further request just now; others may well go on."""


class AddressRefused(MirrorError):
    """The mirror's name leads to an address where no mirror may be."""

    REASON = reasons.MIRROR_ADDRESS_REFUSED


class Unauthorized(MirrorError):
    """The mirror refuses the credentials; ``challenge`` is its WWW-Authenticate header."""

    REASON = reasons.UNAUTHORIZED
    challenge = ""


class NotFound(MirrorError):
    """The mirror has no such file."""

    REASON = reasons.MIRROR_FILE_NOT_FOUND


class MirrorSlow(MirrorError):
    """The mirror stopped delivering."""

    REASON = reasons.MIRROR_SLOW


class DigestMismatch(MirrorError):
    """The mirror's bytes are not the approved bytes."""

    REASON = reasons.DIGEST_MISMATCH


class RangesUnsupported(MirrorError):
    """The mirror does not serve byte ranges of this file as asked."""
