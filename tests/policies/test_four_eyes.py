"""Who may ask for a model, who may sign it, and what nobody may undo."""

import pytest
from e2e.cluster.cluster import Cluster
from tests.policies.objects import approval, signature
from tests.policies.users import (
    ADMIN,
    ANNE,
    BRUNO,
    CLARA,
    DORA,
    EVE,
    PIPELINE,
    Json,
    User,
    attempt,
    denied,
)

pytestmark = pytest.mark.cluster

APPROVALS = "modelapprovals.escadre.dev"
SIGNATURES = "modelsignatures.escadre.dev"


def _create(cluster: Cluster, user: User, document: Json) -> str:
    return attempt(cluster, user, "create", "--dry-run=server", "-f", "-", document=document)


@pytest.mark.parametrize(
    ("user", "document"),
    [
        pytest.param(ANNE, approval(), id="anne asks in her own name"),
        pytest.param(PIPELINE, approval(by=PIPELINE.name), id="a pipeline asks in its own name"),
        pytest.param(BRUNO, signature("bruno"), id="bruno approves"),
        pytest.param(CLARA, signature("clara", decision="Revoke"), id="clara revokes"),
        pytest.param(DORA, signature("dora", of="limited"), id="dora approves the one she may"),
    ],
)
def test_let_through(cluster: Cluster, user: User, document: Json) -> None:
    assert _create(cluster, user, document) == ""


@pytest.mark.parametrize(
    ("user", "document", "message"),
    [
        pytest.param(
            ANNE,
            approval(by="bruno"),
            'spec.requestedBy is "bruno", but you are "anne": a request carries the name of the '
            "person who makes it",
            id="anne asks in another's name",
        ),
        pytest.param(
            PIPELINE,
            approval(by="anne"),
            'spec.requestedBy is "anne", but you are "system:serviceaccount:ci:pipeline": a '
            "request carries the name of the person who makes it",
            id="a pipeline asks in a person's name",
        ),
    ],
)
def test_request_is_refused(cluster: Cluster, user: User, document: Json, message: str) -> None:
    refusal = denied("escadre-approvals", APPROVALS, "small", message)
    assert _create(cluster, user, document) == (
        f'Error from server (Forbidden): error when creating "STDIN": {refusal}'
    )


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({}, id="plain"),
        pytest.param({"creationTimestamp": "2019-01-01T00:00:00Z"}, id="with a forged creation"),
    ],
)
def test_request_that_has_ended_already_is_refused(cluster: Cluster, metadata: Json) -> None:
    answer = _create(cluster, ANNE, approval(not_after="2020-01-01T00:00:00Z", **metadata))
    assert answer.endswith(
        "ValidatingAdmissionPolicy 'escadre-approvals' with binding 'escadre-approvals' denied "
        "request: spec.notAfter 2020-01-01T00:00:00Z has passed already: give the time until "
        "which the approval shall hold"
    )


@pytest.mark.parametrize(
    ("user", "document", "message"),
    [
        pytest.param(
            BRUNO,
            signature("clara"),
            'spec.by is "clara", but you are "bruno": nobody signs for somebody else',
            id="bruno signs for clara",
        ),
        pytest.param(
            ADMIN,
            signature("bruno"),
            'spec.by is "bruno", but you are "escadre-test-admin": nobody signs for somebody else',
            id="the administrator signs for bruno",
        ),
        pytest.param(
            PIPELINE,
            signature(PIPELINE.name),
            '"system:serviceaccount:ci:pipeline" is a ServiceAccount: a signature is the word of '
            "a person",
            id="a pipeline signs",
        ),
        pytest.param(
            EVE,
            signature("eve"),
            'you ("eve") have no right to approve ModelApproval "small": it takes the verb '
            "approve on modelapprovals (ClusterRole escadre-approver)",
            id="eve may create signatures but not approve",
        ),
        pytest.param(
            DORA,
            signature("dora"),
            'you ("dora") have no right to approve ModelApproval "small": it takes the verb '
            "approve on modelapprovals (ClusterRole escadre-approver)",
            id="dora signs another approval than hers",
        ),
        pytest.param(
            DORA,
            signature("dora", of="limited", decision="Revoke"),
            'you ("dora") have no right to revoke ModelApproval "limited": it takes the verb '
            "revoke on modelapprovals (ClusterRole escadre-approver)",
            id="dora may approve but not revoke",
        ),
    ],
)
def test_signature_is_refused(cluster: Cluster, user: User, document: Json, message: str) -> None:
    refusal = denied("escadre-signatures", SIGNATURES, "small-word", message)
    assert _create(cluster, user, document) == (
        f'Error from server (Forbidden): error when creating "STDIN": {refusal}'
    )


def test_requester_may_not_sign_at_all(cluster: Cluster) -> None:
    assert _create(cluster, ANNE, signature("anne")) == (
        'Error from server (Forbidden): error when creating "STDIN": modelsignatures.escadre.dev '
        'is forbidden: User "anne" cannot create resource "modelsignatures" in API group '
        '"escadre.dev" at the cluster scope'
    )


def test_requester_is_never_rewritten(cluster: Cluster) -> None:
    assert not attempt(cluster, ANNE, "create", "-f", "-", document=approval(name="rewritten"))
    patch = '--patch={"spec":{"requestedBy":"somebody-else"}}'
    answer = attempt(cluster, ADMIN, "patch", "mapp", "rewritten", "--type=merge", patch)
    assert "spec is immutable: people signed this content" in answer


def test_nobody_deletes_a_revocation(cluster: Cluster) -> None:
    message = (
        'nobody deletes a revocation: ModelApproval "small" was revoked by "bruno"; have a new '
        "ModelApproval signed instead"
    )
    refusal = denied("escadre-revocations", SIGNATURES, "revoked-bruno", message)
    answer = attempt(cluster, ADMIN, "delete", "modelsignature", "revoked-bruno")
    assert answer == f"Error from server (Forbidden): {refusal}"


def test_deleting_all_signatures_leaves_the_revocations(cluster: Cluster) -> None:
    document = signature("bruno", name="approved-bruno", of="other")
    assert not attempt(cluster, BRUNO, "create", "-f", "-", document=document)
    answer = attempt(
        cluster, ADMIN, "delete", "--raw", "/apis/escadre.dev/v1alpha1/modelsignatures"
    )
    assert "nobody deletes a revocation" in answer
    assert not attempt(cluster, ADMIN, "get", "modelsignature", "revoked-bruno")


def test_approve_may_be_withdrawn_by_deletion(cluster: Cluster) -> None:
    document = signature("bruno", name="withdrawn-bruno", of="other")
    assert not attempt(cluster, BRUNO, "create", "-f", "-", document=document)
    assert not attempt(cluster, ADMIN, "delete", "modelsignature", "withdrawn-bruno")
