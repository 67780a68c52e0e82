"""The metrics scanner against the official parser, on recorded bodies and on any body."""

import math
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from escadre.clients.enginemetrics import scan
from escadre.core.profile import PROFILES, QueueMetrics
from escadre.core.scaling.demand import Demand, Sums, Work

DATA = Path(__file__).parent / "data"
BODIES = sorted(DATA.glob("vllm-*-metrics*.txt"))
QUEUE = QueueMetrics()
RUNNING, WAITING, BY_REASON = QUEUE.running, QUEUE.waiting, QUEUE.waiting_by_reason
LARGEST = 1 << 53


class Parsed:
    """What the official parser makes of a body, under the rules for what is unknown."""

    def __init__(self, body: bytes) -> None:
        self.values: dict[str, list[float]] = {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if sample.name != BY_REASON or sample.labels.get("reason") == "capacity":
                    self.values.setdefault(sample.name, []).append(sample.value)

    def numbers(self, *names: str) -> list[float] | None:
        """The series of the first name that is there, None where one is no number."""
        name = next((name for name in names if name in self.values), None)
        numbers = self.values.get(name or "")
        known = numbers and all(math.isfinite(one) and 0 <= one < LARGEST for one in numbers)
        return numbers if known else None

    def whole(self, *names: str) -> int | None:
        numbers = self.numbers(*names)
        return None if numbers is None else math.ceil(sum(numbers))

    def sums(self, *names: str) -> Sums | None:
        name = next((name for name in names if f"{name}_count" in self.values), "")
        seconds, count = self.numbers(f"{name}_sum"), self.whole(f"{name}_count")
        return None if seconds is None or count is None else Sums(sum(seconds), count)

    def demand(self) -> Demand:
        usage = self.numbers(*QUEUE.cache_usage)
        mean = None if usage is None else sum(usage) / len(usage)
        work = Work(
            prompt_tokens=self.whole(*QUEUE.prompt_tokens),
            generation_tokens=self.whole(*QUEUE.generation_tokens),
            answered=self.whole(*QUEUE.answered),
            preemptions=self.whole(*QUEUE.preemptions),
            prefill=self.sums(*QUEUE.prefill),
            prefilled_tokens=self.whole(*QUEUE.prefilled_tokens),
            gaps=self.sums(*QUEUE.gaps),
        )
        return Demand(
            self.whole(RUNNING),
            self.whole(BY_REASON if BY_REASON in self.values else WAITING),
            cache_usage=None if mean is None or mean > 1 else mean,
            work=None if work == Work() else work,
            old_names=tuple(
                old for today, old in RENAMED if old in self.values and today not in self.values
            ),
        )


RENAMED = (
    QUEUE.cache_usage,
    *(tuple(f"{name}{end}" for name in QUEUE.gaps) for end in ("_sum", "_count")),
)


def parsed(body: bytes) -> Demand:
    return Parsed(body).demand()


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_recorded_body_reads_as_the_official_parser_reads_it(path: Path) -> None:
    body = path.read_bytes()
    assert scan(body) == parsed(body)
    told = scan(body)
    assert None not in (told.running, told.waiting, told.cache_usage)
    assert None not in [getattr(told.work, field.name) for field in fields(Work)]
    assert not told.old_names


def test_there_are_recorded_bodies() -> None:
    assert BODIES


def cost(of: Callable[[bytes], object], body: bytes) -> float:
    """Processor seconds, the least of three: a busy machine makes them more, never less."""
    took = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(5):
            of(body)
        took.append(time.process_time() - began)
    return min(took)


def test_a_scan_takes_a_small_part_of_a_parse() -> None:
    body = BODIES[0].read_bytes()
    assert cost(scan, body) < cost(parsed, body) / 20


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(RUNNING + 5_000 * " ", id="blanks"),
        pytest.param(RUNNING + "{" + 5_000 * "a", id="labels without end"),
        pytest.param(RUNNING + '{a="' + 2_500 * "\\a", id="a value without end"),
        pytest.param(RUNNING + " 1" + 5_000 * " " + "x", id="blanks before something else"),
        pytest.param(5_000 * " " + RUNNING, id="blanks before the name"),
    ],
)
def test_no_line_takes_longer_than_ten_real_bodies(line: str) -> None:
    assert scan(f"{line}\n".encode()).running is None
    assert cost(scan, f"{line}\n".encode()) < 10 * cost(scan, BODIES[0].read_bytes())


@pytest.mark.parametrize(
    ("text", "running"),
    [
        pytest.param(f'{RUNNING}{{engine="0"}} 3.0\n', 3, id="one rank"),
        pytest.param(
            f'{RUNNING}{{engine="0",model_name="m"}} 3\n{RUNNING}{{model_name="m",engine="1"}} 4\n',
            7,
            id="ranks are summed, labels in any order",
        ),
        pytest.param(f"{RUNNING} 2\n", 2, id="no labels"),
        pytest.param(f"  {RUNNING}\t{{ }} 2 1700000000000\r\n", 2, id="blanks and a timestamp"),
        pytest.param(f'{RUNNING}{{m="a\\"}} 9\\n{{"}} 1e2\n', 100, id="escapes and exponent"),
        pytest.param(f'other{{m="{RUNNING} 5"}} 1\n', None, id="only in a label's value"),
        pytest.param(f"# HELP {RUNNING} 5\n", None, id="only in a comment"),
        pytest.param(f"{RUNNING}_by_reason 5\n", None, id="only a longer name"),
        pytest.param(f"{RUNNING} NaN\n", None, id="not a number"),
        pytest.param(f"{RUNNING} +Inf\n", None, id="infinite"),
        pytest.param(f"{RUNNING} -1\n", None, id="negative"),
        pytest.param(f"{RUNNING} 1_000\n", None, id="Python's number, not Prometheus'"),
        pytest.param(f"{RUNNING} 3\n{RUNNING}{{a=1}} x\n", None, id="one series unreadable"),
        pytest.param(f"{RUNNING} 1", None, id="cut off: no line feed"),
        pytest.param("", None, id="empty"),
        pytest.param(f"{RUNNING}", None, id="cut off after the name"),
        pytest.param(f"{RUNNING} 0\n", 0, id="zero is a number"),
    ],
)
def test_lines(text: str, running: int | None) -> None:
    assert scan(text.encode()) == Demand(running, None)


def test_metrics_go_by_the_names_of_the_engine_s_version() -> None:
    queue = QueueMetrics(running="engine:running", waiting="engine:queued")
    assert scan(b"engine:running 2\nengine:queued 1\n", queue) == Demand(2, 1)
    assert scan(f"{RUNNING} 2\n{WAITING} 1\n".encode(), queue) == Demand(None, None)
    # As the loggers of all these versions have them, or had them before.
    assert {profile.queue for profile in PROFILES} == {QUEUE}


USAGE, EARLIER_USAGE = QUEUE.cache_usage
GAPS, EARLIER_GAPS = QUEUE.gaps
BOTH = 'vllm:prompt_tokens_total{engine="0"} 10\nvllm:prompt_tokens_total{engine="1"} 20\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            f'{BY_REASON}{{reason="capacity"}} 2\n{BY_REASON}{{reason="deferred"}} 5\n'
            f"{WAITING} 7\n",
            Demand(None, 2),
            id="what is deferred does not count as waiting",
        ),
        pytest.param(
            f'{BY_REASON}{{reason="deferred"}} 5\n{WAITING} 7\n',
            Demand(None, 7),
            id="all that waits counts where none is said to wait for capacity",
        ),
        pytest.param(
            f'{BY_REASON}{{reason="capacity"}} NaN\n{WAITING} 7\n',
            Demand(None, None),
            id="a reason without a number is unknown",
        ),
        pytest.param(
            f'{BY_REASON}{{m="reason=\\"capacity\\"",reason="deferred"}} 5\n',
            Demand(None, None),
            id="a reason in another label's value",
        ),
        pytest.param(
            f'{USAGE}{{engine="0"}} 0.25\n{USAGE}{{engine="1"}} 0.75\n',
            Demand(None, None, cache_usage=0.5),
            id="the share of the cache is the mean of the ranks",
        ),
        pytest.param(f"{USAGE} 1.5\n", Demand(None, None), id="more than the whole cache"),
        pytest.param(
            f"{EARLIER_USAGE} 0.5\n",
            Demand(None, None, cache_usage=0.5, old_names=(EARLIER_USAGE,)),
            id="an earlier name is read and told",
        ),
        pytest.param(
            f"{EARLIER_USAGE} 0.5\n{USAGE} 0.25\n",
            Demand(None, None, cache_usage=0.25),
            id="today's name counts where both are there",
        ),
        pytest.param(
            f"{EARLIER_GAPS}_sum 1.5\n{EARLIER_GAPS}_count 3\n",
            Demand(
                None,
                None,
                work=Work(gaps=Sums(1.5, 3)),
                old_names=(f"{EARLIER_GAPS}_sum", f"{EARLIER_GAPS}_count"),
            ),
            id="a histogram under its earlier name",
        ),
        pytest.param(f"{GAPS}_sum 1.5\n", Demand(None, None), id="a sum without its count"),
        pytest.param(
            f"{GAPS}_sum NaN\n{GAPS}_count 3\n{BOTH}",
            Demand(None, None, work=Work(prompt_tokens=30)),
            id="one number that is none leaves the others",
        ),
        pytest.param(
            f"{QUEUE.prompt_tokens[0]} 9007199254740992\n",
            Demand(None, None),
            id="larger than a float counts to",
        ),
    ],
)
def test_what_an_engine_tells_beside(text: str, expected: Demand) -> None:
    assert scan(text.encode()) == expected


def test_counters_of_ranks_are_summed() -> None:
    assert scan(BOTH.encode()).work == Work(prompt_tokens=30)


def test_a_body_without_its_reasons_counts_all_that_waits() -> None:
    body = BODIES[-1].read_bytes()
    lines = [line for line in body.splitlines(keepends=True) if BY_REASON.encode() not in line]
    assert scan(b"".join(lines)) == replace(scan(body), waiting=Parsed(body).whole(WAITING))


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_into_which_buckets_an_engine_counts_is_nothing_to_scaling(path: Path) -> None:
    body = path.read_bytes()
    lines = body.splitlines(keepends=True)
    none = b"".join(one for one in lines if b"_bucket{" not in one)
    twice = b"".join(
        one.replace(b'le="', b'le="1') + one if b"_bucket{" in one else one for one in lines
    )
    assert none != body, "there are some"
    assert scan(none) == scan(body) == scan(twice)


LABELS = st.dictionaries(
    st.sampled_from(["engine", "model_name", "reason"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
    | st.sampled_from(
        ["capacity", 'reason="capacity"', f"{RUNNING} 7", 'a"b', "\\", "}", "{", "line\nfeed"]
    ),
)
VALUES = (
    st.integers(0, 5000).map(str)
    | st.integers(0, 5000).map(lambda number: f"{number}.0")
    | st.floats(allow_nan=True, allow_infinity=True).map(repr).map(str.strip)
    | st.floats(0, 1).map(repr)
    | st.sampled_from(["NaN", "+Inf", "-Inf", "1e3", "2.5E+1", "0"])
)
NAMES = st.sampled_from(
    [
        *(RUNNING, WAITING, BY_REASON, "vllm:other", "process_x"),
        *(*QUEUE.cache_usage, *QUEUE.prompt_tokens, *QUEUE.answered, *QUEUE.prefilled_tokens),
        *(f"{name}{end}" for name in QUEUE.gaps for end in ("_sum", "_count", "_bucket")),
    ]
)


def line(name: str, labels: dict[str, str], value: str) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}\n" if labels else f"{name} {value}\n"


@given(st.lists(st.builds(line, NAMES, LABELS, VALUES), max_size=12))
def test_any_body_reads_as_the_official_parser_reads_it(lines: list[str]) -> None:
    body = "".join(lines).encode()
    assert scan(body) == parsed(body)


@given(st.binary(max_size=200).map(lambda tail: RUNNING.encode() + tail))
def test_no_bytes_raise(body: bytes) -> None:
    scan(body)
