"""Builds kubeconfig files of the test cluster, with everything inside one file."""

import base64
import json
from pathlib import Path

__all__ = ["write_kubeconfig"]


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def write_kubeconfig(path: Path, certificates: Path, user: str, server: str) -> None:
    """Write a kubeconfig for the certificate ``user`` (JSON is YAML too)."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "escadre-test",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": _encoded(certificates / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _encoded(certificates / f"{user}.crt"),
                    "client-key-data": _encoded(certificates / f"{user}.key"),
                },
            }
        ],
        "contexts": [
            {"name": "escadre-test", "context": {"cluster": "escadre-test", "user": user}}
        ],
        "current-context": "escadre-test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1) + "\n")
