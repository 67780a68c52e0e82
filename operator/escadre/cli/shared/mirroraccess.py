"""A ModelMirror as a command reads it: its spec, the credentials for it, where it may be.

A Secret is read with the user's own rights; who may not read it gives a token of his own.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from escadre.api.mirror import ModelMirrorSpec
from escadre.api.mirrorrules import broken_rule
from escadre.cli.shared import fetch
from escadre.cli.shared.engineconfig import read_section
from escadre.cli.shared.session import Session
from escadre.clients.kube import SECRETS, Forbidden, Json, NotFound
from escadre.clients.sources.credentials import Credentials, credentials_from_secret
from escadre.clients.sources.guard import Guard, guard_of
from escadre.errors import EscadreError
from escadre.state.views.meta import explain

__all__ = ["MirrorAccess", "mirror_of", "spec_of", "token_from"]


@dataclass(frozen=True, slots=True)
class MirrorAccess:
    """What a source is opened with."""

    spec: ModelMirrorSpec
    credentials: Credentials | None
    guard: Guard


def token_from(path: Path | None) -> Credentials | None:
    """The token in a file; None when no file was named."""
    if path is None:
        return None
    try:
        return credentials_from_secret(str(path), {"token": path.read_bytes()})
    except OSError as error:
        raise EscadreError(f"--token-file {path}: {error.strerror}") from error


async def mirror_of(
    session: Session, name: str, given: Credentials | None, system_namespace: str
) -> MirrorAccess:
    """The mirror and the credentials for it: those given, or those of the Secret it names.

    Addresses are judged as the agents judge them, by the settings that the operator runs with; who
    may not read those is held to the strictest.
    """
    found = await fetch.mirror(session, name)
    spec = spec_of(found)
    guard = await _guard(session, system_namespace)
    secret = spec.credentials_secret_name
    if given or not secret:
        return MirrorAccess(spec, given, guard)
    where = f"Secret {system_namespace}/{secret}, which ModelMirror {name} names"
    try:
        body = await session.api.get(SECRETS, secret, namespace=system_namespace)
    except (Forbidden, NotFound) as error:
        raise EscadreError(f"{where}: {error}; give --token-file") from error
    data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
    return MirrorAccess(spec, credentials_from_secret(secret, data), guard)


def spec_of(mirror: Json) -> ModelMirrorSpec:
    """What a stored ModelMirror says; raises EscadreError where this version cannot read it."""
    try:
        spec = ModelMirrorSpec.model_validate(mirror.get("spec") or {})
        words = broken_rule(spec) and f"spec: {broken_rule(spec)}"
    except ValidationError as error:
        spec, words = None, explain(error)
    if spec is None or words:
        raise EscadreError(
            f"ModelMirror {mirror['metadata']['name']}: {words}\n"
            "next: correct that field, or use the escadre of the version that is installed there"
        )
    return spec


async def _guard(session: Session, system_namespace: str) -> Guard:
    agent = await read_section(session.api, system_namespace, "agent")
    if isinstance(agent, str):
        return Guard()
    try:
        return guard_of(agent.get("mirrorAllowedCIDRs", ()), agent.get("mirrorRefusedCIDRs", ()))
    except (ValueError, TypeError):  # another version of the chart may write it otherwise
        return Guard()
