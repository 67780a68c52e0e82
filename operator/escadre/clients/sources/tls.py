"""TLS to a mirror: whose certificates are believed, and which certificate is shown."""

import os
import ssl
from typing import Final

from escadre import reasons
from escadre.clients.sources.credentials import Certificate
from escadre.errors import Refusal

__all__ = ["tls_context", "with_advice"]

_UNKNOWN: Final = ("unable to get local issuer certificate", "self-signed certificate")


def tls_context(ca_bundle: str | None, certificate: Certificate | None = None) -> ssl.SSLContext:
    """The system's certificate authorities, or only those of the bundle when there is one.

    Which certificates hold is the same under every Python: 3.13 began to refuse authorities whose
    basicConstraints are not marked critical, as many of companies are, and to take an intermediate
    authority that was named for an end of the chain. Whoever names an authority means it, so the
    first is off and the second on.

    Raises:
        Refusal: reason InvalidSpec, the bundle is not PEM; SecretNotFound, certificate and key do
            not belong together or cannot be read.
    """
    try:
        context = ssl.create_default_context(cadata=ca_bundle)
    except ssl.SSLError as error:
        raise Refusal(
            reasons.INVALID_SPEC, f"caBundle of the mirror is not PEM: {error}"
        ) from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate:
        _show(context, certificate)
    return context


def with_advice(words: str) -> str:
    """What the library says of a certificate, and what to do where its authority is not known."""
    if any(part in words for part in _UNKNOWN):
        return (
            f"{words}; list the authority that signed it in spec.caBundle, if it is to be believed"
        )
    return words


def _show(context: ssl.SSLContext, certificate: Certificate) -> None:
    """The library reads files only: this one is in memory and has no name."""
    handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(f"{certificate.chain}\n{certificate.key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}", password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise Refusal(
            reasons.SECRET_NOT_FOUND,
            "tls.crt and tls.key of the mirror's Secret are not a certificate and its key without "
            f"a password: {getattr(error, 'reason', None) or error}",
        ) from error
    finally:
        os.close(handle)


def _no_password() -> str:
    """Instead of a question on the terminal."""
    raise ValueError("the key has a password")
