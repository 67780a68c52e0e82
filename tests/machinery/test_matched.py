"""machinery/matched.py: what was found to match is known until either side is another."""

import copy
from typing import Any

import pytest

from escadre.machinery.compact import Compact, compact
from escadre.machinery.matched import Matched

INTENT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "chat", "namespace": "team", "labels": {"a": "b"}},
    "spec": {"ports": [{"port": 80}]},
}


def _live(**changed: Any) -> Compact:
    stored = copy.deepcopy(INTENT)
    stored["metadata"] |= {"uid": "u1", "resourceVersion": "5"}
    return compact({**stored, **changed})


def test_what_was_not_compared_is_not_known() -> None:
    assert not Matched().has("owner", _live(), INTENT)


def test_what_matched_is_known_while_both_are_the_same() -> None:
    known = Matched()
    known.note("owner", _live(), INTENT)
    assert known.has("owner", _live(), copy.deepcopy(INTENT))
    assert known.has("owner", _live(status={"loadBalancer": {}}), INTENT)  # which nobody compares


@pytest.mark.parametrize(
    ("live", "intent"),
    [
        pytest.param(_live(spec={"ports": [{"port": 81}]}), INTENT, id="drift"),
        pytest.param(
            _live(metadata={**INTENT["metadata"], "uid": "u2", "resourceVersion": "6"}),
            INTENT,
            id="made-anew",
        ),
        pytest.param(_live(), {**INTENT, "spec": {"ports": []}}, id="another-intent"),
        pytest.param(_live(), {**INTENT, "kind": "NetworkPolicy"}, id="another-kind"),
    ],
)
def test_another_object_or_intent_is_compared(live: Compact, intent: dict[str, Any]) -> None:
    known = Matched()
    known.note("owner", _live(), INTENT)
    assert not known.has("owner", live, intent)


def test_another_owner_knows_nothing_and_those_that_are_gone_are_forgotten() -> None:
    known = Matched()
    known.note("owner", _live(), INTENT)
    assert not known.has("other", _live(), INTENT)
    known.keep_only({"other"})
    assert len(known) == 0
