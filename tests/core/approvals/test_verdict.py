"""core/approvals/verdict.py against the sentences of the specification: when an approval holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.core.approvals.signed import (
    ANNA,
    BRUNO,
    DIGEST,
    EXPIRES,
    MISSING_POLICY,
    NOW,
    OTHER,
    POLICIES,
    REVOKE,
    SPEC,
    STORED,
    signed,
    verdict,
)

from escadre.api.approval import ModelApprovalSpec
from escadre.core.approvals.verdict import (
    ApprovalVerdict,
    Signature,
    allows_namespace,
    content_digest,
    iso,
)


@pytest.mark.parametrize(
    ("signatures", "reason", "counted"),
    [
        pytest.param((ANNA, BRUNO), "Approved", 2, id="two-people"),
        pytest.param((), "SignaturesMissing", 0, id="nobody"),
        pytest.param((ANNA,), "SignaturesMissing", 1, id="one-of-two"),
        pytest.param(
            (ANNA, signed("anna", name="again")),
            "SignaturesMissing",
            1,
            id="one-person-signing-twice-is-one",
        ),
        pytest.param((ANNA, signed("rita")), "SignaturesMissing", 1, id="requester-never-counts"),
        pytest.param(
            (ANNA, signed("bruno", content_digest=OTHER)),
            "SignaturesMissing",
            1,
            id="other-content-does-not-count",
        ),
        pytest.param(
            (ANNA, signed("bruno", created=POLICIES.since - 1)),
            "SignaturesMissing",
            1,
            id="older-than-the-live-policy-does-not-count",
        ),
        pytest.param(
            (ANNA, signed("bruno", approval="large")),
            "SignaturesMissing",
            1,
            id="signature-of-another-approval",
        ),
        pytest.param(
            (ANNA, signed("bruno", content_digest=OTHER), signed("bruno", name="second-try")),
            "Approved",
            2,
            id="a-useless-signature-does-not-spoil-a-later-good-one",
        ),
        pytest.param((ANNA, BRUNO, REVOKE), "Revoked", 2, id="one-revoke-is-enough"),
        pytest.param(
            (ANNA, BRUNO, replace(REVOKE, content_digest=OTHER)),
            "Revoked",
            2,
            id="revoke-holds-whatever-its-digest",
        ),
        pytest.param(
            (ANNA, BRUNO, replace(REVOKE, created=POLICIES.since - 1)),
            "Revoked",
            2,
            id="revoke-holds-whenever-it-was-made",
        ),
        pytest.param(
            (ANNA, BRUNO, replace(REVOKE, by="rita")),
            "Revoked",
            2,
            id="the-requester-may-revoke",
        ),
    ],
)
def test_signatures(signatures: tuple[Signature, ...], reason: str, counted: int) -> None:
    found = verdict(*signatures)
    assert (found.reason.name, found.approved, found.counted) == (
        reason,
        reason == "Approved",
        counted,
    )
    assert found.summary == f"{counted}/2"


@pytest.mark.parametrize(
    ("signatures", "words"),
    [
        pytest.param(
            (),
            "has 0 of 2 signatures (nobody signed); another authorised person runs: "
            "escadre approve sign small",
            id="nobody",
        ),
        pytest.param(
            (ANNA,),
            "has 1 of 2 signatures (signed by anna); another authorised person runs: "
            "escadre approve sign small",
            id="one",
        ),
        pytest.param(
            (signed("rita"),),
            "has 0 of 2 signatures (none of 1 counts); not counted: rita: the requester cannot "
            "approve; another authorised person runs: escadre approve sign small",
            id="the-requester",
        ),
        pytest.param(
            (replace(ANNA, created=POLICIES.since - 1), replace(BRUNO, created=POLICIES.since - 1)),
            "has 0 of 2 signatures (none of 2 counts); not counted: "
            "anna: signed at 2026-11-21T21:13:19Z, before the admission policy of "
            "2026-11-21T21:13:20Z; bruno: signed at 2026-11-21T21:13:19Z, before the admission "
            "policy of 2026-11-21T21:13:20Z; anna and bruno sign again, or another authorised "
            "person: escadre approve sign small",
            id="the-policies-were-made-anew",
        ),
        pytest.param(
            (ANNA, signed("bruno", content_digest=OTHER)),
            "has 1 of 2 signatures (signed by anna); not counted: bruno: signs other content "
            f"({OTHER[:19]}…, not {DIGEST[:19]}…); bruno signs again, or another authorised "
            "person: escadre approve sign small",
            id="other-content",
        ),
    ],
)
def test_what_is_missing_is_said_with_who_can_mend_it(
    signatures: tuple[Signature, ...], words: str
) -> None:
    assert verdict(*signatures).message == f"ModelApproval small {words}"


def test_the_same_person_signs_again_after_the_policies_were_made_anew() -> None:
    before = [replace(one, created=POLICIES.since - 1) for one in (ANNA, BRUNO)]
    again = [replace(one, name=f"{one.name}-again") for one in (ANNA, BRUNO)]
    found = verdict(*before, *again)
    assert (found.approved, found.counted) == (True, 2)


def test_the_first_revocation_is_the_one_that_ended_it() -> None:
    later = signed("rita", decision="Revoke", name="later", created=REVOKE.created + 60)
    assert "carla revoked" in verdict(ANNA, BRUNO, later, REVOKE).message


@pytest.mark.parametrize(
    ("revoked", "expired", "no_policy", "unsigned", "reason"),
    [
        (True, True, True, True, "Revoked"),
        (False, True, True, True, "Expired"),
        (False, False, True, True, "PolicyMissing"),
        (False, False, False, True, "SignaturesMissing"),
        (False, False, False, False, "Approved"),
        (False, False, True, False, "PolicyMissing"),
        (False, True, False, False, "Expired"),
    ],
)
def test_the_gravest_reason_is_named(
    revoked: bool, expired: bool, no_policy: bool, unsigned: bool, reason: str
) -> None:
    signatures = (*(() if unsigned else (ANNA, BRUNO)), *((REVOKE,) if revoked else ()))
    found = verdict(
        *signatures,
        policies=MISSING_POLICY if no_policy else POLICIES,
        now=EXPIRES if expired else NOW,
    )
    assert found.reason.name == reason


@pytest.mark.parametrize(
    ("required", "minimum", "people", "approved"),
    [
        (1, 2, 1, False),  # the platform's minimum holds against a smaller number in the approval
        (1, 2, 2, True),
        (3, 2, 2, False),
        (3, 2, 3, True),
        (1, 1, 1, True),
    ],
)
def test_required_is_the_larger_of_approval_and_platform(
    required: int, minimum: int, people: int, approved: bool
) -> None:
    spec = SPEC.model_copy(update={"required_approvals": required})
    found = verdict(*(signed(f"p{index}") for index in range(people)), spec=spec, minimum=minimum)
    assert found.approved is approved
    assert found.required == max(required, minimum)


def test_expiry_is_exact_and_told() -> None:
    assert verdict(ANNA, BRUNO, now=EXPIRES - 1).approved
    found = verdict(ANNA, BRUNO, now=EXPIRES)
    assert not found.approved
    assert "2027-06-30T00:00:00Z" in found.message
    assert found.expires == EXPIRES


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (verdict(ANNA, BRUNO, REVOKE), ("carla", iso(NOW - 100), "wrong licence")),
        (verdict(), ("0 of 2", "nobody signed", "escadre approve sign small")),
        (verdict(ANNA, signed("rita")), ("1 of 2", "anna", "rita: the requester cannot approve")),
        (verdict(ANNA, policies=MISSING_POLICY), ("escadre-signatures is missing",)),
        (verdict(ANNA, BRUNO), ("anna, bruno", "2027-06-30")),
    ],
)
def test_messages_say_who_and_when(found: ApprovalVerdict, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in found.message


def test_each_signature_is_recorded_with_the_reason_it_does_not_count() -> None:
    found = verdict(ANNA, signed("rita", name="own"), REVOKE)
    assert {record.name: (record.counted, record.why) for record in found.records} == {
        "small-anna": (True, ""),
        "own": (False, "the requester cannot approve"),
        "small-carla": (False, "it revokes"),
    }


def test_records_are_bounded_and_the_count_is_not() -> None:
    # Whoever may sign can also pile up signatures: they must not hide the two that count.
    noise = [signed("mallory", name=f"n{i}", content_digest=OTHER, created=NOW) for i in range(70)]
    found = verdict(ANNA, BRUNO, *noise)
    assert found.approved
    assert len(found.records) == 64
    assert found.summary == "2/2"


PEOPLE = ("rita", "anna", "bruno", "carla")


@given(
    st.lists(
        st.builds(
            Signature,
            name=st.uuids().map(str),
            approval=st.sampled_from(("small", "large")),
            by=st.sampled_from(PEOPLE),
            decision=st.sampled_from(("Approve", "Approve", "Approve", "Revoke")),
            content_digest=st.sampled_from((DIGEST, DIGEST, OTHER)),
            created=st.sampled_from((NOW - 20_000, NOW - 5000, NOW - 100)),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_an_approval_that_holds_rests_on_two_other_people(
    signatures: list[Signature], shuffled: Any
) -> None:
    found = verdict(*signatures)
    good = {
        one.by
        for one in signatures
        if one.approval == "small"
        and one.decision == "Approve"
        and one.by != "rita"
        and one.content_digest == DIGEST
        and one.created >= POLICIES.since
    }
    revoked = any(one.approval == "small" and one.decision == "Revoke" for one in signatures)
    assert found.approved == (len(good) >= 2 and not revoked)
    again = list(signatures)
    shuffled.shuffle(again)
    assert verdict(*again) == found


def test_content_digest_is_fixed_for_ever() -> None:
    assert (
        content_digest(STORED)
        == "sha256:d23aae24e9f8d23ed054f32593c3ce799166b3ab21e7764e9a2349c67cc38e8a"
    )
    assert content_digest({"b": [1, "é"], "a": {"y": None, "x": True}}) == (
        # sha256 of {"a":{"x":true,"y":null},"b":[1,"é"]}, made with printf and sha256sum
        "sha256:4c9fc0a699803e6bc0f1f9fb0403f23983a33102fbf428b78fc61803a7e19ba9"
    )


@given(st.permutations(list(STORED)))
def test_content_digest_does_not_depend_on_the_order_of_fields(order: list[str]) -> None:
    assert content_digest({key: STORED[key] for key in order}) == DIGEST


def test_a_field_added_later_leaves_old_digests_alone() -> None:
    """The digest is of the spec as stored: reading it with a newer model changes nothing."""

    class Newer(ModelApprovalSpec):
        export_control: str | None = None

    assert content_digest(STORED) == DIGEST
    read = Newer.model_validate(STORED)
    assert content_digest(read.model_dump(mode="json", by_alias=True, exclude_none=True)) == DIGEST


def _defaults(schema: Any, at: str = "spec") -> list[str]:
    if isinstance(schema, dict):
        own = [at] if "default" in schema else []
        return own + [hit for key in schema for hit in _defaults(schema[key], f"{at}.{key}")]
    if isinstance(schema, list):
        return [hit for index, one in enumerate(schema) for hit in _defaults(one, f"{at}[{index}]")]
    return []


def test_allows_only_the_namespaces_it_names() -> None:
    assert allows_namespace("small", SPEC, "team") == ""
    words = allows_namespace("small", SPEC, "other")
    assert "ia-pour-tous, team" in words
    assert "other" in words


def test_the_spec_has_no_schema_default_anywhere() -> None:
    text = (Path(__file__).parents[3] / "crds/modelapprovals.yaml").read_text(encoding="utf-8")
    schema = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert _defaults(schema["properties"]["spec"]) == []


@pytest.mark.parametrize("by", [" ", "\u00a0"])
def test_a_signature_of_a_blank_name_is_judged_like_any_other(by: str) -> None:
    """A CRD of before let it in; one odd object must not end the planning of all."""
    found = verdict(ANNA, replace(BRUNO, by=by))
    assert [one.by for one in found.records] == ["anna", by]
