"""One real cluster with the chart installed, for all policy tests; no process of it runs here."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for
from tests.policies.objects import PEOPLE, approval, pod, signature, volume
from tests.policies.users import (
    ADMIN,
    AGENT,
    BRUNO,
    EVE,
    NAMESPACE,
    OPERATOR,
    PIPELINE,
    attempt,
    report,
)

CHART: Final = Path(__file__).parents[2] / "charts" / "escadre"


def install(cluster: Cluster) -> None:
    """Installs the chart as its documentation says."""
    values = CHART / "ci" / "default-values.yaml"
    cluster.helm(
        "upgrade", "--install", "escadre", str(CHART), f"--namespace={NAMESPACE}", f"-f{values}"
    )


def _policies_bite(cluster: Cluster) -> bool:
    """The API server takes a new policy up a moment after it is stored: each refuses once."""
    dry = ("--dry-run=server", "-f", "-")
    unlabel = ('--patch={"metadata":{"labels":{"test":"x"}}}', "--dry-run=server")
    answers = (
        attempt(cluster, PIPELINE, "create", *dry, document=approval(by="nobody")),
        attempt(cluster, EVE, "create", *dry, document=signature("eve")),
        attempt(cluster, ADMIN, "delete", "modelsignature", "revoked-bruno", "--dry-run=server"),
        report(cluster, AGENT, "gpu-0"),
        attempt(cluster, OPERATOR, "patch", "node", "gpu-0", *unlabel),
        attempt(cluster, OPERATOR, "-n", "chat", "patch", "pod", "engine", *unlabel),
        attempt(cluster, OPERATOR, "create", *dry, document=volume(name="other")),
    )
    return all("ValidatingAdmissionPolicy" in answer for answer in answers)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster; its objects are those of ``objects.py``."""
    with Cluster(f"policies-{os.getpid()}", nodes=[NodeSpec("gpu-0"), NodeSpec("gpu-1")]) as one:
        one.kubectl("create", "namespace", NAMESPACE)
        one.kubectl("create", "namespace", "chat")
        install(one)
        one.kubectl(
            "wait", "--for=condition=Established", "crd", "-l", "", "--all", "--timeout=180s"
        )
        wait_for(
            lambda: not attempt(one, ADMIN, "-n", "chat", "get", "serviceaccount", "default"),
            30,
            "the namespace's account",
        )
        one.apply(*PEOPLE)
        for node in ("gpu-0", "gpu-1"):
            one.apply(
                {
                    "apiVersion": "escadre.dev/v1alpha1",
                    "kind": "GPUNode",
                    "metadata": {"name": node},
                    "spec": {"weights": []},
                }
            )
        one.apply(pod("engine", component="engine"), pod("web", component="web"))
        assert not attempt(
            one,
            BRUNO,
            "create",
            "-f",
            "-",
            document=signature("bruno", decision="Revoke", name="revoked-bruno"),
        )
        wait_for(lambda: _policies_bite(one), 30, "all policies in force")
        yield one
