"""What a cluster was asked to be: written by whoever starts it, read by supervisor and runner."""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from e2e.cluster.folders import StateFolder
from e2e.cluster.nodes import DEFAULT_NODES, NodeSpec

__all__ = ["REPOSITORY", "ClusterConfig", "RunnerConfig", "python_environment"]

REPOSITORY = Path(__file__).resolve().parents[2]


def python_environment() -> dict[str, str]:
    """What a ``python -m e2e…`` of this repository needs, wherever it is started."""
    return {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """Options of the engine runner; the back-off is a kubelet's unless a test shortens it.

    ``fake_addresses`` False: pods without a process have no address, so that nobody can read them.
    ``idle``: its process runs when no other wants to. What it plays has machines of its own
    elsewhere, so where times are measured it is not to take the processor from who is measured.
    """

    images: str | None = None
    backoff_seconds: float = 10.0
    backoff_limit_seconds: float = 300.0
    fake_all: bool = False
    fake_metrics: str | None = None
    fake_addresses: bool = True
    idle: bool = False


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Name, nodes and options of one cluster."""

    name: str
    nodes: tuple[NodeSpec, ...] = DEFAULT_NODES
    runner: RunnerConfig = field(default_factory=RunnerConfig)
    detached: bool = False
    place: int = 0  # which link to the host: see ``host_link``
    programs: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def save(self, state: StateFolder) -> None:
        """Write it into the cluster's folder."""
        document = asdict(self) | {"nodes": [node.as_json() for node in self.nodes]}
        fresh = state.config.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(document, indent=1) + "\n")
        fresh.replace(state.config)

    @classmethod
    def load(cls, state: StateFolder) -> "ClusterConfig":
        """Read what ``save`` wrote."""
        document: dict[str, Any] = json.loads(state.config.read_text())
        document["nodes"] = tuple(NodeSpec.from_json(node) for node in document["nodes"])
        document["runner"] = RunnerConfig(**document["runner"])
        return cls(**document)
