"""Names and labels of children: legal with the longest names, and never another tenant's."""

import re
import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.render.objects import DIGEST, LONGEST, OWNER, children, replica_of

from escadre.names import claim_name, replica_name, volume_name
from escadre.render.labels import Owner
from escadre.render.service import url

Json = dict[str, Any]
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # what a Service may be called
QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# A pod is called after its ReplicaSet: two hyphens, a hash of at most 10 and 5 random characters.
POD_SUFFIX = 1 + 10 + 1 + 5


def labels(value: Any) -> Iterator[tuple[str, str]]:
    """Every label and selector in an object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"labels", "matchLabels", "selector"} and isinstance(inner, dict):
                yield from ((k, v) for k, v in inner.items() if isinstance(v, str))
            yield from labels(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from labels(inner)


def check(one: Json) -> None:
    """That an object's name, labels and annotation keys are legal."""
    assert DNS_LABEL.fullmatch(one["metadata"]["name"]), one["metadata"]["name"]
    pairs = list(labels(one))
    assert pairs
    keys = [key for key, _ in pairs] + list(one["metadata"].get("annotations") or {})
    for key in keys:
        prefix, _, name = key.rpartition("/")
        assert len(name) <= 63
        assert QUALIFIED.fullmatch(name)
        assert len(prefix) <= 253
        assert SUBDOMAIN.fullmatch(prefix)
    for _, value in pairs:
        assert len(value) <= 63
        assert value == "" or QUALIFIED.fullmatch(value)


@pytest.mark.parametrize("kind", children(LONGEST, 999))
def test_the_longest_names_make_legal_children(kind: str) -> None:
    assert (len(LONGEST.name), len(LONGEST.namespace)) == (40, 63)
    check(children(LONGEST, 999)[kind])


def test_the_longest_pod_name_is_a_legal_host_name() -> None:
    assert len(replica_name(LONGEST.name, 999)) + POD_SUFFIX <= 63


def test_annotations_stay_far_below_their_limit() -> None:
    notes = replica_of(LONGEST, 999)["metadata"]["annotations"]
    assert sum(len(key) + len(value) for key, value in notes.items()) < 32 * 1024


def test_the_url() -> None:
    assert url(OWNER) == "http://assistant.ia-pour-tous.svc/v1"


LETTERS = string.ascii_lowercase
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
NEAR = st.from_regex(r"a(-[01a]){0,3}", fullmatch=True)  # names that differ by a hyphen or digit
OWNERS = st.builds(Owner, namespace=NAMES | NEAR, name=NAMES | NEAR, uid=st.uuids().map(str))
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: "sha256:" + raw.hex())


@given(OWNERS, st.integers(0, 999))
def test_any_legal_deployment_makes_legal_children(owner: Owner, slot: int) -> None:
    for one in children(owner, slot).values():
        check(one)


@given(OWNERS, OWNERS, DIGESTS)
def test_volumes_of_two_tenants_never_meet(one: Owner, other: Owner, digest: str) -> None:
    assume(one != other)
    names = {volume_name(each.namespace, each.name, each.uid, digest) for each in (one, other)}
    assert len(names) == 2


def test_nobody_can_ask_for_anothers_volume() -> None:
    # The owner's uid is in the name: whoever makes a deployment of the same name gets another.
    known = volume_name("ia-pour-tous", "assistant", OWNER.uid, DIGEST)
    assert known == "escadre-655816fdd81795f6-0123456789abcdef"
    assert known != volume_name("ia-pour-tous", "assistant", "another-uid", DIGEST)
    assert known != volume_name("ia-pour", "tous/assistant", OWNER.uid, DIGEST)


@given(NEAR, NEAR, st.integers(0, 12), st.integers(0, 12))
def test_replicas_of_two_deployments_never_meet(a: str, b: str, slot: int, other: int) -> None:
    same = (a, slot) == (b, other)
    assert (replica_name(a, slot) == replica_name(b, other)) is same


@given(NEAR, NEAR, DIGESTS)
def test_claims_of_two_deployments_never_meet(a: str, b: str, digest: str) -> None:
    assert (claim_name(a, digest) == claim_name(b, digest)) is (a == b)
