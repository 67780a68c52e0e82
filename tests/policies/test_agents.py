"""An agent speaks for the node that its token names, and says nothing but its status."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from e2e.cluster.cluster import Cluster
from tests.policies.users import (
    ADMIN,
    AGENT,
    NAMESPACE,
    Json,
    agent_of,
    attempt,
    denied,
    report,
    until_allowed,
)

pytestmark = pytest.mark.cluster

NODES = "gpunodes.escadre.dev"


def _uid(cluster: Cluster, node: str) -> str:
    uid: str = cluster.get("node", node)["metadata"]["uid"]
    return uid


def test_agent_reports_its_own_node(cluster: Cluster) -> None:
    uid = _uid(cluster, "gpu-0")
    assert report(cluster, agent_of("gpu-0", uid), "gpu-0", nodeUID=uid, bootID="b") == ""


def test_agent_of_another_node_is_refused(cluster: Cluster) -> None:
    answer = report(cluster, agent_of("gpu-1", _uid(cluster, "gpu-1")), "gpu-0")
    message = 'the agent on node "gpu-1" may not write GPUNode "gpu-0"'
    refusal = denied("escadre-agents", NODES, "gpu-0", message)
    assert answer == f"Error from server (Forbidden): {refusal}"


def test_token_without_node_is_refused(cluster: Cluster) -> None:
    message = (
        "this token names no node: an agent writes with the token of its own pod, which carries "
        "authentication.kubernetes.io/node-name"
    )
    refusal = denied("escadre-agents", NODES, "gpu-0", message)
    assert report(cluster, AGENT, "gpu-0") == f"Error from server (Forbidden): {refusal}"


def test_agent_gives_no_other_uid_than_its_tokens(cluster: Cluster) -> None:
    agent = agent_of("gpu-1", _uid(cluster, "gpu-1"))
    answer = report(cluster, agent, "gpu-1", nodeUID="another")
    message = "status.nodeUID must be the node uid in the agent's own token"
    refusal = denied("escadre-agents", NODES, "gpu-1", message)
    assert answer == f"Error from server (Forbidden): {refusal}"


def test_agent_has_no_right_beyond_the_status(cluster: Cluster) -> None:
    agent = agent_of("gpu-0", _uid(cluster, "gpu-0"))
    patch = '--patch={"spec":{"weights":[]}}'
    answer = attempt(cluster, agent, "patch", "gpunode", "gpu-0", "--type=merge", patch)
    assert f'User "{AGENT.name}" cannot patch resource "gpunodes"' in answer


@pytest.fixture
def careless_rights(cluster: Cluster) -> Iterator[None]:
    """Somebody gave the agents more than the chart does."""
    role = "careless"
    cluster.kubectl(
        "create",
        "clusterrole",
        role,
        "--verb=create,patch,delete",
        "--resource=gpunodes.escadre.dev",
    )
    cluster.kubectl(
        "create",
        "clusterrolebinding",
        role,
        f"--clusterrole={role}",
        f"--serviceaccount={NAMESPACE}:escadre-agent",
    )
    # The API server learns of rights a moment after they are stored.
    until_allowed(cluster, AGENT, "patch", NODES)
    yield
    cluster.kubectl("delete", f"clusterrole/{role}", f"clusterrolebinding/{role}")
    until_allowed(cluster, AGENT, "patch", NODES, allowed=False)


@pytest.mark.usefixtures("careless_rights")
def test_policy_holds_even_where_rights_are_careless(cluster: Cluster) -> None:
    agent = agent_of("gpu-0", _uid(cluster, "gpu-0"))
    message = "an agent writes nothing but the status of its own GPUNode"
    refusal = denied("escadre-agents", NODES, "gpu-0", message)
    label = '--patch={"metadata":{"labels":{"a":"b"}}}'
    for arguments in (
        ("patch", "gpunode", "gpu-0", "--type=merge", label),
        ("delete", "gpunode", "gpu-0"),
    ):
        answer = attempt(cluster, agent, *arguments)
        assert answer == f"Error from server (Forbidden): {refusal}"
    document: Json = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": "gpu-9"},
        "spec": {"weights": []},
    }
    answer = attempt(cluster, agent, "create", "-f", "-", document=document)
    assert answer.endswith(denied("escadre-agents", NODES, "gpu-9", message))


def test_administrator_is_not_held_by_the_agents_policy(cluster: Cluster) -> None:
    assert report(cluster, ADMIN, "gpu-1") == ""


def _patch_with_token(cluster: Cluster, token: str, node: str) -> str:
    """Kubectl with nothing but the token; the administrator's certificate would win over it."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = cluster.state.root / "agent.kubeconfig"
    path.write_text(json.dumps(config))
    document: Json = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {"name": node},
        "status": {"summary": "0/0"},
    }
    done = subprocess.run(
        [
            "kubectl",
            f"--kubeconfig={path}",
            "apply",
            "--server-side",
            "--force-conflicts",
            "--subresource=status",
            "-f",
            "-",
        ],
        input=json.dumps(document),
        env=cluster.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    path.unlink()
    return done.stderr.strip()


def test_real_tokens_carry_their_node(cluster: Cluster) -> None:
    """Not impersonated: the token of a pod on gpu-0, and one made for the account alone."""
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "token-holder", "namespace": NAMESPACE},
        "spec": {
            "serviceAccountName": "escadre-agent",
            "nodeName": "gpu-0",
            "containers": [{"name": "none", "image": "registry.example/none:1"}],
            "terminationGracePeriodSeconds": 0,
        },
    }
    cluster.apply(pod)
    account = ("-n", NAMESPACE, "create", "token", "escadre-agent")
    bound = cluster.kubectl(*account, "--bound-object-kind=Pod", "--bound-object-name=token-holder")
    loose = cluster.kubectl(*account)
    assert _patch_with_token(cluster, bound.strip(), "gpu-0") == ""
    assert 'the agent on node "gpu-0" may not write GPUNode "gpu-1"' in _patch_with_token(
        cluster, bound.strip(), "gpu-1"
    )
    assert "this token names no node" in _patch_with_token(cluster, loose.strip(), "gpu-0")
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "token-holder", "--force", "--wait=false")
