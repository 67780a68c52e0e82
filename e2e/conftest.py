"""Fixtures of every test that needs a real Kubernetes: one cluster per run, one namespace per test.

``cluster`` starts on first use (about ten seconds once the programs are built) and ends with the
run. Tests must leave its nodes and components as they found them; a test that breaks more starts
a ``Cluster`` of its own.
"""

import os
import re
import uuid
from collections.abc import Iterator

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.wait import wait_for

__all__ = ["cluster", "namespace"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The shared cluster: two nodes of 8 GPUs, one without; crash loops back off in seconds."""
    runner = RunnerConfig(backoff_seconds=1.0, backoff_limit_seconds=8.0)
    with Cluster(f"test-{os.getpid()}", runner=runner) as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, where pods can start at once."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{stem}-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    wait_for(
        lambda: cluster.kubectl(
            "get", "serviceaccount", "-n", name, "default", "--ignore-not-found", "-o", "name"
        ),
        30,
        f"the default account of namespace {name}",
    )
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
