"""Keys and certificates of a test cluster: one authority, one certificate per component.

Called once when a cluster starts. Nothing here is meant to outlive the cluster's folder.
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from e2e.cluster.addresses import CLUSTER_ADDRESS, SERVICE_API_ADDRESS

__all__ = ["Authority", "write_certificates"]

_LIFE: Final = dt.timedelta(days=30)
_SERVER_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# file name -> (common name, organisation)
_CLIENTS: Final[dict[str, tuple[str, str | None]]] = {
    "admin": ("escadre-test-admin", "system:masters"),
    "runner": ("escadre-test-runner", "system:masters"),
    "kwok": ("escadre-test-kwok", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
    "front-proxy": ("front-proxy", None),
}


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _name(common_name: str, organisation: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


class Authority:
    """Signs certificates and writes them beside their keys as NAME.crt and NAME.key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name("escadre-test-authority", None)
        self._now = dt.datetime.now(dt.UTC)
        builder = self._builder(self._subject, self._key.public_key())
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        certificate = builder.add_extension(constraint, critical=True).sign(
            self._key, hashes.SHA256()
        )
        self._write("ca", self._key, certificate)

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - dt.timedelta(hours=1))
            .not_valid_after(self._now + _LIFE)
        )

    def _write(
        self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self._folder / f"{name}.crt").write_bytes(pem)
        path = self._folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(_private_pem(key))

    def issue(
        self,
        name: str,
        common_name: str,
        organisation: str | None = None,
        alternatives: tuple[str, ...] = (),
    ) -> None:
        """Write NAME.crt and NAME.key, good for both ends of a connection."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(_name(common_name, organisation), key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if alternatives:
            names = [_alternative(value) for value in alternatives]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._write(name, key, builder.sign(self._key, hashes.SHA256()))


def _alternative(value: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(value))
    except ValueError:
        return x509.DNSName(value)


def write_certificates(folder: Path, host_facing: str) -> None:
    """Write everything a control plane needs; ``host_facing`` is its address on the host's link."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority(folder)
    addresses = (CLUSTER_ADDRESS, SERVICE_API_ADDRESS, "127.0.0.1", host_facing)
    authority.issue("api", "kube-apiserver", alternatives=addresses + _SERVER_NAMES)
    authority.issue("kubelet", "kubelet", alternatives=(CLUSTER_ADDRESS,))
    for name, (common_name, organisation) in _CLIENTS.items():
        authority.issue(name, common_name, organisation)
    signer = ec.generate_private_key(ec.SECP256R1())
    key_file = folder / "service-account.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(_private_pem(signer))
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "service-account.pub").write_bytes(public)
