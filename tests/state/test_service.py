"""state/service.py: for which replicas what was learned of some is true."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT
from tests.core.rollouts import ready
from tests.state.test_observe import MODEL, OWNER, VIEW, WISH

from escadre.api.deployment import Layout, ModelDeploymentSpec
from escadre.core.replicas.inputs import ReplicaInputs, platform_text
from escadre.core.scaling.learning import Factors, Learned
from escadre.core.scaling.policy import ScaleState, Windows
from escadre.core.scaling.service import Service, ServiceLevel
from escadre.core.scaling.step import Bounds, Scalable, step
from escadre.render.replica import ReplicaSpec, pod_template
from escadre.render.workload import WORKLOAD, Recorded
from escadre.settings import EngineSettings, Settings
from escadre.state.demand import samples_of
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


def observed(
    slot: int,
    engine: EngineSettings = OLD,
    state: str = "Ready",
    layout: Layout = LAYOUT,
    digest: str = MODEL.manifest_digest,
) -> Observed:
    """A replica made from these settings."""
    inputs = ReplicaInputs.of(WISH, platform_text(engine), digest, MODEL.repository, layout)
    template = pod_template(
        OWNER, ReplicaSpec(slot, inputs, layout, MODEL.architecture, "gpu-0"), engine
    )
    made = WORKLOAD.render(OWNER, Recorded(slot, inputs, template, "gpu-0"))
    made["metadata"] |= {"uid": f"uid-{slot}", "resourceVersion": "1"}
    view = ready(slot, state=state, digest=digest)
    return Observed(ReplicaRecord.of(made), "gpu-0", None, view)


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


WIDER = LAYOUT.model_copy(update={"tensor_parallel_size": 4, "gpus": 4, "max_num_seqs": 64})
LOST = replace(observed(1), record=replace(observed(1).record, inputs=None))
OTHER = "sha256:" + "cd" * 32


def of(*replicas: Observed) -> Service:
    """What is told where these are all that there is."""
    return service(*replicas)


@pytest.mark.parametrize(
    ("replicas", "told"),
    [
        pytest.param((observed(0), observed(1, NEW, "Loading")), of(observed(0)), id="one loads"),
        pytest.param((observed(1, NEW, "Loading"),), of(observed(1, NEW)), id="none serves yet"),
        pytest.param(
            (observed(0), observed(1, NEW), observed(2, NEW)), of(observed(0, NEW)), id="the most"
        ),
        pytest.param(
            (observed(0, layout=WIDER), observed(1, state="Loading")),
            of(observed(0, layout=WIDER)),
            id="the planned layout serves nowhere yet",
        ),
        pytest.param((observed(0), LOST), of(observed(0)), id="a record is lost"),
        pytest.param((LOST,), of(), id="that of all"),
        pytest.param((observed(0, digest=OTHER),), of(), id="other weights serve"),
        pytest.param(
            (observed(0, digest=OTHER), observed(1, NEW, "Loading")),
            of(observed(1, NEW)),
            id="other weights serve still",
        ),
    ],
)
def test_scaling_is_told_of_the_kind_of_which_most_serve(
    replicas: tuple[Observed, ...], told: Service
) -> None:
    assert service(*replicas) == told
    assert service(*replicas[::-1]) == told


def test_of_as_many_of_each_kind_one_is_taken_whatever_their_order() -> None:
    one, other = observed(0), observed(1, NEW)
    assert service(one, other) == service(other, one)
    assert service(one, other).key in {service(one).key, service(other).key}


@pytest.mark.parametrize(
    ("older", "teaches"),
    [
        pytest.param(observed(0), True, id="as planned"),
        pytest.param(observed(0, layout=WIDER), False, id="an older layout"),
        pytest.param(observed(0, NEW), False, id="another image"),
        pytest.param(observed(0, digest=OTHER), False, id="other weights"),
        pytest.param(replace(LOST, view=ready(0)), False, id="nobody knows what it is"),
    ],
)
def test_only_replicas_of_the_kind_teach_what_one_of_it_does(
    older: Observed, teaches: bool
) -> None:
    replicas = (older, observed(1), observed(2))
    told, settings = service(*replicas), Settings(engine=OLD).scaling
    assert told.key == service(observed(1)).key
    samples = samples_of(replicas, {}, told, settings, 1.0)
    assert [one.alike for one in samples] == [teaches, True, True]


def test_a_field_that_a_later_version_adds_to_layouts_names_no_other_kind() -> None:
    class Later(Layout):
        data_parallel_size: int = 1

    later = Later(**dict(LAYOUT))
    assert service_of(VIEW.spec, MODEL, later, ()) == service_of(VIEW.spec, MODEL, LAYOUT, ())


def test_what_a_replica_should_do_is_of_its_layout() -> None:
    """All of it, as the simulation has it: no prompt is longer than the layout allows."""
    prior = service(observed(0)).prior
    found = (prior.cache_tokens, prior.max_num_seqs, prior.max_model_len)
    layout = LAYOUT
    assert found == (layout.capacity.key_value_tokens, layout.max_num_seqs, layout.max_model_len)
