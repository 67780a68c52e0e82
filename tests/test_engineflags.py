"""engineflags.py: words of engine.extraArgs as the parser of a version of vLLM would take them."""

from importlib.resources import files

import pytest

from escadre.engineflags import ENGINE_VERSION, flags_for, rows

FLAGS = flags_for(None)
VERDICTS = {"allowed", "reserved", "code", "statistics", "socket", "parallelism", "plan"}


@pytest.mark.parametrize(
    "word",
    [
        "--seed=1",
        "--enable-prefix-caching",
        "--no-enable-prefix-caching",
        "--enable_prefix_caching",
        "--enable-prefix-c",
        "--structured-outputs-config.backend=auto",
        "--uvicorn-log-l=warning",
    ],
)
def test_what_changes_nothing_planned_may_be_given(word: str) -> None:
    assert FLAGS.refusal(word) == ""


@pytest.mark.parametrize(
    ("word", "why"),
    [
        pytest.param(
            "--trust-remote-code", "code, a model or a file that nobody approved", id="loads-code"
        ),
        pytest.param("--no-trust-remote-code", "nobody approved", id="the-inverse-of-it"),
        pytest.param(
            "--trust-rem", "--trust-rem (for vLLM --trust-remote-code) must not", id="shortened"
        ),
        pytest.param("--trust_remote_code", "--trust-remote-code", id="underscores"),
        pytest.param("--gpu-mem=0.99", "(for vLLM --gpu-memory-utilization)", id="with-a-value"),
        pytest.param("--device-memory-utilization=1", "sets it from the plan", id="another-name"),
        pytest.param("--kv-cache-dtype=fp8", "the memory or the cache", id="cache-type"),
        pytest.param("--cpu-offload-gb=4", "the memory or the cache", id="memory"),
        pytest.param("--data-parallel-size=2", "over GPUs is planned", id="parallelism"),
        pytest.param("--disable-log-stats", "needs the statistics", id="statistics"),
        pytest.param("--ssl-keyfile=/k", "over plain HTTP", id="tls"),
        pytest.param("--uds=/tmp/s", "over plain HTTP", id="socket"),
        pytest.param("--speculative-config.model=x", "must not be given", id="a-key-of-its-json"),
        pytest.param("--no-such-flag", "vLLM 0.32 has no such flag", id="unknown"),
        pytest.param(
            "--max-log",
            "takes it for one of --max-log-len, --max-logprobs and refuses it",
            id="ambiguous",
        ),
        pytest.param("--enforce-eager=1", "takes no value", id="value-of-a-switch"),
        pytest.param("--seed.a=1", "takes no keys", id="a-key-of-what-is-no-object"),
        pytest.param("--seed", "needs a value: --seed=VALUE", id="value-forgotten"),
    ],
)
def test_what_is_refused_and_why(word: str, why: str) -> None:
    assert why in FLAGS.refusal(word)


def test_every_beginning_of_a_flag_that_is_not_allowed_is_refused() -> None:
    flags = FLAGS.named
    for name, flag in flags.items():
        if flag.verdict == "allowed":
            continue
        for length in range(3, len(name) + 1):
            taken = [one for one in flags if one.startswith(name[:length])]
            if taken == [name]:
                assert FLAGS.refusal(f"{name[:length]}=1"), name[:length]


def test_the_table_knows_what_the_stand_in_for_the_engine_knows() -> None:
    text = files("e2e.engine.standin").joinpath("vllm-0.32-flags.txt").read_text(encoding="utf-8")
    theirs = {
        name: follows
        for names, follows, *_ in (line.split(" ") for line in text.splitlines() if line[0] != "#")
        for name in names.split(",")
        if name.startswith("--")
    }
    assert {name: flag.follows for name, flag in FLAGS.named.items()} == theirs


# -- Versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "word", "why"),
    [
        ("0.17.1", "--shutdown-timeout=1", "vLLM 0.17 has no such flag; it came with 0.18"),
        ("0.18", "--shutdown-timeout=1", "escadre sets it from the plan and the approval"),
        ("0.32.0", "--swap-space=4", "vLLM 0.32 has no such flag; 0.17 was the last with it"),
        ("0.17", "--swap-space=4", "the cache that a layout was planned with"),
        ("0.19", "--linear-backend=auto", "vLLM 0.19 has no such flag; it came with 0.22"),
        ("0.22", "--linear-backend=auto", ""),
        ("0.16", "--disable-log-requests", ""),
        ("0.17", "--disable-log-requests", "0.17 has no such flag; 0.16 was the last with it"),
        ("0.12", "--guided-decoding-backend.x=1", "no such flag; 0.11 was the last with it"),
        ("0.11", "--seed=1", ""),
        ("0.21", "--no-such-flag", "--no-such-flag: vLLM 0.21 has no such flag"),
    ],
)
def test_a_word_is_held_against_the_version_s_own_flags(version: str, word: str, why: str) -> None:
    refusal = flags_for(version).refusal(word)
    assert refusal.endswith(why) if why else refusal == ""


def test_a_beginning_may_be_of_one_flag_today_and_of_two_tomorrow() -> None:
    assert flags_for("0.24").meanings("--enable-per") == []
    assert flags_for("0.25").meanings("--enable-per") == ["--enable-per-request-metrics"]
    assert flags_for("0.11").meanings("--shut") == []


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        (None, ENGINE_VERSION),
        ("v0.29.1", "0.29"),
        (" 0.20.0rc1 ", "0.20"),
        ("0.9.2", "0.11"),
        ("1.0", ENGINE_VERSION),
        ("0.99", ENGINE_VERSION),
    ],
)
def test_a_version_that_is_not_known_has_the_flags_of_the_nearest(
    version: str | None, taken: str
) -> None:
    assert flags_for(version) == flags_for(taken)
    assert flags_for(version).version == taken


def test_every_version_has_each_name_once_and_each_flag_a_verdict() -> None:
    table = rows()
    assert {row.verdict for row in table} <= VERDICTS
    for minor in range(11, 33):
        names = [name for row in table if row.has(minor) for name in row.names]
        assert len(names) == len(set(names)), minor
    for row in table:
        assert 11 <= row.since <= (row.until or 32) <= 32
        assert row.until != 32, f"{row.names}: the newest has it, so leave the end open"


def test_no_flag_went_and_came_back() -> None:
    """What is said of a flag that a version lacks tells of one coming or one going."""
    for name in {name for row in rows() for name in row.names if name.startswith("--")}:
        having = [minor for minor in range(11, 33) if name in flags_for(f"0.{minor}").named]
        assert having == list(range(having[0], having[-1] + 1)), name


def test_a_flag_keeps_its_verdict_over_the_versions() -> None:
    verdicts: dict[str, set[str]] = {}
    for row in rows():
        for name in row.names:
            verdicts.setdefault(name, set()).add(row.verdict)
    assert {name: found for name, found in verdicts.items() if len(found) > 1} == {}
