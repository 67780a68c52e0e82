"""Real vLLM on the processor: twelve clients on four seats make it two replicas, and one again."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for
from e2e.engine.vllm.images import table
from e2e.engine.vllm.install import environment_folder, is_installed
from e2e.stage.ledger import Ledger, turns
from e2e.stage.opened import staged
from e2e.stage.stage import Json, Stage

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="no vLLM: python -m e2e.engine.vllm (6 GB)"),
]

_SEATS = 4
_SPEC: Json = {
    "concurrency": _SEATS,
    "scaling": {"minReplicas": 1, "maxReplicas": 2, "targetQueueDepth": _SEATS},
}
_LOAD_SECONDS = 300  # for two of them on two cores


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster of its own, whose engine image is vLLM."""
    folder: Path = tmp_path_factory.mktemp("real")
    images = folder / "images.json"
    images.write_text(json.dumps(table(environment_folder())))
    runner = RunnerConfig(images=str(images))
    nodes = (NodeSpec("gpu-0"), NodeSpec("gpu-1"))
    with staged(Cluster(f"real-{os.getpid()}", nodes=nodes, runner=runner), folder) as stage:
        stage.install(
            scaling={"downStabilizationSeconds": 45},  # no shorter than the clients may stand
            engine={
                "memory": "6Gi",
                "drainSeconds": 90,
                "startupBaseSeconds": 600,
                "env": {
                    "VLLM_CPU_KVCACHE_SPACE": "1",
                    # Two of them on two cores leave the clients so little that they stand for up
                    # to 11 s; vLLM ends a connection after 5 s of silence, as it should.
                    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "30",
                },
            },
        )
        stage.wait_installed(90)
        stage.furnish()
        yield stage


def test_vllm_itself_scales_to_two_and_back_without_a_loss(real: Stage) -> None:
    real.deploy("real", "base", **_SPEC)
    real.wait_condition("real", "Ready", "Ready", deadline=_LOAD_SECONDS)
    with serving(real, "real", **_SPEC), Ledger(real, "real") as ledger:
        with Traffic(real, "real", clients=2, keep_alive=True, max_tokens=32) as always:
            with (
                Traffic(real, "real", clients=6, max_tokens=128) as fresh,
                Traffic(real, "real", clients=4, max_tokens=128, keep_alive=True) as kept,
                Traffic(real, "real", clients=2, max_tokens=256, stream=True) as streams,
            ):
                wait_for(lambda: len(ready_pods(real, "real")) == 2, _LOAD_SECONDS, "two replicas")
                answered = fresh.ended
                wait_for(lambda: fresh.ended > answered + 20, 120, "both to have served")
            wait_for(lambda: len(pods_of(real, "real")) == 1, 240, "one pod again")
        bill = ledger.bill()
    loads = {"always": always, "fresh": fresh, "kept": kept, "streams": streams}
    print({kind: (one.summary.answered, one.summary.lost) for kind, one in loads.items()}, bill)
    assert {kind: one.summary.lost_by_reason for kind, one in loads.items()} == {
        kind: {} for kind in loads
    }
    assert (max(ledger.numbers), turns(ledger.numbers)) == (2, 1), ledger.numbers
    assert bill.in_vain == 0
