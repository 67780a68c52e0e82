"""A copy of the repository below /tmp and with a blank in its path runs pods like any other."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.config import REPOSITORY
from e2e.cluster.launch import remove_cluster
from e2e.cluster.pods import PYTHON, build_pod, until_over

pytestmark = pytest.mark.cluster

_OWNER = """\
import sys
from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
with Cluster(sys.argv[1], nodes=[NodeSpec("gpu-0")]):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def copy() -> Iterator[Path]:
    """The tree with an environment of its own, in a folder that only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="escadre a ", dir="/tmp") as folder:
        checkout = Path(folder) / "check out"
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "e2e", checkout / "e2e", ignore=without)
        environment = checkout / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        (packages,) = environment.glob("lib/*/site-packages")
        (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        yield checkout


@pytest.fixture
def cluster(copy: Path) -> Iterator[Cluster]:
    """A cluster that the copy started."""
    name = f"any-{uuid.uuid4().hex[:8]}"
    try:
        with subprocess.Popen(
            [copy / ".venv/bin/python", "-c", _OWNER, name],
            cwd=copy,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(copy)},
        ) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"up\n"
            yield Cluster.attach(name)
            owner.communicate(b"", timeout=60)
    finally:
        remove_cluster(name)


def test_a_pod_with_a_volume_at_tmp_sees_the_copy(cluster: Cluster, copy: Path) -> None:
    script = "import os, sys, e2e; print(sys.prefix, e2e.__file__, os.getuid(), sep='\\n')"
    pod = build_pod(
        "inside",
        "default",
        script,
        image=PYTHON,
        volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - inside the pod
        securityContext={"runAsUser": 65532, "readOnlyRootFilesystem": True},
        spec={"restartPolicy": "Never", "volumes": [{"name": "tmp", "emptyDir": {}}]},
    )
    cluster.apply(pod)
    until_over(cluster, "default", "inside")
    lines = cluster.pod_log("default", "inside", "main").splitlines()
    assert lines == [str(copy / ".venv"), str(copy / "e2e" / "__init__.py"), "65532"]
