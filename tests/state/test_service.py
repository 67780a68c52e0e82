"""state/service.py: for which replicas what was learned of some is true."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT
from tests.core.rollouts import ready
from tests.state.test_observe import MODEL, OWNER, VIEW, WISH

from escadre.api.deployment import ModelDeploymentSpec
from escadre.core.replicas.inputs import ReplicaInputs, platform_text
from escadre.core.scaling.learning import Factors, Learned
from escadre.core.scaling.policy import ScaleState, Windows
from escadre.core.scaling.service import Service, ServiceLevel
from escadre.core.scaling.step import Bounds, Scalable, step
from escadre.render.replica import ReplicaSpec, pod_template
from escadre.render.workload import WORKLOAD, Recorded
from escadre.settings import EngineSettings
from escadre.state.observe import Observed
from escadre.state.service import level_of, service_of
from escadre.state.views import ReplicaRecord

IMAGES = [f"registry.example/vllm@sha256:{letter * 64}" for letter in "ef"]
ENGINES = st.builds(
    EngineSettings,
    image=st.sampled_from(IMAGES),
    extra_args=st.sampled_from([[], ["--enable-prefix-caching"], ["--seed=1"]]),
    env=st.sampled_from([{}, {"NCCL_DEBUG": "WARN"}]),
    drain_seconds=st.integers(1, 3600),
)
OLD, NEW = (EngineSettings(image=image) for image in IMAGES)


def felt(engine: EngineSettings) -> tuple[object, ...]:
    return engine.image, engine.extra_args, engine.env


def observed(slot: int, engine: EngineSettings, state: str = "Ready") -> Observed:
    """A replica made from these settings."""
    inputs = ReplicaInputs.of(
        WISH, platform_text(engine), MODEL.manifest_digest, MODEL.repository, LAYOUT
    )
    template = pod_template(
        OWNER, ReplicaSpec(slot, inputs, LAYOUT, MODEL.architecture, "gpu-0"), engine
    )
    made = WORKLOAD.render(OWNER, Recorded(slot, inputs, template, "gpu-0"))
    made["metadata"] |= {"uid": f"uid-{slot}", "resourceVersion": "1"}
    return Observed(ReplicaRecord.of(made), "gpu-0", None, ready(slot, state=state))


def service(*replicas: Observed) -> Service:
    found = service_of(VIEW.spec, MODEL, LAYOUT, replicas)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("wished", "level"),
    [
        pytest.param(None, ServiceLevel(2.0, 0.2, 0.95), id="none: the defaults"),
        pytest.param({}, ServiceLevel(2.0, 0.2, 0.95), id="an empty one"),
        pytest.param({"percentile": 99}, ServiceLevel(2.0, 0.2, 0.99), id="the percentile alone"),
        pytest.param(
            {"timeToFirstTokenSeconds": 5, "interTokenLatencyMilliseconds": 40, "percentile": 50},
            ServiceLevel(5.0, 0.04, 0.5),
            id="all of it",
        ),
    ],
)
def test_the_service_level_that_is_wished(wished: Any, level: ServiceLevel) -> None:
    raw = {"approval": "small", "contextLength": 4096, "serviceLevel": wished}
    assert level_of(ModelDeploymentSpec.model_validate(raw)) == level


@given(ENGINES, ENGINES)
def test_what_was_learned_of_an_image_and_its_flags_is_true_of_no_other(
    old: EngineSettings, new: EngineSettings
) -> None:
    before, after = service(observed(0, old)), service(observed(0, new))
    slow = Learned(before.key, told=Factors(prompt=2.0), told_at=1.0)
    seen = Scalable(Bounds(1, 5), True, 10, told=1, staying=1, service=after, learned=slow)
    found = step(ScaleState(1, 2.0, learned=slow), seen, (), Windows(60.0, 15.0), 3.0).state
    assert found.learned == (slow if felt(old) == felt(new) else Learned(after.key))


def test_a_new_image_counts_once_it_serves() -> None:
    stands, comes = observed(0, OLD), observed(1, NEW, "Loading")
    assert service(stands, comes).key == service(stands).key
    mixed = service(stands, observed(1, NEW)).key
    assert mixed == service(observed(0, NEW), observed(1, OLD)).key
    assert mixed not in {service(stands).key, service(observed(1, NEW)).key}
    assert service(comes).key == service(observed(1, NEW)).key


def test_a_record_that_is_lost_names_no_engine() -> None:
    stands = observed(0, OLD)
    lost = replace(stands, record=replace(stands.record, inputs=None), view=ready(1))
    assert service(stands, lost).key == service(stands).key
