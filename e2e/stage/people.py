"""People of the stage: each has a certificate of their own, issued by the cluster as usual."""

import base64
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from e2e.cluster.cluster import Cluster
from e2e.cluster.wait import wait_for

__all__ = ["person"]


def person(cluster: Cluster, name: str, roles: tuple[str, ...], folder: Path) -> Path:
    """A kubeconfig for ``name``, bound to ClusterRoles; returns its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    cluster.apply(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {
                "request": base64.b64encode(pem).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        },
        *(_binding(name, role) for role in roles),
    )
    cluster.kubectl("certificate", "approve", name)
    certificate = wait_for(
        lambda: cluster.get("csr", name).get("status", {}).get("certificate"),
        30,
        f"certificate of {name}",
    )
    path = folder / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    config = json.loads(cluster.kubeconfig.read_text())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    config["users"] = [
        {
            "name": name,
            "user": {
                "client-certificate-data": certificate,
                "client-key-data": base64.b64encode(private).decode(),
            },
        }
    ]
    config["contexts"][0]["context"]["user"] = name
    path.write_text(json.dumps(config))
    return path


def _binding(name: str, role: str) -> dict[str, object]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{name}-{role}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
    }
