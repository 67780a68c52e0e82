"""core/replicas/inputs.py: what replaces a replica, and what does not."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT

from escadre.api.deployment import Layout, ModelDeploymentSpec
from escadre.api.scaling import Scaling, Schedule, ServiceLevel
from escadre.core.facts.model import Wish
from escadre.core.replicas.inputs import FORMAT, ReplicaInputs, parse_inputs, platform_text
from escadre.settings import EngineSettings

WISH = Wish(context_length=32768, concurrency=32, typical_tokens=4096)
IMAGE = "registry.example/vllm@sha256:" + "e" * 64
ENGINE = EngineSettings(image=IMAGE)
DIGEST = "sha256:" + "ab" * 32
REPOSITORY = "mistralai/Mistral-Small-3.2-24B-Instruct-2506"
PLATFORM = platform_text(ENGINE)
INPUTS = ReplicaInputs.of(WISH, PLATFORM, DIGEST, REPOSITORY, LAYOUT)


# As 0.1.0 wrote it: no format, null for what is unset.
RECORD_0_1_0 = (
    '{"manifestDigest":"' + DIGEST + '","plan":{"capacity":{"fullLengthRequests":17,'
    '"keyValueTokens":576716,"requiredTokens":131072,"typicalRequests":140},'
    '"gpuMemoryUtilizationPercent":92,"gpus":2,"maxModelLen":32768,"maxNumBatchedTokens":8192,'
    '"maxNumSeqs":32,"memory":{"keyValueBytesPerToken":81920,"keyValueCacheBytes":47244640256,'
    '"overheadBytes":6442450944,"usableBytes":77309411328,"visibleBytes":84825604096,'
    '"weightsBytes":23622320128},"pipelineParallelSize":1,"product":"NVIDIA-H100-80GB-HBM3",'
    '"summary":"2×H100 tp2","tensorParallelSize":2,"typicalTokens":4096},"platform":{"image":"'
    + IMAGE
    + '"},"repository":"'
    + REPOSITORY
    + '","wish":{"concurrency":CONCURRENCY,"contextLength":32768,"typicalTokens":TYPICAL}}'
)


def record_0_1_0(concurrency: str = "32", typical: str = "4096") -> str:
    return RECORD_0_1_0.replace("CONCURRENCY", concurrency).replace("TYPICAL", typical)


def read(text: str) -> ReplicaInputs:
    found = parse_inputs(text)
    assert found is not None
    return found


def damaged(**changes: Any) -> str:
    raw = {**json.loads(INPUTS.to_json()), **changes}
    return json.dumps({key: value for key, value in raw.items() if value is not ...})


def test_the_hash_is_fixed_for_ever() -> None:
    # It stands in the labels of running pods: another hash function would restart every engine.
    assert INPUTS.hash == "5e65a78b8a548a63"
    assert read(record_0_1_0()).hash == "5e65a78b8a548a63"
    assert read(record_0_1_0("null", "null")).hash == "ee89272893b9ca26"


@pytest.mark.parametrize(
    ("concurrency", "typical", "wish"),
    [
        ("32", "4096", WISH),
        ("null", "4096", Wish(32768, None, 4096)),
        ("null", "null", Wish(32768)),
    ],
)
def test_a_record_of_0_1_0_means_what_it_meant(concurrency: str, typical: str, wish: Wish) -> None:
    found = read(record_0_1_0(concurrency, typical))
    assert found.matches(wish, PLATFORM, DIGEST, REPOSITORY)
    assert not found.matches(Wish(32768, 31, 4096), PLATFORM, DIGEST, REPOSITORY)
    assert found.to_json() == record_0_1_0(concurrency, typical), "it is not written anew"


def test_what_is_unset_is_not_recorded() -> None:
    record = json.loads(ReplicaInputs.of(Wish(32768), PLATFORM, DIGEST, REPOSITORY, LAYOUT).text)
    assert record["wish"] == {"contextLength": 32768}
    assert record["platform"] == {"image": IMAGE}
    assert record["format"] == FORMAT


class NewerLayout(Layout):
    """The layout of a later version."""

    data_parallel_size: int = 1
    expert_parallel: bool | None = None


def test_a_field_of_the_layout_added_later_changes_no_hash() -> None:
    newer = NewerLayout.model_validate(LAYOUT.model_dump())
    assert ReplicaInputs.of(WISH, PLATFORM, DIGEST, REPOSITORY, newer) == INPUTS


@dataclass(frozen=True, slots=True)
class NewerWish(Wish):
    """The wish of a later version."""

    quantization: str | None = None


def test_a_field_of_the_wish_added_later_changes_no_hash_until_it_is_set() -> None:
    newer = NewerWish(32768, 32, 4096)
    assert ReplicaInputs.of(newer, PLATFORM, DIGEST, REPOSITORY, LAYOUT) == INPUTS
    assert INPUTS.matches(newer, PLATFORM, DIGEST, REPOSITORY)
    chosen = NewerWish(32768, 32, 4096, quantization="fp8")
    assert not INPUTS.matches(chosen, PLATFORM, DIGEST, REPOSITORY)
    assert ReplicaInputs.of(chosen, PLATFORM, DIGEST, REPOSITORY, LAYOUT).hash != INPUTS.hash


def test_a_setting_that_became_the_default_is_no_change() -> None:
    assert read(damaged(platform={"image": IMAGE, "memory": "16Gi"})).matches(
        WISH, PLATFORM, DIGEST, REPOSITORY
    )


def test_the_time_to_drain_of_earlier_versions_is_what_nobody_chose() -> None:
    # They wrote 300 into the values of everybody; now the layout says how long.
    kept = platform_text(EngineSettings(image=IMAGE, drain_seconds=300))
    assert kept == PLATFORM
    assert read(damaged(platform={"image": IMAGE, "drainSeconds": 300})).follows(PLATFORM)
    chosen = platform_text(EngineSettings(image=IMAGE, drain_seconds=120))
    assert not INPUTS.follows(chosen)
    assert read(damaged(platform={"image": IMAGE, "drainSeconds": 120})).follows(chosen)


@pytest.mark.parametrize("part", ["wish", "platform", "plan"])
def test_a_field_of_a_newer_version_is_kept_and_not_compared(part: str) -> None:
    raw = json.loads(INPUTS.text)
    raw[part]["adapters"] = ["one"]
    found = read(json.dumps(raw))
    assert found.matches(WISH, PLATFORM, DIGEST, REPOSITORY)
    assert json.loads(found.to_json()) == raw


def test_of_a_newer_format_only_the_weights_count() -> None:
    found = read(damaged(format=FORMAT + 1, wish={"context": 7}, platform={"image": "other"}))
    assert found.matches(WISH, PLATFORM, DIGEST, REPOSITORY)
    assert not found.matches(WISH, PLATFORM, "sha256:" + "cd" * 32, REPOSITORY)
    assert not found.matches(WISH, PLATFORM, DIGEST, "mistralai/Other")


_REPLICAS = st.integers(1, 20)
_SCHEDULES = st.builds(
    Schedule,
    cron=st.sampled_from(["0 8 * * MON-FRI", "30 2 * * *"]),
    time_zone=st.sampled_from(["Europe/Paris", "UTC"]),
    duration=st.sampled_from(["1m", "8h30m"]),
    min_replicas=_REPLICAS,
)
_SCALING = st.builds(
    Scaling,
    min_replicas=_REPLICAS,
    max_replicas=st.just(20),
    target_queue_depth=st.none(),
    spare_replicas=st.none() | st.integers(0, 19),
    schedules=st.none() | st.lists(_SCHEDULES, max_size=1),
)
_LEVELS = st.builds(
    ServiceLevel,
    time_to_first_token_seconds=st.none() | st.integers(1, 60),
    inter_token_latency_milliseconds=st.none() | st.integers(1, 500),
    percentile=st.none() | st.integers(50, 99),
)


@given(_SCALING | st.just(Scaling(target_queue_depth=1000)), st.none() | _LEVELS)
def test_what_scaling_aims_at_replaces_nothing(
    scaling: Scaling, service_level: ServiceLevel | None
) -> None:
    spec = ModelDeploymentSpec(
        approval="small",
        context_length=32768,
        concurrency=32,
        typical_tokens=4096,
        scaling=scaling,
        service_level=service_level if scaling.target_queue_depth is None else None,
    )
    assert INPUTS.matches(Wish.of(spec), PLATFORM, DIGEST, REPOSITORY)
    made = ReplicaInputs.of(Wish.of(spec), PLATFORM, DIGEST, REPOSITORY, LAYOUT)
    assert (made, made.hash) == (INPUTS, INPUTS.hash)


def test_what_shapes_no_engine_is_not_recorded_of_a_layout() -> None:
    recorded = json.loads(INPUTS.text)["plan"]
    every = {str(field.alias) for field in Layout.model_fields.values()}
    assert set(recorded) == every - {"textOnly"}, "and nothing that is unset"
    assert not {"targetQueueDepth", "rejected"} & set(recorded)


@pytest.mark.parametrize(
    ("wish", "engine", "digest", "repository"),
    [
        pytest.param(Wish(16384, 32, 4096), ENGINE, DIGEST, REPOSITORY, id="context"),
        pytest.param(Wish(32768, 16, 4096), ENGINE, DIGEST, REPOSITORY, id="concurrency"),
        pytest.param(Wish(32768, None, 4096), ENGINE, DIGEST, REPOSITORY, id="unset"),
        pytest.param(Wish(32768, 32, 2048), ENGINE, DIGEST, REPOSITORY, id="typical"),
        pytest.param(
            Wish(32768, 32, 4096, text_only=True), ENGINE, DIGEST, REPOSITORY, id="text only"
        ),
        pytest.param(
            WISH,
            EngineSettings(image="registry.example/vllm@sha256:" + "f" * 64),
            DIGEST,
            REPOSITORY,
            id="image",
        ),
        pytest.param(
            WISH,
            EngineSettings(image=IMAGE, extra_args=["--enable-prefix-caching"]),
            DIGEST,
            REPOSITORY,
            id="flags",
        ),
        pytest.param(WISH, ENGINE, "sha256:" + "cd" * 32, REPOSITORY, id="digest"),
        pytest.param(WISH, ENGINE, DIGEST, "mistralai/Other", id="repository"),
    ],
)
def test_what_replaces_a_replica(
    wish: Wish, engine: EngineSettings, digest: str, repository: str
) -> None:
    platform = platform_text(engine)
    assert not INPUTS.matches(wish, platform, digest, repository)
    assert ReplicaInputs.of(wish, platform, digest, repository, LAYOUT).hash != INPUTS.hash


def test_a_layout_the_planner_would_not_choose_today_is_still_current() -> None:
    other = ReplicaInputs.of(
        WISH, PLATFORM, DIGEST, REPOSITORY, LAYOUT.model_copy(update={"gpus": 4})
    )
    assert other.matches(WISH, PLATFORM, DIGEST, REPOSITORY)
    assert other.hash != INPUTS.hash


class NewerSettings(EngineSettings):
    """The settings of a later version: one more field, with a default."""

    huge_pages: str = "none"


def test_a_setting_added_later_with_a_default_changes_no_hash() -> None:
    newer = platform_text(NewerSettings(image=IMAGE))
    assert newer == PLATFORM
    assert INPUTS.matches(WISH, newer, DIGEST, REPOSITORY)
    assert ReplicaInputs.of(WISH, newer, DIGEST, REPOSITORY, LAYOUT).hash == INPUTS.hash
    chosen = platform_text(NewerSettings(image=IMAGE, huge_pages="1Gi"))
    assert not INPUTS.matches(WISH, chosen, DIGEST, REPOSITORY)


@pytest.mark.parametrize("version", ["0.32", "0.29.1", "1.7"])
def test_the_engine_s_version_replaces_nothing(version: str) -> None:
    """It says how layouts are judged; what runs is the image."""
    engine = EngineSettings(image=IMAGE, version=version)
    assert platform_text(engine) == PLATFORM
    assert ReplicaInputs.of(WISH, platform_text(engine), DIGEST, REPOSITORY, LAYOUT) == INPUTS
    recorded = read(damaged(platform={"image": IMAGE, "version": version}))
    assert recorded.matches(WISH, PLATFORM, DIGEST, REPOSITORY)


def test_a_version_that_lacks_a_flag_replaces_what_was_started_with_it() -> None:
    """No such engine runs: vLLM ends at a flag that it does not know."""
    lacking = platform_text(EngineSettings(image=IMAGE, version="0.17.1"))
    assert json.loads(lacking)["withoutFlags"] == ["--shutdown-timeout"]
    assert not INPUTS.matches(WISH, lacking, DIGEST, REPOSITORY)
    made = ReplicaInputs.of(WISH, lacking, DIGEST, REPOSITORY, LAYOUT)
    older = platform_text(EngineSettings(image=IMAGE, version="0.11"))
    assert made.matches(WISH, older, DIGEST, REPOSITORY)
    assert not made.matches(WISH, PLATFORM, DIGEST, REPOSITORY)


def test_a_default_written_out_is_no_change() -> None:
    assert platform_text(EngineSettings(image=IMAGE, memory="16Gi")) == PLATFORM


def test_the_annotation_gives_the_same_inputs_back() -> None:
    assert parse_inputs(INPUTS.to_json()) == INPUTS
    assert read(INPUTS.to_json()).layout == LAYOUT


def plan_with(**changes: Any) -> str:
    return damaged(plan={**json.loads(INPUTS.text)["plan"], **changes})


def test_a_layout_is_read_also_when_a_later_version_wrote_more() -> None:
    assert read(plan_with(dataParallelSize=2)).layout == LAYOUT
    assert read(record_0_1_0()).layout == LAYOUT


@pytest.mark.parametrize("text", [plan_with(gpus=0), plan_with(memory=None), damaged(plan={})])
def test_a_layout_that_cannot_be_read_is_none_and_the_rest_counts(text: str) -> None:
    found = read(text)
    assert found.layout is None
    assert found.matches(WISH, PLATFORM, DIGEST, REPOSITORY)


def test_what_a_later_version_wrote_in_plan_and_platform_survives() -> None:
    raw = json.loads(INPUTS.to_json())
    raw["plan"]["dataParallelSize"] = 2
    raw["platform"]["hugePages"] = "1Gi"
    kept = parse_inputs(json.dumps(raw))
    assert kept is not None
    assert json.loads(kept.to_json()) == raw


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="missing"),
        pytest.param("{", id="cut"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="list"),
        pytest.param('"text"', id="text"),
        pytest.param("7", id="number"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(json.dumps({"wish": {}}), id="fields-missing"),
        pytest.param(damaged(manifestDigest="latest"), id="no-digest"),
        pytest.param(damaged(manifestDigest=7), id="digest-not-text"),
        pytest.param(damaged(repository=None), id="repository-not-text"),
        pytest.param(damaged(repository=["a"]), id="repository-list"),
        pytest.param(damaged(plan="none"), id="plan-not-an-object"),
        pytest.param(damaged(wish=[1]), id="wish-not-an-object"),
        pytest.param(damaged(format="2"), id="format-not-a-number"),
    ],
)
def test_a_damaged_annotation_is_none(text: str) -> None:
    assert parse_inputs(text) is None


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_no_annotation_makes_it_fail(text: str) -> None:
    assert parse_inputs(text) is None
