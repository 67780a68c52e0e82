"""A cluster for scaling alone: two operators, engines that take a moment to load."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.scaling.bursting import HANG, HOLD, LOAD_SECONDS, STALE_SECONDS, WINDOW_SECONDS
from e2e.stage.opened import staged
from e2e.stage.stage import Stage

NODES = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Installed and ready; the model ``base`` is approved for the team."""
    folder: Path = tmp_path_factory.mktemp("scaling")
    runner = RunnerConfig(backoff_seconds=1, backoff_limit_seconds=8)
    with staged(Cluster(f"scaling-{os.getpid()}", nodes=NODES, runner=runner), folder) as stage:
        stage.install(
            operator={"replicas": 2},
            scaling={
                "staleSeconds": STALE_SECONDS,
                "downStabilizationSeconds": WINDOW_SECONDS,
            },
            engine={
                "drainSeconds": 15,
                "env": {
                    "STANDIN_STARTUP_SECONDS": str(LOAD_SECONDS),
                    "STANDIN_TOKENS_PER_SECOND": "100",
                    "STANDIN_HOLD": HOLD,
                    "STANDIN_HANG": HANG,
                },
            },
        )
        stage.wait_installed(90)
        stage.furnish()
        yield stage
