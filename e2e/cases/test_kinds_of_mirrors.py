"""S3, OCI and folders as mirrors: refused with words, then pulled and served; no secret shows."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.cases.faulting import clear, ready
from e2e.cluster.addresses import CLUSTER_ADDRESS
from e2e.cluster.binaries import provide_programs
from e2e.cluster.programs import Tier
from e2e.cluster.wait import wait_for
from e2e.engine.mirror import registry, versitygw
from e2e.engine.mirror.tree import MANIFESTS
from e2e.stage.stage import NAMESPACE, TEAM, Stage

pytestmark = pytest.mark.cluster

S3_PORT, OCI_PORT = 8911, 8912
CANARY = "s3cr3t-canary"
WRONG = "wr0ng-canary"
# Of CANARY, as the registry's htpasswd wants it.
HTPASSWD = "robot:$2b$04$ZAU08xX1nstqQre7ypA2fODIjfy1Ov9refCXFL4u.a8YfU7MmofKK\n"


@contextmanager
def _beside(
    stage: Stage, command: list[str], port: int, environment: Mapping[str, str]
) -> Iterator[None]:
    """A server in the cluster's network namespace."""
    with (stage.folder / f"mirror-{port}.log").open("wb") as log:
        process = stage.cluster.popen_in_netns(command, env=environment, stdout=log, stderr=log)
    probe = f"import socket; socket.create_connection(('{CLUSTER_ADDRESS}', {port}), 1).close()"
    ask = [sys.executable, "-c", probe]
    try:
        wait_for(
            lambda: stage.cluster.run_in_netns(ask, check=False).returncode == 0,
            30,
            f"{command[0]} to listen",
        )
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _published(stage: Stage, name: str, seed: int, mirror: str) -> Path:
    """A model approved for ``mirror``, drafted from its folder; the tree that it lies in."""
    stage.publish(name, seed=seed)
    folder = stage.folder / "models" / name
    stage.approve(name, options={"--mirror": mirror, "--folder": str(folder)})
    return stage.tree.root


def _copied(stage: Stage, name: str, root: Path) -> None:
    """The model and all manifests from the stage's mirror into ``root``."""
    for below in (f"mistralai/{name}", MANIFESTS):
        shutil.copytree(stage.tree.root / below, root / below, dirs_exist_ok=True)


def _secret(stage: Stage, **values: str) -> None:
    meta = {"name": "mirror-token", "namespace": NAMESPACE}
    stage.cluster.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": values}
    )


@pytest.fixture
def gone(stage: Stage) -> Iterator[list[str]]:
    """Names of what is deleted at the end: deployment, approval and mirror in one."""
    names: list[str] = []
    yield names
    for name in names:
        clear(stage, name)
        stage.cluster.kubectl("delete", f"mapp/{name}", f"mmir/{name}", "--ignore-not-found")
    stage.cluster.kubectl("delete", "secret", "mirror-token", "-n", NAMESPACE, "--ignore-not-found")


def _mirror(stage: Stage, name: str, **spec: Any) -> None:
    kind = {"apiVersion": "escadre.dev/v1alpha1", "kind": "ModelMirror"}
    stage.cluster.apply({**kind, "metadata": {"name": name}, "spec": spec})


def _told(stage: Stage) -> str:
    """All that the product says where somebody may read it."""
    said = [
        stage.cluster.kubectl("get", kinds, "-A", "-o", "yaml", "--show-managed-fields")
        for kinds in ("mdep,mapp,mmir,gpunodes,pods,configmaps", "events", "events.events.k8s.io")
    ]
    said += [
        stage.cluster.kubectl("logs", "-n", NAMESPACE, pod["metadata"]["name"])
        for pod in stage.cluster.list("pods", "-n", NAMESPACE)
    ]
    said.append(stage.escadre("why", "-n", TEAM, "objects", check=False).stdout)
    return "\n".join(said)


def test_a_bucket_is_refused_with_words_then_pulled_from(stage: Stage, gone: list[str]) -> None:
    gone.append("objects")
    root = stage.folder / "buckets" / "weights" / "models"
    url = f"http://{CLUSTER_ADDRESS}:{S3_PORT}"
    spec: dict[str, Any] = {
        "type": "s3",
        "s3": {"bucket": "weights", "prefix": "models"},
        "credentialsSecretName": "mirror-token",
    }
    _secret(stage, accessKeyID="AKID", secretAccessKey=WRONG)
    _mirror(stage, "objects", url=url, **spec)
    _published(stage, "objects", 91, "objects")
    _copied(stage, "objects", root)
    program = provide_programs(print, Tier.MIRRORS)["versitygw"].path
    command = versitygw.command(program, root.parents[1], CLUSTER_ADDRESS, S3_PORT)
    with _beside(stage, command, S3_PORT, versitygw.environment(("AKID", CANARY))):
        stage.deploy("objects", "objects")
        found = stage.wait_condition("objects", "WeightsReady", "Unauthorized")
        assert "HTTP 403 SignatureDoesNotMatch: the secret access key is not" in found["message"]
        mirror = stage.cluster.get("mmir", "objects")["status"]["conditions"]
        assert {(one["type"], one["reason"]) for one in mirror} >= {("Ready", "Unauthorized")}
        _secret(stage, accessKeyID="AKID", secretAccessKey=CANARY)
        _mirror(stage, "objects", url=f"{url}/", **spec)  # an edit is tried at once
        ready(stage, "objects")
    told = _told(stage)
    assert "canary" not in told
    assert "SignatureDoesNotMatch" in told  # what was looked through is the right thing


def test_a_registry_is_pulled_from(stage: Stage, gone: list[str]) -> None:
    gone.append("registry")
    host = f"{CLUSTER_ADDRESS}:{OCI_PORT}"
    _secret(stage, username="robot", password=CANARY)
    _mirror(
        stage,
        "registry",
        type="oci",
        url=f"http://{host}/models",
        credentialsSecretName="mirror-token",
    )
    tree = _published(stage, "registry", 92, "registry")
    digest = stage.cluster.get("mapp", "registry")["spec"]["manifestDigest"].removeprefix("sha256:")
    commit = stage.commits["registry"]
    program = provide_programs(print, Tier.MIRRORS)["registry"].path
    storage = registry.on_disk(stage.folder / "registry")
    files = {
        path.name: path.read_bytes() for path in (tree / "mistralai/registry" / commit).iterdir()
    }
    manifest = {f"{digest}.manifest": (tree / MANIFESTS / f"{digest}.manifest").read_bytes()}
    name = "models/mistralai/registry"
    with registry.registry(program, storage, stage.folder) as url:
        registry.push(url, name, commit, files, registry.modelpack)
        registry.push(url, name, f"escadre-{digest}", manifest, registry.oras)
    (stage.folder / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "registry", "path": str(stage.folder / "htpasswd")}}
    config = stage.folder / "registry.yaml"
    config.write_text(registry.configuration(storage, host, auth))
    command = [str(program), "serve", str(config)]
    with _beside(stage, command, OCI_PORT, registry.ENVIRONMENT):
        stage.deploy("registry", "registry")
        ready(stage, "registry")
    assert "canary" not in _told(stage)


def test_a_folder_that_is_not_mounted_is_told_and_one_that_is_pulled_from(
    stage: Stage, gone: list[str]
) -> None:
    gone.append("files")
    _mirror(stage, "files", type="folder", folder={"name": "other"})
    _published(stage, "files", 93, "files")
    for node in ("gpu-0", "gpu-1"):
        _copied(stage, "files", stage.cluster.node(node).root / "data/weights")
    stage.deploy("files", "files")
    found = stage.wait_condition("files", "WeightsReady", "FolderNotMounted")
    assert "not among those the chart mounts (agent.mirrorFolders: share)" in found["message"]
    _mirror(stage, "files", type="folder", folder={"name": "share"})
    ready(stage, "files")


def test_a_draft_says_how_the_manifest_comes_there(stage: Stage, gone: list[str]) -> None:
    gone.append("share")
    _mirror(stage, "share", type="folder", folder={"name": "share"})
    stage.publish("share", seed=94)
    folder = stage.folder / "models" / "share"
    stage.draft("share", options={"--mirror": "share", "--folder": str(folder)})
    assert ".manifest to escadre-manifests/ of the folder share\n" in stage.said
    refused = stage.escadre(
        *("approve", "draft", "--mirror", "share", "--repository", "mistralai/share"),
        *("--revision", stage.commits["share"], "--allow", TEAM, "--licence", "Apache-2.0"),
        *("--accepted-by", "legal@bank.example", "--not-after", "2099-12-31"),
        who="rita",
        check=False,
    )
    assert refused.returncode == 3
    assert "or the same mount, is read: draft --folder PATH" in refused.stderr
