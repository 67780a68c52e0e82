"""The http adapter against a real nginx: a static tree, as organisations serve it."""

import shutil
import sys
from collections.abc import Iterator

import pytest

from e2e.cluster.addresses import CLUSTER_ADDRESS
from e2e.cluster.wait import wait_for
from e2e.engine.mirror.nginx import configuration, why_missing
from e2e.stage.stage import TEAM, Stage

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]

PORT = 8901
URL = f"http://{CLUSTER_ADDRESS}:{PORT}"


@pytest.fixture
def nginx(stage: Stage) -> Iterator[str]:
    """Nginx over the mirror's tree, inside the cluster's network namespace."""
    folder = stage.folder / "nginx"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(configuration(stage.tree.root, folder, host=CLUSTER_ADDRESS, port=PORT))
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    process = stage.cluster.popen_in_netns(
        [binary, "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)]
    )
    probe = f"import socket; socket.create_connection(('{CLUSTER_ADDRESS}', {PORT}), 1).close()"
    try:
        wait_for(
            lambda: (
                stage.cluster.run_in_netns([sys.executable, "-c", probe], check=False).returncode
                == 0
            ),
            20,
            "nginx to listen",
        )
        yield URL
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_a_static_tree_is_pulled_and_served(stage: Stage, nginx: str) -> None:
    spec = {"type": "http", "url": nginx, "manifestsURL": f"{nginx}/escadre-manifests"}
    stage.add_mirror("static", **spec)
    stage.publish("from-nginx", seed=77)
    # A static tree has no list of files: the draft reads the folder that was published.
    folder = stage.folder / "models" / "from-nginx"
    stage.approve("from-nginx", options={"--mirror": "static", "--folder": str(folder)})
    stage.deploy("from-nginx", "from-nginx")
    stage.wait_condition("from-nginx", "Ready", "Ready", deadline=90)
    (weights,) = stage.mdep("from-nginx")["status"]["weights"]
    assert weights["state"] == "Verified"
    stage.cluster.kubectl("delete", "mdep", "from-nginx", "-n", TEAM)
    stage.cluster.kubectl("delete", "mmir", "static")
