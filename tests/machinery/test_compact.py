"""machinery/compact.py: what is kept of an object, and of a version that is hardly another."""

import copy
from typing import Any

import pytest

from escadre.machinery.compact import Compact, compact
from escadre.machinery.store import Store

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "chat",
        "namespace": "team",
        "uid": "u1",
        "resourceVersion": "5",
        "labels": {"a": "b"},
        "managedFields": [{"manager": "escadre"}],
    },
    "spec": {"ports": [{"port": 80}]},
}


def _later(**changed: Any) -> dict[str, Any]:
    stored = copy.deepcopy(SERVICE) | changed
    stored["metadata"] = {**stored["metadata"], "resourceVersion": "6"}
    return stored


def test_a_version_with_another_status_is_not_compressed_anew() -> None:
    before = compact(SERVICE)
    after = before.later(_later(status={"loadBalancer": {}}))
    assert after.packed is before.packed
    assert after.labels is before.labels
    assert after == compact(_later())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"spec": {"ports": []}}, id="spec"),
        pytest.param({"metadata": {**SERVICE["metadata"], "labels": {}}}, id="labels"),
        pytest.param(
            {"metadata": {**SERVICE["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}},
            id="going",
        ),
    ],
)
def test_any_other_change_is_kept(changed: dict[str, Any]) -> None:
    assert compact(SERVICE).later(_later(**changed)) == compact(_later(**changed))
    assert compact(SERVICE).later(_later(**changed)).packed != compact(SERVICE).packed


def test_an_object_that_was_made_anew_is_no_later_version() -> None:
    store: Store[Compact] = Store(compact, {})
    store.put(SERVICE)
    made_anew = _later(metadata={**SERVICE["metadata"], "uid": "u2"})
    store.put(made_anew)
    assert store.get(("team", "chat")) == compact(made_anew)
