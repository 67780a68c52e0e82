"""core/status/news.py: which turns of a condition become events, and which deeds."""

import pytest

from escadre import reasons
from escadre.core.replicas.rollout import Action, RolloutPlan
from escadre.core.status.news import is_news, is_warning, news_of_deeds
from escadre.reasons import Reason, of
from escadre.reasons.said import NOTHING

UNKNOWN = ("Unknown", "Pending")
READY = ("True", "Ready")
AT_TARGET = ("True", "AtTarget")
HELD = ("False", "ScalingHeld")
INVALID = ("True", "InvalidSpec")
LOADING = ("False", "Loading")
PULLING = ("False", "Pulling")
UNMADE = ("False", "NoReplicas")
ROLLING = ("False", "RollingOut")
UNSIGNED = ("False", "SignaturesMissing")
APPROVED = ("True", "Approved")
DIFFERS = ("True", "EngineVersionDiffers")
UNLISTED = ("True", "EngineVersionNotKnown")
Turn = tuple[str, str]


def _read_one(turn: Turn) -> tuple[str, Reason]:
    return turn[0], of(turn[1])


def _read(turn: Turn | None) -> tuple[str, Reason] | None:
    return None if turn is None else _read_one(turn)


@pytest.mark.parametrize(
    ("type_", "before", "now", "ready", "news"),
    [
        pytest.param("Ready", UNKNOWN, READY, READY, True, id="it serves"),
        pytest.param("Ready", LOADING, READY, READY, True, id="it serves after loading"),
        pytest.param("Ready", READY, READY, READY, False, id="nothing turned"),
        pytest.param("Ready", READY, UNKNOWN, UNKNOWN, False, id="nobody knows"),
        pytest.param("Ready", UNKNOWN, LOADING, LOADING, False, id="it begins"),
        pytest.param("Ready", None, LOADING, LOADING, False, id="it begins, never seen"),
        pytest.param("Ready", UNSIGNED, LOADING, LOADING, False, id="signed: it begins"),
        pytest.param("Ready", READY, LOADING, LOADING, True, id="it serves no more"),
        pytest.param(
            "Ready", UNKNOWN, UNMADE, UNMADE, False, id="its replicas are about to be made"
        ),
        pytest.param(
            "Ready", PULLING, ROLLING, ROLLING, False, id="what is replaced is told itself"
        ),
        pytest.param(
            "Ready", READY, ROLLING, ROLLING, True, id="it is replaced and serves no more"
        ),
        pytest.param("Ready", UNKNOWN, UNSIGNED, UNSIGNED, True, id="it cannot begin"),
        pytest.param("Ready", UNKNOWN, PULLING, PULLING, True, id="a pull may take hours"),
        pytest.param("Approved", UNKNOWN, APPROVED, LOADING, False, id="was always approved"),
        pytest.param("Approved", UNSIGNED, APPROVED, LOADING, True, id="signed at last"),
        pytest.param("Approved", APPROVED, UNSIGNED, READY, True, id="holds no more"),
        pytest.param("Approved", UNKNOWN, UNSIGNED, UNSIGNED, False, id="Ready names it"),
        pytest.param("EngineMismatch", None, DIFFERS, READY, True, id="another engine"),
        pytest.param("EngineMismatch", DIFFERS, DIFFERS, READY, False, id="another engine still"),
        pytest.param("EngineMismatch", UNLISTED, DIFFERS, READY, True, id="another engine, seen"),
        pytest.param("Scaling", AT_TARGET, HELD, READY, True, id="held while it serves"),
        pytest.param("Scaling", UNKNOWN, HELD, UNSIGNED, False, id="held, and nothing serves"),
        pytest.param("Stalled", None, INVALID, ("False", "InvalidSpec"), False, id="in Ready"),
        pytest.param("Stalled", None, INVALID, READY, True, id="serves, and cannot be read"),
        pytest.param("WeightsReady", UNKNOWN, PULLING, PULLING, False, id="Ready says it"),
        pytest.param("WeightsReady", UNKNOWN, PULLING, READY, True, id="Ready does not"),
        pytest.param("WeightsReady", PULLING, READY, READY, False, id="it just holds"),
        pytest.param("Serving", UNKNOWN, LOADING, READY, False, id="of no interest"),
    ],
)
def test_news(type_: str, before: Turn | None, now: Turn, ready: Turn | None, news: bool) -> None:
    assert is_news(type_, _read(before), _read_one(now), _read(ready)) is news


@pytest.mark.parametrize(
    ("type_", "before", "now", "warning"),
    [
        pytest.param("Ready", UNKNOWN, ("False", "DigestMismatch"), True, id="an incident"),
        pytest.param("Ready", UNKNOWN, ("False", "InsufficientGPUs"), True, id="no GPUs"),
        pytest.param("EngineMismatch", None, DIFFERS, True, id="another engine"),
        pytest.param("Ready", UNKNOWN, UNSIGNED, True, id="someone must sign"),
        pytest.param("Ready", UNKNOWN, PULLING, False, id="on its way"),
        pytest.param("Ready", PULLING, LOADING, False, id="still on its way"),
        pytest.param("Ready", UNKNOWN, UNMADE, False, id="the first replica is made next"),
        pytest.param("Ready", UNKNOWN, ("False", "ReplicasPending"), False, id="no node yet"),
        pytest.param("Ready", READY, LOADING, True, id="it serves no more"),
        pytest.param("Ready", LOADING, READY, False, id="it serves"),
        pytest.param("Ready", UNKNOWN, ("False", "OfANewerAgent"), True, id="not in the list"),
        pytest.param("Stalled", None, INVALID, True, id="only an edit helps"),
    ],
)
def test_warnings_are_what_asks_for_someone(
    type_: str, before: Turn | None, now: Turn, warning: bool
) -> None:
    assert is_warning(type_, _read(before), _read_one(now)) is warning


ROLLOUT = RolloutPlan(
    (
        Action("Keep", 0, reasons.READY, ""),
        Action("Replace", 1, reasons.REPLICA_REPLACED, "was not ready"),
        Action("Create", 2, reasons.REPLICA_CREATED, "planned on node n1"),
    ),
    outdated=1,
    waiting=NOTHING,
)


def test_deeds_are_told_once_done_and_what_was_mended_beside_them() -> None:
    changed = [
        ("mended", "Deployment", "chat-0"),
        ("mended", "Deployment", "chat-1"),
        ("created", "Deployment", "chat-2"),
        ("created", "Service", "chat"),
        ("created", "PersistentVolume", "weights"),
        ("replanned", "Deployment", "chat-0"),
    ]
    told = list(news_of_deeds("chat", ROLLOUT, {0, 1}, changed, stood=True))
    assert [(one.reason, one.message, one.done) for one in told] == [
        (reasons.REPLICA_REPLACED, "replica chat-1: was not ready", True),
        (reasons.CHILD_MENDED, "Deployment chat-0 was put right", False),
        (reasons.CHILD_MENDED, "Service chat was gone; made again", False),
    ]


def test_what_is_made_for_the_first_time_was_not_gone() -> None:
    assert not list(news_of_deeds("chat", ROLLOUT, (), [("created", "Service", "x")], stood=False))
