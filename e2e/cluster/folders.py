"""Where a cluster keeps its files: one folder per cluster name, outside the repository.

Pure paths; shared by the cluster, its supervisor and the runner.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["StateFolder", "state_folder"]

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The files of one cluster."""

    root: Path

    @property
    def lock(self) -> Path:
        """Lock held while a cluster of this name is being started or removed."""
        return self.root.with_name(self.root.name + ".lock")

    @property
    def config(self) -> Path:
        """What the cluster was asked to be (JSON)."""
        return self.root / "cluster.json"

    @property
    def process(self) -> Path:
        """Process id and start time of the process that holds the namespaces (JSON)."""
        return self.root / "process.json"

    @property
    def ready(self) -> Path:
        """Written when everything answers: seconds per step (JSON)."""
        return self.root / "ready.json"

    @property
    def certificates(self) -> Path:
        """Folder of keys and certificates."""
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the administrator, good on the host and in the cluster's namespace."""
        return self.root / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each request to the API server."""
        return self.root / "audit.log"

    @property
    def logs(self) -> Path:
        """Folder with the log of each component."""
        return self.root / "logs"

    @property
    def nodes(self) -> Path:
        """Folder with one folder per node."""
        return self.root / "nodes"

    @property
    def pods(self) -> Path:
        """Folder with one folder per pod that runs."""
        return self.root / "pods"

    @property
    def supervisor_socket(self) -> Path:
        """Control socket of the supervisor."""
        return self.root / "supervisor.sock"

    @property
    def runner_socket(self) -> Path:
        """Control socket of the engine runner."""
        return self.root / "runner.sock"

    def node_root(self, node: str) -> Path:
        """Folder that stands for the file system of ``node``."""
        return self.nodes / node / "root"

    def boot_id(self, node: str) -> Path:
        """File that pods of ``node`` see as /proc/sys/kernel/random/boot_id."""
        return self.nodes / node / "boot_id"


def state_folder(name: str) -> StateFolder:
    """The folder of the cluster called ``name`` (lower-case letters, digits, dashes, up to 32)."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"cluster name {name!r}: use up to 32 of a-z, 0-9 and '-'")
    base = os.environ.get("ESCADRE_CLUSTER_DIR") or tempfile.gettempdir()
    return StateFolder(Path(base) / f"escadre-cluster-{name}")
