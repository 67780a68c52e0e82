"""What of a spec has no effect is told; what has some is not."""

from typing import Any

import pytest
from tests.api.test_scaling import DAY, spec

from escadre.api.agreements import disagreement
from escadre.api.idle import idle_parts

Json = dict[str, Any]
LUNCH: Json = {**DAY, "cron": "0 12 * * MON-FRI", "duration": "2h", "minReplicas": 3}
WEEK: Json = {**DAY, "cron": "0 7 * * *", "duration": "13h", "minReplicas": 2}

LUNCH_IDLE = (
    "scaling.schedules[1] (0 12 * * MON-FRI Europe/Paris for 2h) has no effect: whenever it is "
    "open, other windows ask for 3 or more"
)
DAY_IDLE = (
    "scaling.schedules[2] (0 8 * * MON-FRI Europe/Paris for 10h) has no effect: whenever it is "
    "open, other windows ask for 4 or more"
)
SPARE = "scaling.spareReplicas is 4, and so many are there without any demand"
FIXED = "scaling.minReplicas and maxReplicas are both 2"


@pytest.mark.parametrize(
    ("scaling", "level", "told"),
    [
        pytest.param({"maxReplicas": 6, "schedules": [DAY, WEEK]}, None, [], id="two levels"),
        pytest.param(
            {"minReplicas": 4, "maxReplicas": 6, "schedules": [DAY]},
            None,
            [
                "scaling.schedules[0].minReplicas 4 has no effect: scaling.minReplicas is 4",
            ],
            id="as many run anyway",
        ),
        pytest.param(
            {"maxReplicas": 6, "schedules": [DAY, LUNCH]},
            None,
            [LUNCH_IDLE],
            id="within a larger window",
        ),
        pytest.param(
            {
                "maxReplicas": 6,
                "schedules": [
                    {**DAY, "duration": "6h"},
                    {**DAY, "cron": "0 14 * * MON-FRI", "duration": "4h"},
                    DAY,
                ],
            },
            None,
            [DAY_IDLE],
            id="what two others make up, and neither of these",
        ),
        pytest.param(
            {
                "maxReplicas": 6,
                "schedules": [{**DAY, "minReplicas": 5}, {**WEEK, "minReplicas": 2}],
            },
            None,
            [],
            id="a smaller one around a larger",
        ),
        pytest.param({"spareReplicas": 0}, None, [], id="nothing spare"),
        pytest.param(
            {"maxReplicas": 6, "spareReplicas": 4, "schedules": [DAY, {**WEEK, "minReplicas": 5}]},
            None,
            [f"scaling.schedules[0].minReplicas 4 has no effect: {SPARE}"],
            id="as many are spare",
        ),
        pytest.param(
            {"minReplicas": 2, "maxReplicas": 6, "spareReplicas": 4},
            None,
            [],
            id="a minimum below what is spare still has the first claim to GPUs",
        ),
        pytest.param(
            {"minReplicas": 2, "maxReplicas": 2, "spareReplicas": 1},
            {"timeToFirstTokenSeconds": 1},
            [
                f"{name} has no effect on the number of replicas: {FIXED}"
                for name in ("scaling.spareReplicas", "serviceLevel")
            ],
            id="a number that cannot move",
        ),
        pytest.param(
            {"maxReplicas": 2, "spareReplicas": 1}, {"timeToFirstTokenSeconds": 1}, [], id="it can"
        ),
    ],
)
def test_what_has_no_effect_is_told(scaling: Json, level: Json | None, told: list[str]) -> None:
    wish = spec(scaling, level)
    assert disagreement(wish) == ""
    assert idle_parts(wish) == told
