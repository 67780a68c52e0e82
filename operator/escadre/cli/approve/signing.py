"""What `escadre approve sign` and `revoke` write: one ModelSignature. Pure.

The name is made from who says what about which content, so that the same word twice is the same
object, and a word about other content under the same approval's name is another one. Where a word
said before does not count any more (the policies that enforce four eyes were made anew), its name
is part of it too: a signature is never changed, so the same person says another one. It is the name
and not how many there are: an old one may be deleted.
"""

import hashlib
from typing import Any, Literal

from escadre.names import API_VERSION

__all__ = ["signature", "signature_name"]

_LONGEST_PREFIX = 200


def signature_name(
    approval: str, by: str, decision: str, content_digest: str, after: str = ""
) -> str:
    """Name of the ModelSignature; ``after`` is that person's newest one, if it does not count."""
    word = f"{by}\n{decision}\n{content_digest}" + (f"\n{after}" if after else "")
    suffix = hashlib.sha256(word.encode()).hexdigest()[:8]
    return f"{approval[:_LONGEST_PREFIX].rstrip('.-')}-{suffix}"


def signature(
    approval: str,
    by: str,
    decision: Literal["Approve", "Revoke"],
    content_digest: str,
    reason: str | None,
    after: str = "",
) -> dict[str, Any]:
    """The whole object."""
    spec: dict[str, Any] = {
        "approval": approval,
        "contentDigest": content_digest,
        "decision": decision,
        "by": by,
    }
    if reason:
        spec["reason"] = reason
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelSignature",
        "metadata": {"name": signature_name(approval, by, decision, content_digest, after)},
        "spec": spec,
    }
