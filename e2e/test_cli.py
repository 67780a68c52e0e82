"""The program against a real API server: what the fake one of the unit tests cannot prove.

Credentials of a kubeconfig, a cluster without the CRDs, missing rights, an address that does not
answer, and the name under which the server knows the caller.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.pods import PYTHON, build_pod, until_over
from e2e.test_api_rules import APPROVAL, CRDS, DEPLOYMENT

pytestmark = pytest.mark.cluster

Ran = subprocess.CompletedProcess[str]
PROGRAM = "import sys; from escadre.cli.main import main; sys.exit(main())"


def _escadre(kubeconfig: Path, *arguments: str, stdin: str = "") -> Ran:
    environment = {**os.environ, "PYTHONPATH": str(CRDS.parent / "operator")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "--kubeconfig", str(kubeconfig), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A cluster with the CRDs, an approval and a deployment; nobody reconciles."""

    cluster: Cluster
    before_crds: Ran
    folder: Path

    def account(self, name: str) -> Path:
        """Kubeconfig of a new service account without any right."""
        self.cluster.kubectl("create", "serviceaccount", name, "--namespace=default")
        token = self.cluster.kubectl("create", "token", name, "--namespace=default").strip()
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"] = [
            {"name": each["name"], "user": {"token": token}} for each in config["users"]
        ]
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.dump(config))
        return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Cluster(f"cli-{os.getpid()}", nodes=[NodeSpec("cpu-0", gpus=0)]) as cluster:
        before = _escadre(cluster.kubeconfig, "status")
        cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=300s")
        cluster.apply(APPROVAL, DEPLOYMENT)
        yield Bench(cluster, before, tmp_path_factory.mktemp("cli"))


def test_a_cluster_without_escadre_says_how_to_install_it(bench: Bench) -> None:
    assert bench.before_crds.returncode == 4
    assert "escadre is not installed on it" in bench.before_crds.stderr
    assert "helm install escadre" in bench.before_crds.stderr


def test_a_bundle_says_what_its_reader_may_not_see(bench: Bench, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.tar.gz", tmp_path / "part.tar.gz"
    ran = _escadre(bench.cluster.kubeconfig, "support-bundle", "-o", str(whole))
    assert ran.returncode == 1, ran.stderr  # no operator is installed here: no Lease, no settings
    files = _unpacked(whole)
    assert {line.partition(":")[0] for line in files["MISSING.txt"].splitlines()} == {
        "Lease escadre-system/escadre-operator",
        "ConfigMap escadre-system/escadre",
    }
    assert '"name": "assistant"' in files["objects/modeldeployments.json"]
    assert "kubelet" in files["objects/nodes.json"]
    ran = _escadre(bench.account("outsider"), "support-bundle", "-o", str(part))
    assert ran.returncode == 1, ran.stderr
    missing = _unpacked(part)["MISSING.txt"]
    for kind in ("modeldeployments", "modelapprovals", "nodes", "pods", "events"):
        assert f"{kind}" in missing
    assert "cannot list resource" in missing
    token = yaml.safe_load((bench.folder / "outsider.kubeconfig").read_text())["users"][0]
    assert not [one for one in _unpacked(part).values() if token["user"]["token"] in one]


def test_a_bundle_holds_the_end_of_a_log_without_its_secrets(bench: Bench, tmp_path: Path) -> None:
    cluster, space = bench.cluster, "escadre-system"
    cluster.kubectl("create", "namespace", space)
    words = "print('first'); print('Authorization: Bearer abcdef123456'); print('last')"
    labels = {"escadre.dev/component": "operator"}
    pod = build_pod(
        "escadre-operator-0",
        space,
        words,
        image=PYTHON,
        labels=labels,
        spec={"restartPolicy": "Never"},
    )
    cluster.apply(pod)
    until_over(cluster, space, "escadre-operator-0")
    path = tmp_path / "b.tar.gz"
    ran = _escadre(cluster.kubeconfig, "support-bundle", "-o", str(path), "--tail", "2")
    assert ran.returncode == 1, ran.stderr  # there is no Lease
    files = _unpacked(path)
    (log,) = (text for name, text in files.items() if name.startswith(f"logs/{space}/"))
    assert log == "Authorization: (redacted)\nlast\n"
    assert not [name for name, text in files.items() if "abcdef123456" in text]


def _unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as bundle:
        files = {}
        for member in bundle.getmembers():
            file = bundle.extractfile(member)
            assert file is not None
            files[member.name.partition("/")[2]] = file.read().decode()
    return files


def test_a_deployment_that_nobody_visited_is_explained(bench: Bench) -> None:
    ran = _escadre(bench.cluster.kubeconfig, "why", "assistant", "-n", "default", "-o", "json")
    assert ran.returncode == 1, ran.stderr
    assert json.loads(ran.stdout)["blocker"]["reason"] == "Pending"
    assert _escadre(bench.cluster.kubeconfig, "status").stdout.splitlines()[1].split() == [
        "assistant",
        "Unknown",
        "-",
        "-",
        "-",
        "Pending",
    ]


def test_a_signature_bears_the_name_the_server_knows(bench: Bench) -> None:
    ran = _escadre(bench.cluster.kubeconfig, "approve", "sign", "small", stdin="y\n")
    assert ran.returncode == 0, ran.stderr
    (written,) = bench.cluster.list("modelsignatures")
    name = json.loads(bench.cluster.kubectl("auth", "whoami", "-o", "json"))
    assert written["spec"]["by"] == name["status"]["userInfo"]["username"]
    again = _escadre(bench.cluster.kubeconfig, "approve", "sign", "small", "--yes")
    assert again.returncode == 3
    assert "has signed this content already" in again.stderr


def test_a_missing_right_is_named_with_verb_resource_and_person(bench: Bench) -> None:
    ran = _escadre(bench.account("nobody"), "status", "-n", "default")
    assert ran.returncode == 4
    for words in ('"system:serviceaccount:default:nobody"', "list", "modeldeployments"):
        assert words in ran.stderr


def test_a_plan_on_a_cluster_without_gpus(bench: Bench) -> None:
    ran = _escadre(bench.cluster.kubeconfig, "plan", "-f", "-", stdin=yaml.dump(DEPLOYMENT))
    assert ran.returncode == 1, ran.stderr
    assert "NoGPUNodes" in ran.stdout


def test_an_address_that_does_not_answer(bench: Bench) -> None:
    config = yaml.safe_load(bench.cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = bench.folder / "closed.kubeconfig"
    path.write_text(yaml.dump(config))
    ran = _escadre(path, "status")
    assert ran.returncode == 4
    assert "check that the address in the kubeconfig answers from here" in ran.stderr
    assert "Traceback" not in ran.stderr
