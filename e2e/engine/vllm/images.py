"""How the engine runner runs the real vLLM: an entry of its image table.

``ENGINE=vllm`` writes ``table()`` as YAML and gives the file to the runner; the pods stay as they
are. Pure, but for the path of the environment.
"""

from pathlib import Path
from typing import Any, Final

__all__ = ["IMAGE", "entry", "table"]

IMAGE: Final = "escadre.test/vllm"
_KV_CACHE_GIB: Final = 1


def entry(environment: Path) -> dict[str, Any]:
    """The table's entry for an environment that ``install`` made."""
    binaries = environment / "bin"
    return {
        "entrypoint": [str(binaries / "python"), "-m", "vllm.entrypoints.cli.main", "serve"],
        "environment": {
            "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
            "VLLM_CPU_KVCACHE_SPACE": str(_KV_CACHE_GIB),
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        },
        "binds": [str(environment)],
    }


def table(environment: Path) -> dict[str, Any]:
    """The whole table: the engine's image and nothing else."""
    return {IMAGE: entry(environment)}
