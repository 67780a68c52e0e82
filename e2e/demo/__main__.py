"""``make demo``: the whole path on a real Kubernetes, in a few minutes.

KEEP=1 leaves the cluster running and says how to look around; ENGINE=vllm serves with a real vLLM
on the CPU instead of the stand-in.
"""

import json
import os
import platform
import sys

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import REPOSITORY, RunnerConfig
from e2e.cluster.launch import refuse_second
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.programs import KUBERNETES_VERSION
from e2e.demo.act import Act, report_path
from e2e.demo.recorder import Recorder
from e2e.engine.vllm.images import table
from e2e.engine.vllm.install import ensure_vllm
from e2e.stage.stage import TEAM, Stage
from escadre import __version__

CLUSTER = "demo"
NODES = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))


def main() -> int:
    """Plays the demo; the exit status says whether every step held."""
    real = os.environ.get("ENGINE", "") == "vllm"
    keep = bool(os.environ.get("KEEP"))
    recorder = Recorder()
    try:
        refuse_second(CLUSTER)
    except RuntimeError as error:
        recorder.console.print(f"{error}", highlight=False)
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
    try:
        with recorder.step("a real Kubernetes with two simulated 8-GPU nodes"):
            cluster.start()
            stage.folder.mkdir()
        Act(stage, recorder, real_engine=real).play()
    except (AssertionError, RuntimeError) as error:
        recorder.console.print(f"[red]failed:[/red] {error}", markup=True)
    finally:
        if not keep:
            stage.close()
            cluster.stop()
        recorder.write(report_path())
        recorder.table()
        recorder.say(f"report: {report_path().relative_to(REPOSITORY)}")
        if keep:
            recorder.say(_how_to_look(cluster))
    return 0 if all(one["ok"] for one in recorder.steps) else 1


def _images() -> str:
    path = report_path().with_name("images.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table(ensure_vllm())))
    return str(path)


def _how_to_look(cluster: Cluster) -> str:
    tool = f".venv/bin/python -m e2e.cluster {{}} --name {CLUSTER}"
    return f"""
The cluster goes on. In a shell here, for kubectl and escadre:
  eval "$({tool.format("env")})"
  kubectl get mdep,mapp,msig,gpun -A
  escadre status -A
  escadre why tampered -n {TEAM}
Pods and Services are in a network of their own; to ask the model, and for what reads the mirror:
  {tool.format("exec")} -- curl -s http://{_address(cluster)}/v1/chat/completions \\
    -H 'content-type: application/json' \\
    -d '{{"model": "assistant", "messages": [{{"role": "user", "content": "Bonjour"}}]}}'
End it:
  {tool.format("down")}"""


def _address(cluster: Cluster) -> str:
    try:
        return str(cluster.get("service", "assistant", TEAM)["spec"]["clusterIP"])
    except AssertionError:
        return "CLUSTER-IP"  # a step before it failed


if __name__ == "__main__":
    sys.exit(main())
