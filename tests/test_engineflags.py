"""engineflags.py: words of engine.extraArgs as vLLM's parser would take them."""

from importlib.resources import files

import pytest

from escadre.engineflags import refusal, table


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
    assert refusal(word) == ""


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
    assert why in refusal(word)


def test_every_beginning_of_a_flag_that_is_not_allowed_is_refused() -> None:
    flags = table()
    for name, flag in flags.items():
        if flag.verdict == "allowed":
            continue
        for length in range(3, len(name) + 1):
            taken = [one for one in flags if one.startswith(name[:length])]
            if taken == [name]:
                assert refusal(f"{name[:length]}=1"), name[:length]


def test_the_table_knows_what_the_stand_in_for_the_engine_knows() -> None:
    text = files("e2e.engine.standin").joinpath("vllm-0.32-flags.txt").read_text(encoding="utf-8")
    rows = [line.split(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    names = {name for row in rows for name in row.split(",") if name.startswith("--")}
    assert set(table()) == names
