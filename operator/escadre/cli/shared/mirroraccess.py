"""A ModelMirror as a command reads it: its spec, and the credentials for it.

A Secret is read with the user's own rights; who may not read it gives a token of his own.
"""

import base64
from pathlib import Path

from escadre.api.mirror import ModelMirrorSpec
from escadre.cli.shared import fetch
from escadre.cli.shared.session import Session
from escadre.clients.kube import SECRETS, Forbidden, NotFound
from escadre.clients.sources.credentials import Credentials, credentials_from_secret
from escadre.errors import EscadreError

__all__ = ["mirror_of", "token_from"]


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
) -> tuple[ModelMirrorSpec, Credentials | None]:
    """The mirror and the credentials for it: those given, or those of the Secret it names."""
    found = await fetch.mirror(session, name)
    spec = ModelMirrorSpec.model_validate(found["spec"])
    secret = spec.credentials_secret_name
    if given or not secret:
        return spec, given
    where = f"Secret {system_namespace}/{secret}, which ModelMirror {name} names"
    try:
        body = await session.api.get(SECRETS, secret, namespace=system_namespace)
    except (Forbidden, NotFound) as error:
        raise EscadreError(f"{where}: {error}; give --token-file") from error
    data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
    return spec, credentials_from_secret(secret, data)
