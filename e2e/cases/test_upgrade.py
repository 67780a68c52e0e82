"""Helm upgrades, uninstalls and reinstalls under replicas that serve, and never notice."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.cases.belongings import Belongings
from e2e.cases.faulting import until_rolled_out
from e2e.cases.serving import Traffic, ready_pods, serving
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, Stage

pytestmark = pytest.mark.cluster

NAME = "upgraded"
SCALING = {"minReplicas": 2, "maxReplicas": 2}
KINDS = ("gpunodes", "modelapprovals", "modeldeployments", "modelmirrors", "modelsignatures")


@pytest.fixture(scope="module")
def served(stage: Stage) -> Iterator[Stage]:
    """The stage with two replicas that serve; at the end its chart is as it was."""
    before = stage.values
    with serving(stage, NAME, scaling=SCALING):
        yield stage
    stage.values = before
    _install(stage)


def _install(stage: Stage, **values: object) -> None:
    """Upgrades the chart, until only its new pods run."""
    stage.install(**values)
    for workload in ("deployment/escadre-operator", "daemonset/escadre-agent"):
        until_rolled_out(stage, workload)
    wait_for(
        lambda: _tags(stage) == {stage.values["image"]["tag"]}, 60, "only pods of the new chart"
    )


def _tags(stage: Stage) -> set[str]:
    """Image tags of all pods of escadre, also of those that leave."""
    pods = stage.cluster.list("pods", "-n", NAMESPACE)
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods}


@contextmanager
def _unnoticed(stage: Stage) -> Iterator[None]:
    """The replicas stay as they are, serve all the while, and nobody writes to what they are."""
    before, began = Belongings.of(stage, NAME), stage.cluster.audit.mark()
    assert len(before.pods) == 2
    assert len(before.held) == len(before.nodes)
    with Traffic(stage, NAME, rate=4) as traffic:
        yield
    assert traffic.summary.lost == 0, traffic.summary
    assert Belongings.of(stage, NAME) == before
    written = [one for one in stage.cluster.audit.answered(began) if before.is_touched_by(one)]
    assert not written, "\n".join(map(str, written))


def _seen(stage: Stage) -> None:
    """Until the operator that leads now has been over the deployment."""
    mdep = stage.mdep(NAME)
    maximum = mdep["spec"]["scaling"]["maxReplicas"] % 3 + 2  # 2 to 4: no replica more
    stage.deploy(NAME, "base", scaling=SCALING | {"maxReplicas": maximum})
    generation = stage.mdep(NAME)["metadata"]["generation"]
    assert generation > mdep["metadata"]["generation"]
    wait_for(
        lambda: stage.mdep(NAME)["status"]["observedGeneration"] == generation,
        60,
        f"the operator to see generation {generation} of {NAME}",
    )


def test_a_new_version_or_setting_of_the_operator_leaves_replicas_alone(served: Stage) -> None:
    with _unnoticed(served):
        _install(served, image={"tag": "next"}, operator={"workers": 8})
        _seen(served)


def test_a_version_that_the_engines_are_not_is_said_and_replaces_nothing(served: Stage) -> None:
    with _unnoticed(served):
        _install(served, engine={"version": "0.31"})
        said = _mismatch(served, "judged as for 0.31")
        assert "the engine says that it is vLLM 0.32.0" in said
        _install(served, engine={"version": "0.40"})
        said = _mismatch(served, "judged as for 0.40")
        assert "vLLM 0.40 is not known here; it is judged as 0.32" in said
        _install(served, engine={"version": None})
        wait_for(
            lambda: not served.condition(NAME, "EngineMismatch")["status"],
            60,
            "the condition to go",
        )


def _mismatch(stage: Stage, words: str) -> str:
    def said() -> str:
        found = stage.condition(NAME, "EngineMismatch")
        return str(found["message"]) if words in found["message"] else ""

    return str(wait_for(said, 60, f"EngineMismatch with {words}"))


def test_a_new_engine_value_replaces_one_replica_at_a_time(served: Stage) -> None:
    before = set(ready_pods(served, NAME))
    with Traffic(served, NAME, rate=4) as traffic:
        _install(served, engine={"env": {"UPGRADED": "yes"}})

        def replaced() -> bool:
            now = ready_pods(served, NAME)
            return len(now) == 2 and not before & set(now)

        wait_for(replaced, 120, "both replicas to be replaced")
    assert traffic.summary.lost == 0, traffic.summary
    pods = sorted(
        ready_pods(served, NAME).values(), key=lambda pod: str(pod["metadata"]["creationTimestamp"])
    )
    ready = [one for one in pods[0]["status"]["conditions"] if one["type"] == "Ready"]
    assert pods[1]["metadata"]["creationTimestamp"] >= ready[0]["lastTransitionTime"]
    for pod in pods:
        assert {"name": "UPGRADED", "value": "yes"} in pod["spec"]["containers"][0]["env"]


def test_uninstall_leaves_what_serves_and_a_new_install_takes_it_up(served: Stage) -> None:
    cluster = served.cluster
    with _unnoticed(served):
        cluster.helm("uninstall", "escadre", "--namespace", NAMESPACE)
        wait_for(lambda: not cluster.list("pods", "-n", NAMESPACE), 60, "no pod of escadre")
        assert not cluster.list("clusterrolebindings", "-l", "app.kubernetes.io/name=escadre")
        for kind in KINDS:
            assert cluster.get("crd", f"{kind}.escadre.dev")
        assert served.mdep(NAME)
        policies = cluster.list("validatingadmissionpolicies")
        bindings = cluster.list("validatingadmissionpolicybindings")
        names = {one["metadata"]["name"] for one in policies}
        assert {"escadre-approvals", "escadre-signatures", "escadre-revocations"} <= names
        assert {one["spec"]["policyName"] for one in bindings} >= names
        _install(served)
        _seen(served)
        served.wait_condition(NAME, "Ready", "Ready")
