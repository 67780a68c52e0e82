"""What a decision says beside the number."""

from dataclasses import replace

import pytest
from tests.core.scaling.test_capacity import CHAT, DOCUMENTS, PRIOR, SPEED

from escadre import reasons
from escadre.core.scaling.capacity import Mix, capacity_of
from escadre.core.scaling.decision import Asked, Limits, Seen
from escadre.core.scaling.service import Service, ServiceLevel
from escadre.core.scaling.telling import Verdict, message_of


def told(mix: Mix, level: ServiceLevel, rate: float | None = 1.0) -> str:
    capacity = capacity_of(SPEED, mix, PRIOR, level)
    verdict = Verdict(
        seen=Seen(3, 0, 3, (), (), serving=True, whole=True),
        asked=Asked(up=2, down=2, load=1.5, rate=rate, mix=mix, capacity=capacity),
        limits=Limits(1, 4, 10, service=Service(PRIOR, level)),
        before=2,
        base=2,
        need=2,
        wanted=2,
        desired=2,
    )
    return str(message_of(verdict, reasons.AT_TARGET))


def test_a_level_out_of_reach_is_told_with_numbers() -> None:
    assert told(DOCUMENTS, ServiceLevel(1.0, 0.2)).endswith(
        "; the service level is out of reach with any number of replicas: 95 % of such requests "
        "have their first token within 2.2 s and 18 ms between tokens when each is alone, 1 s and "
        "200 ms are asked"
    )


@pytest.mark.parametrize(
    ("mix", "rate"),
    [
        pytest.param(CHAT, 1.0, id="it is kept"),
        pytest.param(DOCUMENTS, None, id="what arrives is not known yet"),
        pytest.param(DOCUMENTS, 0.0, id="nothing arrives"),
    ],
)
def test_else_nothing_is_said_of_it(mix: Mix, rate: float | None) -> None:
    assert "out of reach" not in told(mix, replace(ServiceLevel(), time_to_first_token=1.0), rate)


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.04, "0.04 requests a second"), (1.25, "1.2 requests a"), (1234.0, "1,200 requests a")],
)
def test_a_rate_has_two_digits_and_no_power_of_ten(rate: float, words: str) -> None:
    assert f": {words}" in told(CHAT, ServiceLevel(), rate)
