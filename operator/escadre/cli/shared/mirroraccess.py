"""A ModelMirror as a command reads it: its spec, the credentials for it, where it may be.

A Secret is read with the user's own rights; who may not read it gives credentials in files.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from escadre.api.mirror import ModelMirrorSpec
from escadre.api.mirrorrules import broken_rule
from escadre.cli.shared import fetch
from escadre.cli.shared.engineconfig import read_section
from escadre.cli.shared.session import Session
from escadre.cli.shared.words import bytes_text
from escadre.clients.kube import SECRETS, Forbidden, Json, NotFound
from escadre.clients.sources.credentials import (
    SECRET_KEYS,
    Credentials,
    credentials_from_files,
    credentials_from_secret,
)
from escadre.clients.sources.guard import Guard, guard_of
from escadre.errors import EscadreError, Refusal
from escadre.state.views.meta import explain

__all__ = [
    "HELP",
    "OPTION",
    "OPTIONS",
    "CredentialsOption",
    "MirrorAccess",
    "credentials_from",
    "mirror_of",
    "spec_of",
]

OPTION: Final = "--credentials"
_MOST: Final = 1024 * 1024  # bytes, as of a Secret

# Never the credentials themselves: command lines are seen by all users of a machine.
OPTIONS: Final = (OPTION, "--token-file")  # the second as it was called at first
HELP: Final = (
    "For the mirror, instead of the Secret it names: a folder with a file for each key "
    "(accessKeyID and secretAccessKey, username and password, tls.crt and tls.key, token), or a "
    "file with a token."
)
CredentialsOption = Annotated[Path | None, typer.Option(*OPTIONS, metavar="FOLDER|FILE", help=HELP)]


@dataclass(frozen=True, slots=True)
class MirrorAccess:
    """What a source is opened with."""

    spec: ModelMirrorSpec
    credentials: Credentials | None
    guard: Guard


def credentials_from(path: Path | None) -> Credentials | None:
    """What a file or a folder holds; None when none was named.

    A folder has a file for each key that a mirror's Secret would have, as a mounted Secret does; a
    file is a token. Raises EscadreError.
    """
    if path is None:
        return None
    try:
        found = _folder(path) if path.is_dir() else {"token": _start(path)}
        return credentials_from_files(f"{OPTION} {path}", found)
    except OSError as error:
        where = error.filename or path
        raise EscadreError(f"{OPTION} {where}: {error.strerror}") from error
    except Refusal as refusal:  # its next step speaks of a Secret
        raise EscadreError(refusal.message) from refusal


def _folder(path: Path) -> dict[str, bytes]:
    return {key: _start(path / key) for key in SECRET_KEYS if (path / key).exists()}


def _start(path: Path) -> bytes:
    """As much as any of them has; more is none."""
    with path.open("rb") as file:
        text = file.read(_MOST + 1)
    if len(text) > _MOST:
        raise EscadreError(f"{OPTION} {path}: over {bytes_text(_MOST)}, no credentials")
    return text


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
        raise EscadreError(f"{where}: {error}; give {OPTION}") from error
    data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
    return MirrorAccess(spec, credentials_from_secret(secret, data), guard)


def spec_of(mirror: Json) -> ModelMirrorSpec:
    """What a stored ModelMirror says; raises EscadreError where this version cannot read it."""
    try:
        spec = ModelMirrorSpec.model_validate(mirror.get("spec") or {})
        words = f"spec: {broken}" if (broken := broken_rule(spec)) else ""
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
