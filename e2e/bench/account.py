"""A ServiceAccount for a program that is no pod: its files where a pod has them, and no kubeconfig.

A program that loads a kubeconfig also loads what reads it, which no pod does: its memory would be
another one.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from e2e.cluster.cluster import Cluster

__all__ = ["Account"]

_PLACE: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
# In a mount namespace of its own: the machine's /var/run stays as it is.
_MOUNT: Final = f"""set -e
mount -t tmpfs tmpfs /var/run
mkdir -p {_PLACE}
mount --bind "$0" {_PLACE}
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Account:
    """The folder that a program sees at the place of a pod's account."""

    folder: Path

    def issue(self, cluster: Cluster, name: str, namespace: str) -> dict[str, str]:
        """Writes the files anew; returns the variables that every pod of the cluster has."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        token = cluster.kubectl("create", "token", name, "-n", namespace, "--duration=8h")
        server = _server(cluster)
        (self.folder / "token").write_text(token.strip())
        (self.folder / "namespace").write_text(namespace)
        (self.folder / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
        url = urlsplit(server["server"])
        return {
            "KUBERNETES_SERVICE_HOST": str(url.hostname),
            "KUBERNETES_SERVICE_PORT": str(url.port),
        }

    def within(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a program with the files in place; it keeps its number."""
        return ["unshare", "--mount", "sh", "-c", _MOUNT, str(self.folder), *command]


def _server(cluster: Cluster) -> dict[str, Any]:
    config = json.loads(cluster.kubeconfig.read_text())
    found: dict[str, Any] = config["clusters"][0]["cluster"]
    return found
