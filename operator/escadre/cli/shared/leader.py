"""Whether an operator leads, from its Lease: a status is as old as the last operator.

A leader that cannot renew stops before its Lease expires, so it is that time that counts here.
Nobody's clock is trusted: a Lease that looks too old by ours, or renewed later than now, is read
twice, and counts as held when it was renewed between. What may not be read, or may lie elsewhere,
is not known and said so. `escadre status` and `why` ask.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import typer

from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.session import Environment, Session
from escadre.cli.shared.words import since, time_text
from escadre.clients.kube import (
    EVERYTHING,
    GPU_NODES,
    LEASES,
    Api,
    ApiError,
    Forbidden,
    Json,
    NotFound,
)
from escadre.machinery.lease import Terms
from escadre.names import LABEL_SYSTEM_NAMESPACE, LEASE_NAME

__all__ = ["Leader", "SystemNamespaceOption", "find_leader"]

_DEFAULT: Final = "escadre-system"
_LEADS_FOR: Final = Terms().renew_seconds  # after its last renewal
_RENEWED_WITHIN: Final = 3.0  # seconds; a leader renews every two, and a little
_AHEAD: Final = 2.0  # seconds by which another clock may be before ours without a second look

SystemNamespaceOption = Annotated[
    str | None,
    typer.Option(
        help="Where the operator runs; without it, where the GPUNodes say, else escadre-system.",
        callback=given_namespace,
    ),
]


@dataclass(frozen=True, slots=True)
class Leader:
    """What is known of the operator that leads; ``problem`` says why not more."""

    standing: Literal["leads", "nobody", "unknown"]
    namespace: str
    holder: str = ""
    renewed: datetime | None = None
    problem: str = ""

    def words(self, now: float) -> str:
        """One line for people."""
        if self.standing == "unknown":
            return f"{self.problem}: whether an operator leads is not known"
        ago = f"{since(self.renewed, now)} ago" if self.renewed else ""
        if self.standing == "leads":
            return f"{self.holder} leads, last renewal {ago}"
        if self.renewed is None:
            return f"no operator leads: {self.problem}"
        return f"no operator leads since {time_text(self.renewed)} ({ago}): {self.problem}"

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "leads": {"leads": True, "nobody": False, "unknown": None}[self.standing],
            "lease": f"{self.namespace}/{LEASE_NAME}",
            "holder": self.holder,
            "renewed": time_text(self.renewed) if self.renewed else None,
            "message": self.problem,
        }


async def find_leader(environment: Environment, session: Session, given: str | None) -> Leader:
    """The leader now; ``given`` is the namespace that the user named."""
    told = given or await _told_namespace(session.api)
    namespace = told or _DEFAULT
    lease = f"Lease {namespace}/{LEASE_NAME}"
    try:
        seen = await _read(session.api, namespace)
        if _looks_current(seen, environment.now()):
            return _leads(seen, namespace)
        await environment.sleep(_RENEWED_WITHIN)
        again = await _read(session.api, namespace)
    except Forbidden:
        return Leader("unknown", namespace, problem=f"not allowed to read {lease}")
    except NotFound:
        missing = f"there is no {lease}"
        if told:
            return Leader("nobody", namespace, problem=missing)
        elsewhere = f"{missing}; installed elsewhere? name it with --system-namespace"
        return Leader("unknown", namespace, problem=elsewhere)
    if again.holder and again.stamp != seen.stamp:
        return _leads(again, namespace)
    how = f"{lease} is not renewed" if again.holder else f"{lease} was given back"
    return Leader("nobody", namespace, again.holder, again.renewed, how)


@dataclass(frozen=True, slots=True)
class _Seen:
    holder: str
    stamp: str

    @property
    def renewed(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.stamp)
        except ValueError:
            return None


async def _read(api: Api, namespace: str) -> _Seen:
    lease: Json = await api.get(LEASES, LEASE_NAME, namespace=namespace)
    spec = lease.get("spec") or {}
    return _Seen(
        holder=spec.get("holderIdentity") or "",
        stamp=spec.get("renewTime") or "",
    )


def _looks_current(seen: _Seen, now: float) -> bool:
    if not seen.holder or seen.renewed is None:
        return False
    return -_AHEAD <= now - seen.renewed.timestamp() <= _LEADS_FOR


def _leads(seen: _Seen, namespace: str) -> Leader:
    pod = seen.holder.partition("_")[0]
    return Leader("leads", namespace, pod, seen.renewed)


async def _told_namespace(api: Api) -> str:
    """Where the operator is, as it wrote on a GPUNode; "" when none says so or may be seen."""
    try:
        page = await api.list_page(GPU_NODES, EVERYTHING, limit=1)
    except ApiError:
        return ""
    labels = (each["metadata"].get("labels") or {} for each in page.items)
    return next((each.get(LABEL_SYSTEM_NAMESPACE, "") for each in labels), "")
