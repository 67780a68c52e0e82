"""Mirrors without credentials, without files, without answers; pulls that are cut off."""

import sys
from collections.abc import Iterator

import pytest

from e2e.cases.faulting import (
    clear,
    kill_main_process,
    mirror_fault,
    ready,
    restarts,
    until_cleared,
    why,
)
from e2e.cluster.wait import wait_for
from e2e.engine.checkpoint import Shape, padded
from e2e.engine.mirror.tree import MANIFESTS
from e2e.stage.stage import NAMESPACE, Json, Stage

pytestmark = pytest.mark.cluster
MEBIBYTE = 1 << 20
CHUNK = 64 * MEBIBYTE
TOKEN = {"apiVersion": "v1", "kind": "Secret", "stringData": {"token": "t"}}


@pytest.fixture(scope="module")
def guarded(stage: Stage) -> Iterator[Stage]:
    """A model on a mirror that names a Secret, and whose manifest nobody published."""
    stage.add_mirror("guarded")
    stage.publish("guarded", seed=3)
    stage.approve("guarded", options={"--mirror": "guarded"})
    manifest = stage.tree.root / MANIFESTS / f"{_digest(stage, 'guarded')}.manifest"
    text = manifest.read_bytes()
    manifest.unlink()
    stage.add_mirror("guarded", credentialsSecretName="not-listed")
    stage.deploy("guarded", "guarded")
    yield stage
    manifest.write_bytes(text)
    clear(stage, "guarded")
    stage.cluster.kubectl("delete", "mapp/guarded", "mmir/guarded")
    stage.cluster.kubectl("delete", "secret", "mirror-token", "-n", NAMESPACE, "--ignore-not-found")


def _digest(stage: Stage, approval: str) -> str:
    digest: str = stage.cluster.get("mapp", approval)["spec"]["manifestDigest"]
    return digest.removeprefix("sha256:")


def test_a_mirror_is_mended_step_by_step(guarded: Stage) -> None:
    stage = guarded
    found = stage.wait_condition("guarded", "WeightsReady", "SecretNotGranted")
    for word in (f"{NAMESPACE}/not-listed", "agent.mirrorSecrets: mirror-token", "upgrade"):
        assert word in f"{found['message']}. {found['nextStep']}"
    stage.add_mirror("guarded", credentialsSecretName="mirror-token")
    found = stage.wait_condition("guarded", "WeightsReady", "SecretNotFound")
    assert f"Secret {NAMESPACE}/mirror-token does not exist" in found["message"]
    stage.cluster.apply(TOKEN | {"metadata": {"name": "mirror-token", "namespace": NAMESPACE}})
    found = stage.wait_condition("guarded", "WeightsReady", "MirrorFileNotFound")
    url = f"{stage.mirror_url}/manifests/{_digest(stage, 'guarded')}.manifest"
    assert url in found["message"]
    assert url in why(stage, "guarded")
    # The manifest is there now, but the mirror is not. An edit of the mirror is tried at once.
    stage.tree.publish_manifest(_digest(stage, "guarded"), _kept(stage))
    stage.stop_mirror()
    stage.add_mirror("guarded", credentialsSecretName="mirror-token", url=f"{stage.mirror_url}/")
    found = stage.wait_condition("guarded", "WeightsReady", "MirrorUnavailable")
    assert stage.mirror_url in found["message"]
    stage.start_mirror()
    ready(stage, "guarded")


def _kept(stage: Stage) -> bytes:
    """The manifest as it was drafted."""
    folder = stage.folder / "drafts" / "guarded"
    return (folder / f"{_digest(stage, 'guarded')}.manifest").read_bytes()


def test_a_pull_that_is_cut_off_goes_on_where_it_stopped(stage: Stage) -> None:
    stage.publish("large", seed=4, shape=padded(Shape(), 200))
    stage.approve("large")
    digest = _digest(stage, "large")
    # The first of the four chunks comes, the others wait until the fault is taken away.
    mirror_fault(stage, "stall", f"after={65 * MEBIBYTE}", "path=*consolidated*")
    try:
        stage.deploy("cutoff", "large")
        _one_chunk(stage, digest)
        # Deleted half-way: nothing stays but the verified bytes.
        clear(stage, "cutoff")
        until_cleared(stage, "cutoff")
        wait_for(lambda: not _entries(stage, digest), 30, "the pull to be called off")
        stage.deploy("cutoff", "large")
        agent = _agent(stage, _one_chunk(stage, digest))
        before = restarts(stage, agent)
        kill_main_process(agent)
        wait_for(lambda: restarts(stage, agent) > before, 30, "the agent to be started again")
    finally:
        mirror_fault(stage)
    ready(stage, "cutoff")
    total = sum(one["size"] for one in stage.cluster.get("mapp", "large")["spec"]["files"])
    assert 0 < _received(stage, agent) <= total - CHUNK
    clear(stage, "cutoff")
    stage.cluster.kubectl("delete", "mapp", "large")


def test_an_edit_of_a_mirror_reaches_the_pull_that_goes_on(stage: Stage) -> None:
    stage.add_mirror("edited")
    stage.publish("edited", seed=5, shape=padded(Shape(), 200))
    stage.approve("edited", options={"--mirror": "edited"})
    digest = _digest(stage, "edited")
    mirror_fault(stage, "stall", f"after={65 * MEBIBYTE}", "path=*consolidated*")
    try:
        stage.deploy("edited", "edited")
        node = _one_chunk(stage, digest)
        assert _told(stage, node, digest) == (1, 1, stage.mirror_url)
        moved = f"{stage.mirror_url}/"
        stage.add_mirror("edited", url=moved)
        wait_for(lambda: _told(stage, node, digest) == (2, 2, moved), 30, "the node to be told")
        assert _one_chunk(stage, digest) == node
    finally:
        mirror_fault(stage)
    ready(stage, "edited")
    clear(stage, "edited")
    stage.cluster.kubectl("delete", "mapp/edited", "mmir/edited")


def _told(stage: Stage, node: str, digest: str) -> tuple[int, int, str]:
    """Generation of the mirror that weights name, and generation and URL as the node knows it."""
    spec = stage.cluster.get("gpunode", node)["spec"]
    named = next(one for one in spec["weights"] if one["manifestDigest"].endswith(digest))["mirror"]
    (known,) = [one for one in spec["mirrors"] if one["name"] == named["name"]]
    return named["generation"], known["generation"], known["url"]


def _entries(stage: Stage, digest: str) -> dict[str, Json]:
    """What the nodes want or report of some weights and have not verified, by node."""
    found = {}
    for node in stage.cluster.list("gpunodes"):
        wanted = node["spec"].get("weights") or []
        reported = (node.get("status") or {}).get("weights") or []
        for one in (*wanted, *reported):
            if one["manifestDigest"].endswith(digest):
                found[node["metadata"]["name"]] = one
    return found


def _one_chunk(stage: Stage, digest: str) -> str:
    """Waits until a node holds one verified chunk and pulls the rest; its name."""

    def seen() -> str:
        for node, one in _entries(stage, digest).items():
            if one.get("state") == "Pulling" and one["bytesDone"] >= CHUNK:
                return node
        return ""

    return str(wait_for(seen, 60, "a pull to have one chunk", lambda: _entries(stage, digest)))


def _agent(stage: Stage, node: str) -> Json:
    selector = "app.kubernetes.io/component=agent"
    pods = stage.cluster.list("pods", "-n", NAMESPACE, "-l", selector)
    return next(pod for pod in pods if pod["spec"]["nodeName"] == node)


def _received(stage: Stage, agent: Json) -> float:
    """Bytes that the agent took from mirrors since it was started."""
    url = f"http://{agent['status']['podIP']}:9091/metrics"
    probe = f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).read().decode())"
    text = stage.cluster.run_in_netns([sys.executable, "-c", probe]).stdout
    line = next(
        one for one in text.splitlines() if one.startswith("escadre_agent_pull_bytes_total")
    )
    return float(line.split()[-1])
