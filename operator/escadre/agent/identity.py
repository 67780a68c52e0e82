"""Who this agent is: the node of its own token, and the boot of the machine it runs on.

The claims are not verified: the token is the agent's own, and the API server's policy holds every
write against the real one. NODE_NAME (downward API) must agree, so that a mix-up shows at once.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from escadre import reasons
from escadre.errors import Refusal

__all__ = ["BOOT_ID", "TOKEN", "Identity", "read_identity"]

TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PARTS: Final = 3  # of a JSON web token


@dataclass(frozen=True, slots=True)
class Identity:
    """The node, and the boot of its machine."""

    node_name: str
    node_uid: str
    boot_id: str


def read_identity(node_name: str, token: Path = TOKEN, boot_id: Path = BOOT_ID) -> Identity:
    """Read the agent's identity.

    Args:
        node_name: of the downward API.
        token: file with the pod's bound service account token.
        boot_id: file with the machine's boot id.

    Raises:
        Refusal: NodeIdentityMismatch, saying what is missing or does not agree.
    """
    try:
        node = _node_claims(token.read_text().strip())
        boot = boot_id.read_text().strip()
    except OSError as error:
        raise Refusal(
            reasons.NODE_IDENTITY_MISMATCH, f"reading {error.filename}: {error}"
        ) from error
    except ValueError as error:
        raise Refusal(reasons.NODE_IDENTITY_MISMATCH, f"token {token}: {error}") from error
    if node.get("name") != node_name:
        raise Refusal(
            reasons.NODE_IDENTITY_MISMATCH,
            f"NODE_NAME is {node_name!r}, but the agent's token is bound to a pod on node "
            f"{node.get('name')!r}",
        )
    return Identity(node_name=node_name, node_uid=str(node.get("uid", "")), boot_id=boot)


def _node_claims(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise ValueError("not a JSON web token")
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    claims = json.loads(base64.urlsafe_b64decode(padded))
    node = (claims.get("kubernetes.io") or {}).get("node") if isinstance(claims, dict) else None
    if not isinstance(node, dict) or not node.get("uid"):
        raise ValueError(
            "it names no node; the API server binds one into tokens of pods since Kubernetes 1.32"
        )
    return node
