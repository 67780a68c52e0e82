"""What a spec may say of schedules and service level, and how it is refused."""

from typing import Any

import pytest

from escadre.api.agreements import disagreement
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.scaling import Schedule
from escadre.crontimes import cron_fault, longest_gap, zone_fault

Json = dict[str, Any]
DAY: Json = {
    "cron": "0 8 * * MON-FRI",
    "timeZone": "Europe/Paris",
    "duration": "10h",
    "minReplicas": 4,
}


def spec(scaling: Json, level: Json | None = None) -> ModelDeploymentSpec:
    raw = {"approval": "small", "contextLength": 4096, "scaling": scaling, "serviceLevel": level}
    return ModelDeploymentSpec.model_validate(raw)


def scheduled(**changed: Any) -> Json:
    return {"maxReplicas": 6, "schedules": [{**DAY, **changed}]}


def test_what_is_left_out_is_not_there() -> None:
    bare = ModelDeploymentSpec.model_validate({"approval": "small", "contextLength": 4096})
    told = bare.model_dump(by_alias=True, exclude_unset=True)
    assert told == {"approval": "small", "contextLength": 4096}
    assert (bare.scaling.schedules, bare.scaling.spare_replicas, bare.service_level) == (None,) * 3


def test_all_of_it_together() -> None:
    found = spec(
        {"minReplicas": 1, "maxReplicas": 6, "spareReplicas": 1, "schedules": [DAY]},
        {"timeToFirstTokenSeconds": 2, "interTokenLatencyMilliseconds": 40, "percentile": 99},
    )
    assert disagreement(found) == ""
    assert found.scaling.schedules == [Schedule.model_validate(DAY)]


@pytest.mark.parametrize(
    ("text", "minutes"), [("10h", 600), ("90m", 90), ("8h30m", 510), ("1m", 1), ("9999m", 9999)]
)
def test_a_duration_in_minutes(text: str, minutes: int) -> None:
    assert Schedule.model_validate({**DAY, "duration": text}).minutes == minutes


@pytest.mark.parametrize(
    ("scaling", "level", "words"),
    [
        pytest.param(
            scheduled(cron="0 8 * *"),
            None,
            "scaling.schedules[0].cron '0 8 * *' has 4 fields; five are meant: minute, hour,",
            id="four fields",
        ),
        pytest.param(
            scheduled(cron="0 25 * * *"), None, "hour 25 is not 0 to 23", id="the 25th hour"
        ),
        pytest.param(
            scheduled(cron="0 8 * * FRI-MON"),
            None,
            "day of the week FRI-MON goes downwards; ranges go upwards, so list (,) what is meant",
            id="a range that goes down",
        ),
        pytest.param(
            scheduled(cron="0 8,22-6/2 * * *"), None, "hour 22-6 goes downwards", id="over midnight"
        ),
        pytest.param(
            scheduled(cron="0 8 * dec-FEB *"), None, "month dec-FEB goes down", id="over a new year"
        ),
        pytest.param(
            scheduled(cron="0 8 * * *\u0020"), None, "ends with a space; leave it out", id="a space"
        ),
        pytest.param(
            scheduled(cron="0 8 * * MOO"), None, "three letters of English", id="an unknown day"
        ),
        pytest.param(
            scheduled(cron="0 8 30 2 *"), None, "none of its months has the day", id="never"
        ),
        pytest.param(scheduled(cron="@daily"), None, "has 1 field; five are meant", id="a macro"),
        pytest.param(
            scheduled(timeZone="Mars/Olympus"),
            None,
            "timeZone 'Mars/Olympus' is not in the IANA time zone database; e.g. Europe/Paris",
            id="an unknown zone",
        ),
        pytest.param(
            scheduled(timeZone="../../etc/passwd"), None, "is not in the IANA", id="a path"
        ),
        pytest.param(scheduled(timeZone="localtime"), None, "is not in the IANA", id="local time"),
        pytest.param(scheduled(timeZone="posix/UTC"), None, "is not in the IANA", id="a copy"),
        pytest.param(
            scheduled(timeZone="right/UTC"), None, "is not in the IANA", id="leap seconds"
        ),
        pytest.param(
            scheduled(duration="0h"), None, "'0h' must be hours, minutes or both", id="no duration"
        ),
        pytest.param(scheduled(duration="-1h"), None, "must be hours", id="a negative duration"),
        pytest.param(
            scheduled(cron="0 8 * * *", duration="24h"),
            None,
            "scaling.schedules[0] (0 8 * * *) begins again before its duration 24h is over, so it "
            "never ends; shorten it, or set scaling.minReplicas 4 instead",
            id="a window that never ends",
        ),
        pytest.param(
            scheduled(minReplicas=7),
            None,
            "scaling.schedules[0].minReplicas 7 is more than maxReplicas 6; raise maxReplicas",
            id="a window above the maximum",
        ),
        pytest.param(
            {"maxReplicas": 6, "schedules": [DAY, {**DAY, "duration": "600m", "minReplicas": 5}]},
            None,
            "scaling.schedules[0] and [1] are one window",
            id="one window twice",
        ),
        pytest.param(
            {"maxReplicas": 6, "schedules": [DAY, {**DAY, "cron": "00 8 * * 1,2,3-5"}]},
            None,
            "scaling.schedules[0] and [1] are one window (0 8 * * MON-FRI Europe/Paris for 10h and "
            "00 8 * * 1,2,3-5 Europe/Paris for 10h); leave one out",
            id="one window in other words",
        ),
        pytest.param(
            {"maxReplicas": 6, "schedules": [DAY, {**DAY, "timeZone": "Europe/Monaco"}]},
            None,
            "scaling.schedules[0] and [1] are one window",
            id="one window by clocks that are always alike",
        ),
        pytest.param(
            {
                "maxReplicas": 6,
                "schedules": [
                    {**DAY, "cron": "0 8 * * 0-6", "timeZone": "UTC"},
                    {**DAY, "cron": "0 17 * * *", "timeZone": "Asia/Tokyo"},
                ],
            },
            None,
            "scaling.schedules[0] and [1] are one window",
            id="one window by two clocks",
        ),
        pytest.param(
            {
                "maxReplicas": 6,
                "schedules": [
                    {**DAY, "cron": "0 8 * * *", "duration": "12h"},
                    {**DAY, "cron": "0 20 * * *", "duration": "720m", "minReplicas": 2},
                ],
            },
            None,
            "scaling.schedules [0], [1] together never end, so scaling.minReplicas 1 never counts; "
            "set scaling.minReplicas 2 and leave out the windows that ask for no more",
            id="day and night",
        ),
        pytest.param(
            {
                "maxReplicas": 6,
                "schedules": [
                    {**DAY, "cron": f"0 {hour} * * *", "timeZone": zone, "duration": "8h"}
                    for hour, zone in ((8, "UTC"), (1, "Asia/Tokyo"), (4, "Asia/Dubai"))
                ],
            },
            None,
            "scaling.schedules [0], [1], [2] together never end",
            id="around the clock over three offices",
        ),
        pytest.param(
            {"maxReplicas": 6, "spareReplicas": 6},
            None,
            "scaling.spareReplicas 6 leaves nothing of maxReplicas 6 for the demand",
            id="all spare",
        ),
        pytest.param(
            {"minReplicas": 5, "maxReplicas": 4},
            None,
            "scaling.minReplicas 5 is more than maxReplicas 4",
            id="more at least than at most",
        ),
        pytest.param(
            {"targetQueueDepth": 24},
            {"timeToFirstTokenSeconds": 2},
            "scaling.targetQueueDepth 24 says how much a replica holds, and serviceLevel asks",
            id="two aims",
        ),
    ],
)
def test_what_fights_itself_is_refused(scaling: Json, level: Json | None, words: str) -> None:
    assert words in disagreement(spec(scaling, level))


@pytest.mark.parametrize(
    "schedules",
    [
        pytest.param([DAY, {**DAY, "timeZone": "Europe/London"}], id="an hour apart"),
        pytest.param(
            [{**DAY, "timeZone": "UTC"}, {**DAY, "timeZone": "Europe/London"}],
            id="alike in winter only",
        ),
        pytest.param(
            [DAY, {**DAY, "cron": "0 8 1-28,30,31 * *"}, {**DAY, "cron": "0 18 * * *"}],
            id="windows that overlap",
        ),
        pytest.param(
            [
                {**DAY, "cron": "0 8 * * *", "duration": "12h"},
                {**DAY, "cron": "0 20 * * MON-SAT", "duration": "12h"},
            ],
            id="one night a week is without",
        ),
        pytest.param(
            [
                {**DAY, "cron": "0 0 1-28 * *", "duration": "24h"},
                {**DAY, "cron": "0 0 29-31 1,3-12 *", "duration": "24h"},
            ],
            id="only leap days are without",
        ),
        pytest.param(
            [
                {**DAY, "cron": "0 8 * * *", "duration": "12h"},
                {**DAY, "cron": "0 20 * * *", "duration": "12h", "minReplicas": 1},
            ],
            id="the other half has no effect",
        ),
    ],
)
def test_windows_that_do_not_fight_are_taken(schedules: list[Json]) -> None:
    assert disagreement(spec({"maxReplicas": 6, "schedules": schedules})) == ""


@pytest.mark.parametrize(
    ("cron", "gap"),
    [
        ("* * * * *", 1),
        ("0 8 * * *", 1440),
        ("0 8,20 * * *", 720),
        ("0 8 * * MON-FRI", 3 * 1440),
        ("* * * * MON-FRI", 2 * 1440 + 1),
        ("0 0 1 * *", 31 * 1440),
        ("0 0 29 2 *", 4 * 366 * 1440 - 3 * 1440),
        ("30 8-17/3 * * *", 15 * 60),
        ("0 0 1 1 *", 366 * 1440),
    ],
)
def test_the_longest_gap_of_a_cron(cron: str, gap: int) -> None:
    assert cron_fault(cron) == ""
    assert longest_gap(cron) == gap


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]
)
def test_zones_of_the_database(zone: str) -> None:
    assert zone_fault(zone) == ""
