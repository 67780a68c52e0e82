"""A ServiceAccount for a program that is no pod: its files where a pod has them, and no kubeconfig.

A program that loads a kubeconfig also loads what reads it, which no pod does: its memory would be
another one.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.addresses import SERVICE_API_ADDRESS
from e2e.cluster.cluster import Cluster

__all__ = ["Account"]

_PLACE: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
# In a mount namespace of its own: the machine's /var/run and /etc/hosts stay as they are.
_MOUNT: Final = f"""set -e
mount -t tmpfs tmpfs /var/run
mkdir -p {_PLACE}
mount --bind "$0" {_PLACE}
mount --bind "$1" /etc/hosts
shift
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
        config = json.loads(cluster.kubeconfig.read_text())
        authority: str = config["clusters"][0]["cluster"]["certificate-authority-data"]
        (self.folder / "token").write_text(token.strip())
        (self.folder / "namespace").write_text(namespace)
        (self.folder / "ca.crt").write_bytes(base64.b64decode(authority))
        self._hosts.write_text(
            f"127.0.0.1 localhost\n{SERVICE_API_ADDRESS} kubernetes.default.svc\n"
        )
        return {
            "KUBERNETES_SERVICE_HOST": SERVICE_API_ADDRESS,
            "KUBERNETES_SERVICE_PORT": "443",
        }

    @property
    def _hosts(self) -> Path:
        """Names that a pod can resolve: kopf by itself asks for the API server by name."""
        return self.folder.with_name("hosts")

    def within(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a program with the files in place; it keeps its number."""
        places = (str(self.folder), str(self._hosts))
        return ["unshare", "--mount", "sh", "-c", _MOUNT, *places, *command]
