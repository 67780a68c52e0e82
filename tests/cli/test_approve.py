"""What `escadre approve show`, `sign` and `revoke` say and write."""

import json

import pytest
from tests.cli.harness import Program, check_golden
from tests.cli.world import approval, condition, record

from escadre.cli.approve.signing import signature_name
from escadre.clients.kube import MODEL_APPROVALS, MODEL_SIGNATURES, Forbidden
from escadre.core.approvals.verdict import SIGNED_BEFORE, content_digest

DIGEST = content_digest(approval()["spec"])
MISSING = condition("Approved", "False", "SignaturesMissing", "small has 1 of 2 signatures")


def cluster(body: dict[str, object] | None = None, user: str = "bob") -> Program:
    program = Program(user=user)
    program.server.put(MODEL_APPROVALS, body or approval())
    return program


def test_show_says_what_counts_and_what_is_missing() -> None:
    program = cluster(
        approval(
            summary="1/2",
            conditions=[MISSING],
            signatures=[
                record("small-1", "bob"),
                record("small-2", "anne", why="the requester cannot approve"),
            ],
        )
    )
    program.server.put(
        MODEL_SIGNATURES,
        {
            "metadata": {"name": "small-3"},
            "spec": {
                "approval": "small",
                "contentDigest": DIGEST,
                "decision": "Approve",
                "by": "claire",
            },
        },
    )
    ran = program.run("approve", "show", "small")
    assert ran.code == 1
    check_golden("approve-show", ran.out)
    document = json.loads(program.run("approve", "show", "small", "-o", "json").out)
    assert document["contentDigest"] == DIGEST
    assert document["notJudgedYet"] == ["small-3"]


def test_show_says_what_was_given_as_a_reason() -> None:
    """Also what was hashed before: escadre approve sign --against writes it there."""
    program = cluster(approval(summary="1/2", signatures=[record("small-1", "bob")]))
    for name, by in (("small-1", "bob"), ("small-2", "claire")):
        word = {"approval": "small", "contentDigest": DIGEST, "decision": "Approve", "by": by}
        body = {"metadata": {"name": name}, "spec": {**word, "reason": f"hashed by {by}"}}
        program.server.put(MODEL_SIGNATURES, body)
    ran = program.run("approve", "show", "small")
    assert "  small-1: hashed by bob\n  small-2: hashed by claire\n" in ran.out
    document = json.loads(program.run("approve", "show", "small", "-o", "json").out)
    assert [each["reason"] for each in document["signatures"]] == ["hashed by bob"]


def test_show_says_that_a_revocation_counts() -> None:
    revoked = condition("Approved", "False", "Revoked", "bob revoked ModelApproval small")
    word = record("small-1", "bob", "Revoke", why="it revokes")
    program = cluster(approval(summary="0/2", conditions=[revoked], signatures=[word]))
    ran = program.run("approve", "show", "small")
    assert "✗  bob  Revoke    13m20s  yes: it revokes\n" in ran.out


def test_show_of_an_approval_that_holds() -> None:
    holds = condition("Approved", "True", "Approved", "signed by bob, claire")
    body = approval(
        summary="2/2", conditions=[holds], signatures=[record("a", "bob"), record("b", "claire")]
    )
    ran = cluster(body).run("approve", "show", "small")
    assert ran.code == 0
    assert "Expires in 281d." in ran.out


def test_sign_shows_the_content_asks_and_writes_in_the_callers_name() -> None:
    program = cluster()
    program.answer = "yes"
    ran = program.run("approve", "sign", "small", "--reason", "licence read")
    assert (ran.code, ran.err) == (0, "Sign small as bob? [y/N]\n")
    check_golden("approve-sign", ran.out)
    (written,) = program.server.all(MODEL_SIGNATURES)
    assert written["metadata"]["name"] == signature_name("small", "bob", "Approve", DIGEST)
    assert written["spec"] == {
        "approval": "small",
        "contentDigest": DIGEST,
        "decision": "Approve",
        "by": "bob",
        "reason": "licence read",
    }


def test_sign_waits_until_the_operator_has_counted() -> None:
    program = cluster()

    def operator() -> None:
        for each in program.server.all(MODEL_SIGNATURES):
            status = {
                "signatures": [record(each["metadata"]["name"], "bob")],
                "summary": "1/2",
                "conditions": [MISSING],
            }
            program.server.status(MODEL_APPROVALS, "small", "", status)

    program.on_sleep = operator
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 0
    assert "Approved: False  SignaturesMissing (1/2): small has 1 of 2 signatures" in ran.out


@pytest.mark.parametrize("answer", ["", "n", "no", "maybe"])
def test_without_a_clear_yes_nothing_is_written(answer: str) -> None:
    program = cluster()
    program.answer = answer
    ran = program.run("approve", "sign", "small")
    assert ran.code == 3
    assert "nothing was written" in ran.err
    assert program.server.all(MODEL_SIGNATURES) == []


def test_the_requester_is_told_that_their_signature_never_counts() -> None:
    program = cluster(user="anne")
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 3
    assert "anne requested ModelApproval small" in ran.err
    assert program.server.all(MODEL_SIGNATURES) == []


@pytest.mark.parametrize("reason", ["Revoked", "Expired"])
def test_what_no_signature_can_mend_is_not_signed(reason: str) -> None:
    body = approval(conditions=[condition("Approved", "False", reason, "claire revoked small")])
    if reason == "Expired":
        body["spec"]["notAfter"] = "2026-01-01T00:00:00Z"
    program = cluster(body)
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 3
    assert ran.err.startswith(f"escadre: {reason}: ")
    assert program.server.all(MODEL_SIGNATURES) == []


def test_signing_twice_is_one_signature() -> None:
    program = cluster()
    assert program.run("approve", "sign", "small", "--yes").code == 0
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 3
    assert "bob has signed this content already" in ran.err


TOO_OLD = "signed at 2026-09-21T14:00:00Z, before the admission policy of 2026-09-21T14:05:00Z"


def test_whose_signature_does_not_count_any_more_signs_again() -> None:
    before = signature_name("small", "bob", "Approve", DIGEST)
    judged = [record(before, "bob", why=TOO_OLD), record("small-2", "claire", why=TOO_OLD)]
    program = cluster(approval(summary="0/2", conditions=[MISSING], signatures=judged))
    word = {"approval": "small", "contentDigest": DIGEST, "decision": "Approve", "by": "bob"}
    program.server.put(MODEL_SIGNATURES, {"metadata": {"name": before}, "spec": word})
    assert program.run("approve", "sign", "small", "--yes").code == 0
    names = {each["metadata"]["name"] for each in program.server.all(MODEL_SIGNATURES)}
    assert names == {before, signature_name("small", "bob", "Approve", DIGEST, after=before)}
    ran = program.run("approve", "sign", "small", "--yes")  # not judged yet: the same word
    assert ran.code == 3
    assert "bob has signed this content already" in ran.err


def test_so_do_they_when_an_older_signature_was_deleted_meanwhile() -> None:
    first = approval(summary="0/2", signatures=[record("small-0", "bob", why=TOO_OLD)])
    program = cluster(first)
    assert program.run("approve", "sign", "small", "--yes").code == 0
    (second,) = (each["metadata"]["name"] for each in program.server.all(MODEL_SIGNATURES))
    # small-0 is tidied away, and the policies are made anew once more.
    judged = [record(second, "bob", why=TOO_OLD)]
    program.server.put(MODEL_APPROVALS, approval(summary="0/2", signatures=judged))
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 0, ran.err
    assert len(program.server.all(MODEL_SIGNATURES)) == 2


def crowded() -> Program:
    """Bob signed in vain before 64 others, the most that a status tells of."""
    before = signature_name("small", "bob", "Approve", DIGEST)
    told = [f"small-{number:02}" for number in range(64)]
    judged = [record(name, f"person-{name}", why=TOO_OLD) for name in told]
    program = cluster(approval(summary="0/2", conditions=[MISSING], signatures=judged))
    for name, by, at in [(before, "bob", "13:00:00"), *((name, name, "14:00:00") for name in told)]:
        meta = {"name": name, "creationTimestamp": f"2026-09-21T{at}Z"}
        word = {"approval": "small", "contentDigest": DIGEST, "decision": "Approve", "by": by}
        program.server.put(MODEL_SIGNATURES, {"metadata": meta, "spec": word})
    return program


def test_so_do_they_when_more_signed_after_them_than_a_status_tells_of() -> None:
    program = crowded()
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 0, ran.err
    before = signature_name("small", "bob", "Approve", DIGEST)
    names = {each["metadata"]["name"] for each in program.server.all(MODEL_SIGNATURES)}
    assert signature_name("small", "bob", "Approve", DIGEST, after=before) in names
    ran = program.run("approve", "sign", "small", "--yes")  # not judged yet: the same word
    assert ran.code == 3
    assert "bob has signed this content already" in ran.err


def test_who_counts_by_a_word_older_than_a_status_tells_of_is_told_so_from_the_second_on() -> None:
    program = crowded()
    again = signature_name("small", "bob", "Approve", DIGEST, after="small-0")
    judged = [record(f"small-{number:02}", f"person-{number}") for number in range(63)]
    judged.append(record(again, "bob", why=SIGNED_BEFORE))
    program.server.put(MODEL_APPROVALS, approval(summary="64/2", signatures=judged))
    before = len(program.server.all(MODEL_SIGNATURES))
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 3
    assert f"bob has signed this content already (ModelSignature {again})" in ran.err
    assert len(program.server.all(MODEL_SIGNATURES)) == before


def test_a_signature_that_a_status_has_no_room_for_is_not_called_unseen() -> None:
    program = crowded()
    document = json.loads(program.run("approve", "show", "small", "-o", "json").out)
    assert (document["notJudgedYet"], document["olderSignatures"]) == ([], 1)
    ran = program.run("approve", "show", "small")
    assert "the operator has not looked yet" not in ran.out
    assert "and 1 older signature" in ran.out


def test_whose_signature_counts_is_told_so_before_being_asked() -> None:
    judged = [record("small-1", "bob", why=TOO_OLD), record("small-2", "bob")]
    program = cluster(approval(summary="1/2", conditions=[MISSING], signatures=judged))
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 3
    assert "bob has signed this content already (ModelSignature small-2)" in ran.err
    assert program.server.all(MODEL_SIGNATURES) == []


def test_revoke_is_another_signature_and_open_to_the_requester() -> None:
    program = cluster(user="anne")
    ran = program.run("approve", "revoke", "small", "--yes", "--reason", "a leak", "-o", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["decision"] == "Revoke"
    (written,) = program.server.all(MODEL_SIGNATURES)
    assert written["spec"]["decision"] == "Revoke"


def test_a_refusal_of_the_api_server_is_shown_with_who_and_what() -> None:
    program = cluster()
    api = program.server.client("bob")
    words = "ValidatingAdmissionPolicy 'escadre-signatures' denied request: bob may not approve"
    api.refuse(
        "create",
        "ModelSignature",
        lambda: Forbidden(
            method="create",
            object="ModelSignature x",
            status=403,
            reason="Forbidden",
            message=words,
        ),
    )
    program.api = api
    ran = program.run("approve", "sign", "small", "--yes")
    assert ran.code == 4
    assert words in ran.err


def test_an_unknown_approval_is_answered_with_those_that_are_near() -> None:
    ran = cluster().run("approve", "show", "smal")
    assert ran.code == 3
    assert ran.err == "escadre: ModelApproval smal does not exist; near it: small\n"


def test_names_of_signatures_are_legal_for_the_longest_approval() -> None:
    name = signature_name("a" * 199 + "." + "b" * 53, "bob", "Approve", DIGEST)
    assert len(name) == 199 + 1 + 8
    assert name != signature_name("a" * 199, "bob", "Revoke", DIGEST)
    assert name != signature_name("a" * 199, "bob", "Approve", "sha256:" + "0" * 64)
