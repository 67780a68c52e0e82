"""core/status/build.py: whatever happens, the schema of the kind accepts the status."""

import json
from dataclasses import replace

import jsonschema  # type: ignore[import-untyped]  # ships no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.layout import LAYOUT
from tests.core.statuses import (
    DECISION,
    DIGEST,
    MODEL,
    SCHEMA,
    before,
    conditions,
    facts,
    line,
    planned,
    weights,
)

from escadre import reasons
from escadre.api.deployment import ModelDeploymentStatus, RejectedLayout
from escadre.api.wire import dump
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import RolloutPlan
from escadre.core.status.build import answer
from escadre.core.status.facts import LeavingClaim, StatusFacts
from escadre.core.status.told import Told
from escadre.reasons import REASONS
from escadre.reasons.said import plain

TEXT = st.text(max_size=30).map(lambda text: text * 100)
SAID = TEXT.map(plain)
REASON = st.sampled_from(list(REASONS.values()))
WEIGHTS = st.builds(
    weights,
    st.sampled_from(("Queued", "Wanted", "Pulling", "Verified", "Failed")),
    reason=st.none() | REASON,
    message=TEXT,
    bytes_done=st.integers(0, 1 << 50),
    bytes_total=st.integers(0, 1 << 50),
    eta_seconds=st.none() | st.integers(0, 1 << 31),
    mirror=st.none() | st.just("internal"),
)
REJECTED = st.builds(
    RejectedLayout,
    product=st.just("H100"),
    tensor_parallel_size=st.integers(1, 64),
    reason=REASON,
    message=TEXT,
)
PLANS = st.builds(
    planned,
    layout=st.sampled_from((None, LAYOUT)),
    reason=st.sampled_from(
        (
            None,
            reasons.PLANNED,
            reasons.INSUFFICIENT_GPUS,
            reasons.CONTEXT_TOO_LONG,
            reasons.NO_LAYOUT_FITS,
        )
    ),
    message=SAID,
    rejected=st.lists(REJECTED, max_size=40).map(tuple),
    weights=st.lists(WEIGHTS, max_size=3).map(tuple),
)
CLAIMED = st.none() | st.builds(
    LeavingClaim, st.just("chat-abab"), st.sampled_from((0.0, 2e9)), st.sampled_from(((), ("x/y",)))
)
LINES = st.builds(
    lambda *of, claim, **more: replace(line(*of, **more), claim=claim),
    st.integers(0, 999),
    st.sampled_from(("Pending", "Loading", "Ready", "Failing")),
    TEXT,
    current=st.booleans(),
    drain=st.sampled_from((None, Drain("Rollout", 0.0))),
    digest=st.sampled_from(("", DIGEST)),
    claim=CLAIMED,
)
PREVIOUS = st.sampled_from((Told(), before("Ready"), before("Reconciling"), before("Stalled")))
FACTS = st.builds(
    lambda lines, **more: facts(*lines, **more),
    st.lists(LINES, max_size=4),
    generation=st.integers(0, 1 << 40),
    approved=st.booleans(),
    approval_reason=REASON,
    approval_message=TEXT,
    model=st.sampled_from((None, MODEL)),
    plan=st.none() | PLANS,
    rollout=st.builds(RolloutPlan, st.just(()), st.integers(0, 4), SAID),
    desired=st.integers(0, 1000),
    min_replicas=st.integers(0, 4),
    decision=st.none()
    | st.builds(lambda reason, text: replace(DECISION, reason=reason, message=text), REASON, SAID),
    problem=st.none() | st.tuples(REASON, TEXT),
    unreachable=st.booleans(),
    previous=PREVIOUS,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(FACTS)
def test_every_status_is_legal(given_facts: StatusFacts) -> None:
    whole = answer(given_facts).status
    status = dump(whole)
    json.dumps(status)
    assert ModelDeploymentStatus.model_validate(status) == whole
    jsonschema.validate(status, SCHEMA)
    found = conditions(status)
    assert len(found) == len(status["conditions"])
    assert not {"Reconciling", "Stalled"} <= set(found)
    assert found["Ready"]["status"] in {"True", "False"}
    again = answer(replace(given_facts, previous=Told.of(whole)))
    assert again.status == whole, "a second look changes nothing"
