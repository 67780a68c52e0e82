"""controller/report.py: which turns of a condition become events."""

import pytest

from escadre.controller.report import is_news

UNKNOWN = ("Unknown", "Pending")
READY = ("True", "Ready")
LOADING = ("False", "Loading")
PULLING = ("False", "Pulling")
UNSIGNED = ("False", "SignaturesMissing")
APPROVED = ("True", "Approved")
Turn = tuple[str, str]


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
        pytest.param("Ready", UNKNOWN, UNSIGNED, UNSIGNED, True, id="it cannot begin"),
        pytest.param("Ready", UNKNOWN, PULLING, PULLING, True, id="a pull may take hours"),
        pytest.param("Approved", UNKNOWN, APPROVED, LOADING, False, id="was always approved"),
        pytest.param("Approved", UNSIGNED, APPROVED, LOADING, True, id="signed at last"),
        pytest.param("Approved", APPROVED, UNSIGNED, READY, True, id="holds no more"),
        pytest.param("WeightsReady", UNKNOWN, PULLING, PULLING, False, id="Ready says it"),
        pytest.param("WeightsReady", UNKNOWN, PULLING, READY, True, id="Ready does not"),
        pytest.param("WeightsReady", PULLING, READY, READY, False, id="it just holds"),
        pytest.param("Serving", UNKNOWN, LOADING, READY, False, id="of no interest"),
    ],
)
def test_news(type_: str, before: Turn | None, now: Turn, ready: Turn | None, news: bool) -> None:
    assert is_news(type_, before, now, ready) is news
