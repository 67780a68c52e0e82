"""What `escadre approve sign` and `revoke` write: one ModelSignature. Pure.

The name is made from who says what about which content, so that the same word twice is the same
object, and a word about other content under the same approval's name is another one. Where words
said before do not count any more (the policies that enforce four eyes were made anew), how many
they are is part of it too: a signature is never changed, so the same person says another one.
"""

import hashlib
from typing import Any, Literal

from escadre.names import API_VERSION

__all__ = ["signature", "signature_name"]

_LONGEST_PREFIX = 200


def signature_name(
    approval: str, by: str, decision: str, content_digest: str, again: int = 0
) -> str:
    """Name of the ModelSignature; ``again`` is how many of that person's do not count."""
    word = f"{by}\n{decision}\n{content_digest}" + (f"\n{again}" if again else "")
    suffix = hashlib.sha256(word.encode()).hexdigest()[:8]
    return f"{approval[:_LONGEST_PREFIX].rstrip('.-')}-{suffix}"


def signature(
    approval: str,
    by: str,
    decision: Literal["Approve", "Revoke"],
    content_digest: str,
    reason: str | None,
    again: int = 0,
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
        "metadata": {"name": signature_name(approval, by, decision, content_digest, again)},
        "spec": spec,
    }
