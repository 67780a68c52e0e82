"""The peers, each in an environment of its own in the cache folder, and what they answer."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.cluster.programs import cache_folder

__all__ = ["PEERS", "Peer", "answers_of"]

_SCRIPTS: Final = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """A published package, and the script that asks it."""

    package: str
    version: str
    script: str


PEERS: Final = (
    Peer("llm-d-planner", "0.3.3", "with_planner.py"),
    Peer("aiconfigurator-core", "0.12.0", "with_configurator.py"),
    Peer("gpustack", "2.3.0", "with_gpustack.py"),
)


def answers_of(peer: Peer, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By row: ``cacheGiB`` and ``fits``, or what it said instead (``refused``)."""
    ran = subprocess.run(
        [_python(peer), str(_SCRIPTS / peer.script)],
        input=json.dumps(table),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{peer.package} {peer.version} failed:\n{ran.stderr[-2000:]}")
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    return found


def _python(peer: Peer) -> Path:
    folder = cache_folder().parent / "layout-peers" / f"{peer.package}-{peer.version}"
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        print(f"installing {peer.package} {peer.version} into {folder}, once", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        wanted = f"{peer.package}=={peer.version}"
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", wanted], check=True)
        done.touch()
    return python
