"""Whose certificates a mirror's connections believe."""

import ssl

from escadre import reasons
from escadre.errors import Refusal

__all__ = ["tls_context"]


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """The system's certificate authorities, or only those of the bundle when there is one."""
    try:
        return ssl.create_default_context(cadata=ca_bundle)
    except ssl.SSLError as error:
        raise Refusal(
            reasons.INVALID_SPEC, f"caBundle of the mirror is not PEM: {error}"
        ) from error
