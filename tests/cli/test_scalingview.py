"""Why it is so many replicas: what `status` and `why` print of it, as wide as a terminal may be."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.cli.world import SCALED, Json

from escadre.api.deployment import ModelDeploymentSpec, ModelDeploymentStatus
from escadre.cli.shared.scalingview import scaling_view
from escadre.cli.shared.sparkline import BLOCKS, SIGNS, bars

NOW = 1790000000.0
BUSY: Json = {
    "signal": "Rate",
    "demand": 30,
    "requestsPerMinute": 310,
    "capacity": 24,
    "capacityPerMinute": 120,
    "capacityFrom": "Learned",
    "desiredBeforeLimits": 2,
    "limits": ["schedule", "stabilisation", "gpus"],
    "minReplicas": 4,
    "schedule": 0,
    "nextChangeAt": "2026-09-21T16:00:00Z",
    "denied": {
        "replicas": 1,
        "message": "1 of 4 replicas have no node: needs 2 free GPUs of NVIDIA-H100-80GB-HBM3 on "
        "one node; free: gpu-0: 0; gpu-0: 8 held by team/other (6), chat/x (2)",
    },
    "history": [
        SCALED,
        {**SCALED, "from": 2, "to": 6, "demand": 140, "at": "2026-09-21T14:13:00Z"},
        {**SCALED, "from": 6, "to": 4, "demand": 0, "reason": "DemandDown"},
    ],
}
SPEC = ModelDeploymentSpec.model_validate(
    {
        "approval": "small",
        "contextLength": 4096,
        "scaling": {
            "maxReplicas": 8,
            "schedules": [
                {
                    "cron": "0 8 * * MON-FRI",
                    "timeZone": "Europe/Paris",
                    "duration": "10h",
                    "minReplicas": 4,
                }
            ],
        },
    }
)


def shown(
    scaling: Json | None,
    width: int = 80,
    encoding: str = "utf-8",
    spec: ModelDeploymentSpec = SPEC,
    **status: object,
) -> str:
    replicas = {"desired": 4, "ready": 3, "current": 3, "summary": "3/4"}
    told = ModelDeploymentStatus.model_validate(
        {"replicas": replicas, "scaling": scaling, **status}
    )
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    console = Console(file=file, width=width)
    for part in scaling_view(spec, told, NOW):
        console.print(part)
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    text = file.buffer.getvalue().decode(encoding)
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_all_of_it_on_eighty_columns() -> None:
    assert shown(BUSY) == (
        "Scaling  4 replicas wanted\n"
        "  demand       30 requests, 310 a minute ask for 2 replicas\n"
        "  capacity     24 at once per replica, 120 a minute, measured\n"
        "  held by      a schedule; the stabilisation time; no GPUs\n"
        "  at least     4 replicas, by schedules[0]: 0 8 * * MON-FRI Europe/Paris for 10h\n"
        "  next change  2026-09-21T16:00:00Z at the earliest (in 1h46m)\n"
        "  denied       1 of 4 replicas have no node: needs 2 free GPUs of\n"
        "               NVIDIA-H100-80GB-HBM3 on one node; free: gpu-0: 0; gpu-0: 8 held\n"
        "               by team/other (6), chat/x (2)\n"
        "  past demand  ▃█▁▃  0 to 140\n"
        "  past number  ▄█▆▆  2 to 6\n"
        "  changes      2026-09-21T14:12:00Z  6 → 4  DemandDown, demand 0, 24 each\n"
        "               2026-09-21T14:13:00Z  2 → 6  DemandUp, demand 140, 24 each\n"
        "               2026-09-21T14:12:00Z  1 → 2  DemandUp, demand 40, 24 each"
    )


def test_where_the_encoding_has_no_blocks_signs_stand_for_them() -> None:
    text = shown(BUSY, encoding="ascii")
    assert "  past demand  :#_:  0 to 140" in text
    assert "  past number  -#++  2 to 6" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal(width: int, encoding: str) -> None:
    many = [{**SCALED, "demand": number} for number in range(20)]
    text = shown({**BUSY, "history": many}, width, encoding)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize(
    ("scaling", "status", "words"),
    [
        pytest.param({"signal": "Unknown"}, {}, "unknown until a ready replica", id="no signal"),
        pytest.param(
            {"signal": "Partial", "demand": 1, "signalAgeSeconds": 10},
            {},
            "1 request; some ready replica tells nothing; read 10s ago",
            id="a part of it",
        ),
        pytest.param(
            {"signal": "Rate", "capacity": 24, "sharedPercent": 87},
            {},
            "  shared    evenly to 87 %, where 0 % is by chance as a Service chooses",
            id="a gateway that counts",
        ),
        pytest.param(
            {"signal": "Requests", "minReplicas": 2, "schedule": 7},
            {},
            "2 replicas, by schedules[7]",
            id="a schedule that the spec has no more",
        ),
        pytest.param(
            {
                "signal": "Rate",
                "skew": {
                    "fullest": 0,
                    "fullestRequests": 1600,
                    "emptiest": 2,
                    "emptiestRequests": 1,
                },
            },
            {},
            "  skew    replica 0 has 1,600 requests, replica 2 has 1: clients keep their\n"
            "          connections",
            id="skew",
        ),
        pytest.param(
            {"signal": "Rate", "metricAliases": ["vllm:gpu_cache_usage_perc"]},
            {},
            "  metrics  by names that vLLM has given up: vllm:gpu_cache_usage_perc",
            id="names of before",
        ),
        pytest.param(
            None, {"lastScale": SCALED}, "changes  2026-09-21T14:12:00Z  1 → 2", id="before"
        ),
    ],
)
def test_what_is_less_usual(scaling: Json | None, status: Json, words: str) -> None:
    assert words in shown(scaling, **status)


def test_nothing_told_is_nothing_shown() -> None:
    assert shown(None) == ""


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.sampled_from([BLOCKS, SIGNS]))
def test_bars_rise_with_their_numbers_and_only_zero_has_the_least(
    numbers: list[int], signs: str
) -> None:
    row = [signs.index(sign) for sign in bars(numbers, signs)]
    assert len(row) == len(numbers)
    assert all((level == 0) == (number == 0) for level, number in zip(row, numbers, strict=True))
    ranked = [level for _, level in sorted(zip(numbers, row, strict=True))]
    assert ranked == sorted(ranked)


def test_what_of_a_spec_has_no_effect_is_noted() -> None:
    raw = SPEC.model_dump(by_alias=True, exclude_unset=True)
    raw["scaling"]["minReplicas"] = 4
    spec = ModelDeploymentSpec.model_validate(raw)
    note = "scaling.schedules[0].minReplicas 4 has no effect: scaling.minReplicas is 4"
    assert note in shown(BUSY, width=200, spec=spec)
    assert "no effect" not in shown(BUSY)
