"""The stage that the cases share: one cluster with the chart, a mirror, people and a model."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.stage.opened import staged
from e2e.stage.stage import Stage

NODES = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """test_rights.py comes last: it judges the audit log of all other cases."""
    items.sort(key=lambda item: item.path == Path(__file__).with_name("test_rights.py"))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Installed and ready; the model ``base`` is published, approved and signed for the team."""
    folder: Path = tmp_path_factory.mktemp("stage")
    runner = RunnerConfig(backoff_seconds=1, backoff_limit_seconds=8)
    with staged(Cluster(f"cases-{os.getpid()}", nodes=NODES, runner=runner), folder) as stage:
        stage.install(
            scaling={"staleSeconds": 6, "downStabilizationSeconds": 8},
            engine={"drainSeconds": 15},
            agent={
                "mirrorSecrets": ["mirror-token"],
                "mirrorFolders": [
                    {
                        "name": "share",
                        "hostPath": {"path": "/data/weights", "type": "DirectoryOrCreate"},
                    }
                ],
            },
        )
        stage.wait_installed(90)
        stage.furnish()
        yield stage
