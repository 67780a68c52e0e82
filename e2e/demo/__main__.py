"""``make demo``: the whole path on a real Kubernetes, in a few minutes.

KEEP=1 leaves the cluster running, also after a failure, and says how to look around; ENGINE=vllm
serves with a real vLLM on the CPU instead of the stand-in.
"""

import json
import os
import platform
import sys

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.launch import refuse_second
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.programs import KUBERNETES_VERSION
from e2e.cluster.wait import PATIENCE
from e2e.demo.act import report_path
from e2e.demo.performance import Performance
from e2e.demo.recorder import Recorder
from e2e.engine.vllm.images import table
from e2e.engine.vllm.install import ensure_vllm
from e2e.stage.stage import Stage
from escadre import __version__

CLUSTER = "demo"
NODES = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))


def main() -> int:
    """Plays the demo; the exit status says whether every step held."""
    os.environ.setdefault(PATIENCE, "2")  # what cannot come is given up sooner
    real = os.environ.get("ENGINE", "") == "vllm"
    keep = os.environ.get("KEEP", "") not in {"", "0", "no"}
    recorder = Recorder()
    try:
        refuse_second(CLUSTER)
    except RuntimeError as error:
        recorder.console.print(f"{error}", highlight=False, markup=False)
        return 1
    recorder.versions = {
        "escadre": __version__,
        "kubernetes": KUBERNETES_VERSION,
        "python": platform.python_version(),
        "engine": "vllm" if real else "stand-in",
    }
    runner = RunnerConfig(images=_images() if real else None)
    cluster = Cluster(CLUSTER, nodes=NODES, runner=runner, detached=keep)
    # In the cluster's own folder, so that it goes with the cluster.
    stage = Stage(cluster, cluster.state.root / "demo")
    return Performance(stage, recorder, real_engine=real, keep=keep).run()


def _images() -> str:
    path = report_path().with_name("images.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table(ensure_vllm())))
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
