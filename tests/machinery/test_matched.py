"""machinery/matched.py: what was found to match is known until either side is another."""

import copy
from typing import Any

import pytest

from escadre.machinery.compact import Compact, compact
from escadre.machinery.matched import Matched
from escadre.machinery.packing import digest_of

CHAT = "Service/chat"
INTENT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "chat", "namespace": "team", "labels": {"a": "b"}},
    "spec": {"ports": [{"port": 80}]},
}
SOURCE = digest_of(INTENT)


def _live(**changed: Any) -> Compact:
    stored = copy.deepcopy(INTENT)
    stored["metadata"] |= {"uid": "u1", "resourceVersion": "5"}
    return compact({**stored, **changed})


def test_what_was_not_compared_is_not_known() -> None:
    assert not Matched().has("owner", CHAT, _live(), SOURCE)


def test_what_matched_is_known_while_both_are_the_same() -> None:
    known = Matched()
    known.note("owner", CHAT, _live(), SOURCE)
    assert known.has("owner", CHAT, _live(), digest_of(copy.deepcopy(INTENT)))
    unread = _live(status={"loadBalancer": {}})  # which nobody compares
    assert known.has("owner", CHAT, unread, SOURCE)


@pytest.mark.parametrize(
    ("child", "live", "source"),
    [
        pytest.param(CHAT, _live(spec={"ports": [{"port": 81}]}), SOURCE, id="drift"),
        pytest.param(
            CHAT,
            _live(metadata={**INTENT["metadata"], "uid": "u2", "resourceVersion": "6"}),
            SOURCE,
            id="made-anew",
        ),
        pytest.param(CHAT, _live(), digest_of({**INTENT, "spec": {}}), id="another-intent"),
        pytest.param("NetworkPolicy/chat", _live(), SOURCE, id="another-kind"),
    ],
)
def test_another_object_or_intent_is_compared(child: str, live: Compact, source: bytes) -> None:
    known = Matched()
    known.note("owner", CHAT, _live(), SOURCE)
    assert not known.has("owner", child, live, source)


def test_another_owner_knows_nothing_and_those_that_are_gone_are_forgotten() -> None:
    known = Matched()
    known.note("owner", CHAT, _live(), SOURCE)
    assert not known.has("other", CHAT, _live(), SOURCE)
    known.keep_only({"other"})
    assert len(known) == 0
