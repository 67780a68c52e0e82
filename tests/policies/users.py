"""People and processes that the policy tests act as, and what kubectl tells them.

The administrator impersonates them, so their rights and the policies are checked as if they had
come themselves; one test uses a real agent's token instead.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from e2e.cluster.cluster import Cluster, CommandError
from e2e.cluster.wait import wait_for

__all__ = [
    "ADMIN",
    "AGENT",
    "ANNE",
    "BRUNO",
    "CLARA",
    "DORA",
    "EVE",
    "NAMESPACE",
    "OPERATOR",
    "PIPELINE",
    "Json",
    "User",
    "agent_of",
    "attempt",
    "denied",
    "report",
    "until_allowed",
]

Json = dict[str, Any]

NAMESPACE: Final = "escadre-system"
_CLAIM: Final = "authentication.kubernetes.io"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody at the API server; without a name, the administrator."""

    name: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    def flags(self) -> list[str]:
        """Kubectl's flags for acting as this user."""
        if not self.name:
            return []
        return [f"--as={self.name}", *(f"--as-user-extra={key}={one}" for key, one in self.extra)]


ADMIN: Final = User()
ANNE: Final = User("anne")  # asks for models
BRUNO: Final = User("bruno")  # signs
CLARA: Final = User("clara")  # signs
DORA: Final = User("dora")  # may sign one approval, "limited", and revoke none
EVE: Final = User("eve")  # may create signatures, but has no word on any approval
PIPELINE: Final = User("system:serviceaccount:ci:pipeline")  # may do what anne and bruno may
OPERATOR: Final = User(f"system:serviceaccount:{NAMESPACE}:escadre-operator")
AGENT: Final = User(f"system:serviceaccount:{NAMESPACE}:escadre-agent")  # a token without a node


def agent_of(node: str, uid: str) -> User:
    """The agent with the claims of a token that is bound to its pod on ``node``."""
    return User(AGENT.name, ((f"{_CLAIM}/node-name", node), (f"{_CLAIM}/node-uid", uid)))


def attempt(cluster: Cluster, user: User, *arguments: str, document: Json | None = None) -> str:
    """What kubectl says when ``user`` tries it: empty when it was let through."""
    stdin = json.dumps(document) if document is not None else None
    try:
        cluster.kubectl(*arguments, *user.flags(), stdin=stdin)
    except CommandError as error:
        return error.stderr.strip()
    return ""


def until_allowed(
    cluster: Cluster, user: User, verb: str, resource: str, *, allowed: bool = True
) -> None:
    """Wait until the API server knows that ``user`` has a right, or has it no longer."""

    def now() -> bool:
        try:
            cluster.kubectl("auth", "can-i", "--quiet", verb, resource, *user.flags())
        except CommandError:
            return False
        return True

    wait_for(
        lambda: now() is allowed,
        30,
        f"{user.name} to be {'allowed' if allowed else 'refused'} to {verb} {resource}",
    )


def denied(policy: str, resource: str, name: str, message: str) -> str:
    """The end of kubectl's line for a refusal by a policy of the chart."""
    return (
        f"{resource} \"{name}\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding "
        f"'{policy}' denied request: {message}"
    )


def report(cluster: Cluster, user: User, node: str, **status: Any) -> str:
    """What kubectl says when ``user`` applies the status of a GPUNode, as the agent does."""
    document: Json = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": node},
        "status": {"summary": "0/0", **status},
    }
    apply = ("apply", "--server-side", "--force-conflicts", "--subresource=status", "-f", "-")
    return attempt(cluster, user, *apply, document=document)
