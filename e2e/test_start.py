"""An operator that starts before its kinds exist says which one is missing, and waits for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import REPOSITORY
from e2e.cluster.wait import patience, wait_for
from e2e.stage.stage import ENGINE_IMAGE, NAMESPACE
from escadre.api.kinds import KINDS
from escadre.names import GROUP

pytestmark = pytest.mark.cluster

CRDS = REPOSITORY / "crds"


@pytest.fixture
def bare() -> Iterator[Cluster]:
    """An API server that never heard of escadre."""
    with Cluster(f"bare-{os.getpid()}", nodes=[]) as cluster:
        cluster.kubectl("create", "namespace", NAMESPACE)
        yield cluster


def test_a_missing_kind_is_named_and_awaited(bare: Cluster, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"namespace": NAMESPACE, "engine": {"image": ENGINE_IMAGE}}))
    said = tmp_path / "operator.log"
    command = [str(Path(sys.executable).with_name("escadre")), "operator", "--config", str(config)]
    with said.open("wb") as log:
        operator = bare.popen_in_netns(command, stdout=log, stderr=log)
    try:
        missing = f"waiting for CustomResourceDefinition {KINDS[0].plural}.{GROUP}: helm upgrade"
        wait_for(
            lambda: missing in _unready(bare), 30, "the kind to be named", lambda: _unready(bare)
        )
        for file in sorted(CRDS.glob("*.yaml")):
            bare.kubectl("apply", "-f", str(file))
        wait_for(lambda: _unready(bare) == "", 30, "the operator to be ready", said.read_text)
        wait_for(lambda: "leading" in said.read_text(), 30, "the operator to lead", said.read_text)
    finally:
        operator.terminate()
        assert operator.wait(timeout=20 * patience()) == 0, said.read_text()
    lines = [line for line in said.read_text().splitlines() if missing in line]
    assert len(lines) == 1, "said once"


def _unready(cluster: Cluster) -> str:
    """What readiness lacks, "" when it lacks nothing."""
    probe = (
        "import urllib.request as u, urllib.error as e\n"
        "try: u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)\n"
        "except e.HTTPError as error: print(error.read().decode())\n"
    )
    done = cluster.run_in_netns([sys.executable, "-c", probe], check=False)
    return done.stdout.strip() if done.returncode == 0 else "does not answer"
