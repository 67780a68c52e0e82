"""The machine behind a simulated node: its file system, and what can happen to a machine.

Used by tests through ``Cluster.node``. A machine that is off runs no pod; switched on again with
another boot id it is a re-imaged one.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.addresses import node_address
from e2e.cluster.control import call
from e2e.cluster.folders import StateFolder
from e2e.cluster.nodes import NodeSpec, build_node, new_boot_id

__all__ = ["Machine"]


class Machine:
    """One simulated machine of a cluster."""

    def __init__(
        self, state: StateFolder, kubectl: Callable[..., str], spec: NodeSpec, index: int
    ) -> None:
        self.name = spec.name
        self._state = state
        self._kubectl = kubectl
        self._spec = spec
        self._address = node_address(index)

    @property
    def root(self) -> Path:
        """Folder that pods of this node see behind hostPath and local volumes."""
        return self._state.node_root(self.name)

    @property
    def boot_id(self) -> str:
        """The boot id that pods of this node see."""
        return self._state.boot_id(self.name).read_text().strip()

    def power_off(self) -> None:
        """Kill every process of the node's pods; nobody writes their status."""
        self._power(on=False)

    def power_on(self) -> None:
        """Run the node's pods again, as a kubelet does after a reboot."""
        self._power(on=True)

    def _power(self, *, on: bool) -> None:
        call(self._state.runner_socket, {"op": "power", "node": self.name, "on": on})

    def reboot(self) -> None:
        """Off and on, with another boot id and the same disk."""
        self.power_off()
        self._publish_boot_id(new_boot_id())
        self.power_on()

    def reimage(self, *, recreate: bool = False) -> None:
        """Another boot id and an empty disk; with ``recreate`` also another Node object (uid)."""
        self.power_off()
        shutil.rmtree(self.root)
        self.root.mkdir()
        boot_id = new_boot_id()
        if recreate:
            self._write_boot_id(boot_id)
            self._kubectl("delete", "node", self.name, "--wait=true")
            self._recreate(boot_id)
        else:
            self._publish_boot_id(boot_id)
        self.power_on()

    def recreate(self) -> None:
        """The Node object again, after it was deleted; the same disk and boot id."""
        self._recreate(self.boot_id)

    def _recreate(self, boot_id: str) -> None:
        node = build_node(self._spec, self._address, boot_id)
        self._kubectl("create", "-f", "-", stdin=json.dumps(node))

    def _write_boot_id(self, boot_id: str) -> None:
        # In place: pods hold a bind mount of this very file.
        self._state.boot_id(self.name).write_text(boot_id + "\n")

    def _publish_boot_id(self, boot_id: str) -> None:
        self._write_boot_id(boot_id)
        patch = f'{{"status":{{"nodeInfo":{{"bootID":"{boot_id}"}}}}}}'
        self._kubectl(
            "patch", "node", self.name, "--subresource=status", "--type=merge", "-p", patch
        )
