"""Mirrors that lie, hang and send elsewhere; a second one that helps; what is shown of each."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from e2e.cases.faulting import clear, mirror_fault, ready, why
from e2e.cluster.addresses import CLUSTER_ADDRESS
from e2e.cluster.config import python_environment
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Json, Stage

pytestmark = pytest.mark.cluster

PORT = 8902
TWIN = f"{CLUSTER_ADDRESS}:{PORT}"


@contextmanager
def _serving(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """Another server over the same files, beside the stage's mirror."""
    command = [sys.executable, "-m", "e2e.engine.mirror", "--root", str(stage.tree.root)]
    process = stage.cluster.popen_in_netns(
        [*command, "--host", CLUSTER_ADDRESS, "--port", str(PORT)], env=python_environment()
    )
    probe = f"import socket; socket.create_connection(('{CLUSTER_ADDRESS}', {PORT}), 1).close()"

    def listens() -> bool:
        asked = stage.cluster.run_in_netns([sys.executable, "-c", probe], check=False)
        return asked.returncode == 0

    try:
        wait_for(listens, 20, "the second mirror to listen")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def twin(stage: Stage) -> Iterator[str]:
    """Host and port of a second mirror with the same files."""
    with _serving(stage):
        yield TWIN


@pytest.fixture
def faults(stage: Stage) -> Iterator[Stage]:
    """The stage; its mirror behaves again afterwards."""
    yield stage
    mirror_fault(stage)


def approve(stage: Stage, name: str, *mirrors: str) -> None:
    """An approval that names several mirrors, the first first."""
    path = stage.draft(name, options={"--mirror": mirrors[0]})
    body: Json = yaml.safe_load(path.read_text())
    body["spec"]["mirrors"] = list(mirrors)
    stage.kubectl("rita", "create", "-f", "-", stdin=json.dumps(body))
    for who in ("anna", "bruno"):
        stage.escadre("approve", "sign", name, "--yes", who=who)


def gone(stage: Stage, name: str, *mirrors: str) -> None:
    clear(stage, name)
    stage.cluster.kubectl("delete", "mapp", name)
    for mirror in mirrors:
        stage.cluster.kubectl("delete", "mmir", mirror)


def until(stage: Stage, mirror: str, reason: str) -> Json:
    """Waits for the reason of a mirror's Ready; the condition."""

    def seen() -> Json | None:
        status = stage.cluster.get("mmir", mirror).get("status") or {}
        found = [one for one in status.get("conditions", ()) if one["type"] == "Ready"]
        return found[0] if found and found[0]["reason"] == reason else None

    found: Json = wait_for(
        seen, 60, f"mirror {mirror} to be {reason}", lambda: stage.cluster.get("mmir", mirror)
    )
    return found


def probed(stage: Stage, mirror: str) -> Json:
    """What its status says that a node found, once one did."""

    def seen() -> Json | None:
        status: Json = stage.cluster.get("mmir", mirror).get("status") or {}
        found: Json | None = status.get("probe")
        return found

    probe: Json = wait_for(seen, 60, f"a node to tell what it found of mirror {mirror}")
    return probe


def weights(stage: Stage, name: str) -> dict[str, Any]:
    (found,) = stage.mdep(name)["status"]["weights"]
    return dict(found)


def test_one_node_finds_out_what_a_mirror_does(faults: Stage) -> None:
    stage = faults
    stage.publish("probed", seed=81)
    stage.add_mirror("probed")
    stage.approve("probed", options={"--mirror": "probed"})
    found = until(stage, "probed", "MirrorAnswers")
    assert found["status"] == "True"
    probe = stage.cluster.get("mmir", "probed")["status"]["probe"]
    assert probe["ranges"] is True
    assert probe["node"] in found["message"]
    assert "redirectHosts" not in probe
    # Another one under its name is asked anew, although its generation is the same.
    before = stage.cluster.get("mmir", "probed")["metadata"]
    stage.cluster.kubectl("delete", "mmir", "probed")
    stage.add_mirror("probed")
    until(stage, "probed", "MirrorAnswers")
    after = stage.cluster.get("mmir", "probed")["metadata"]
    assert (after["generation"], after["uid"] != before["uid"]) == (before["generation"], True)
    node = probed(stage, "probed")["node"]
    told = {one["mirror"]: one for one in stage.cluster.get("gpunode", node)["spec"]["probes"]}
    assert told["probed"]["mirrorUID"] == after["uid"]
    # The same from a person's place; a mirror that refuses everybody says so itself.
    mirror_fault(stage, "status", "code=403", "path=*")
    stage.add_mirror("probed", maxConcurrentPulls=2)  # asked for anew
    assert "HTTP 403" in until(stage, "probed", "Unauthorized")["message"]
    gone(stage, "probed", "probed")


def test_a_mirror_that_hangs_is_left_for_the_next(faults: Stage, twin: str) -> None:
    stage = faults
    stage.publish("hanging", seed=82)
    quick = {"timeouts": {"firstByteSeconds": 1, "idleSeconds": 1}}
    stage.add_mirror("hangs", **quick)
    url = f"http://{twin}"
    stage.add_mirror("helps", url=url, manifestsURL=f"{url}/manifests")
    approve(stage, "hanging", "hangs", "helps")
    mirror_fault(stage, "stall", "path=*consolidated*")
    stage.deploy("hanging", "hanging")
    slow = until(stage, "hangs", "MirrorSlow")
    assert "no byte for 1 s" in slow["message"]
    ready(stage, "hanging")
    assert weights(stage, "hanging")["state"] == "Verified"
    assert until(stage, "helps", "MirrorAnswers")["status"] == "True"
    gone(stage, "hanging", "hangs", "helps")


def test_a_mirror_that_lies_is_an_incident_until_it_is_mended(faults: Stage) -> None:
    stage = faults
    stage.publish("lying", seed=83)
    stage.add_mirror("lies")
    stage.approve("lying", options={"--mirror": "lies"})
    mirror_fault(stage, "flip", "after=5000", "path=*consolidated*")
    stage.deploy("lying", "lying")
    told = stage.wait_condition("lying", "WeightsReady", "DigestMismatch")
    assert "approved is" in told["message"]
    assert "incident" in told["nextStep"]
    assert until(stage, "lies", "DigestMismatch")["status"] == "False"
    assert "DigestMismatch" in why(stage, "lying")
    mirror_fault(stage)
    stage.add_mirror("lies", maxConcurrentPulls=2)  # whoever mends it says so
    ready(stage, "lying", deadline=120)
    gone(stage, "lying", "lies")


def test_a_redirect_is_followed_only_where_the_mirror_says(faults: Stage, twin: str) -> None:
    stage = faults
    stage.publish("sent", seed=84)
    stage.add_mirror("sends")
    stage.approve("sent", options={"--mirror": "sends"})
    mirror_fault(stage, "redirect", f"location=http://{twin}", "path=*resolve*")
    stage.deploy("sent", "sent")
    told = stage.wait_condition("sent", "WeightsReady", "MirrorUnavailable")
    assert twin in told["message"]
    assert "redirectHosts" in f"{told['message']} {told['nextStep']}"
    assert probed(stage, "sends")["redirectHosts"] == [twin]  # though nothing was asked there
    stage.add_mirror("sends", redirectHosts=[twin])
    ready(stage, "sent", deadline=120)
    answers = until(stage, "sends", "MirrorAnswers")
    assert f"sent on to {twin}" in answers["message"]
    assert probed(stage, "sends")["redirectHosts"] == [twin]
    gone(stage, "sent", "sends")
