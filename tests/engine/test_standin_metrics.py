"""The stand-in's /metrics against a body recorded from a real vLLM 0.32.0 on CPU."""

import json
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.engine.serving import serving

DATA: Final = Path(__file__).parent / "data"
FLAGS: Final = ("--max-model-len", "8192", "--max-num-seqs", "4", "--block-size", "128")

Series = tuple[str, str, str, tuple[tuple[str, str], ...]]


def _series(body: str) -> set[Series]:
    """(family, type, sample, labels) of everything in a body; values of info labels dropped.

    Those of the cache are the engine's own, those of Python the machine's.
    """
    found = set()
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            info = sample.name in {"vllm:cache_config_info", "python_info"}
            labels = dict.fromkeys(sample.labels, "") if info else sample.labels
            found.add((family.name, family.type, sample.name, tuple(sorted(labels.items()))))
    return found


def _recorded(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


async def test_a_fresh_body_has_exactly_vllms_series_helps_and_size(model: Path) -> None:
    recorded = _recorded("vllm-0.32-metrics.txt")
    async with serving(model, *FLAGS) as engine:
        _, body = await engine.get("/metrics")
    assert _series(body) == _series(recorded)
    declared = [line for line in body.splitlines() if line.startswith("#")]
    assert declared == [line for line in recorded.splitlines() if line.startswith("#")]
    assert 49_000 < len(body) < 52_000


async def test_a_used_body_has_vllms_series_too(model: Path) -> None:
    async with serving(model, *FLAGS) as engine:
        await engine.get("/v1/models")
        await engine.get("/nothing")
        await engine.chat(max_tokens=2)
        await engine.chat(max_tokens=0)
        url, body = f"{engine.url}/v1/completions", {"model": "assistant", "prompt": "x"}
        async with engine.session.post(url, json=body) as response:
            await response.read()
        _, body_text = await engine.get("/metrics")
    assert _series(body_text) == _series(_recorded("vllm-0.32-metrics-loaded.txt"))


async def test_it_ignores_name_filters_and_gzip_as_vllm_does(model: Path) -> None:
    async with serving(model) as engine:
        url = f"{engine.url}/metrics?name[]=vllm:num_requests_running"
        async with engine.session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert "Content-Encoding" not in response.headers
            assert response.headers["Content-Type"].startswith("text/plain; version=1.0.0")
            assert len(await response.read()) > 45_000


@pytest.mark.parametrize("name", ["vllm-0.32-metrics.txt", "vllm-0.32-metrics-loaded.txt"])
def test_the_scanners_copies_are_the_same(name: str) -> None:
    assert _recorded(name) == (DATA.parents[1] / "clients" / "data" / name).read_text()


async def test_the_cache_information_is_the_engines_own(model: Path) -> None:
    async with serving(model, *FLAGS, kv_tokens=65536) as engine:
        _, body = await engine.get("/metrics")
    line = next(line for line in body.splitlines() if line.startswith("vllm:cache_config_info{"))
    for label in (
        {"num_gpu_blocks": "512"},
        {"kv_cache_size_tokens": "65536"},
        {"kv_cache_max_concurrency": "8.0"},
    ):
        ((key, value),) = label.items()
        assert f"{key}={json.dumps(value)}" in line
