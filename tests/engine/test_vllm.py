"""The real vLLM: what the runner is told and, where it is installed, that it answers under load."""

import asyncio
from pathlib import Path

import pytest
import yaml
from e2e.cluster.runner.images import ImageTable
from e2e.engine.load.request import Ask
from e2e.engine.load.run import Load, run_load
from e2e.engine.vllm.images import IMAGE, table
from tests.engine.engines import VLLM, engine, installed


def test_the_runner_understands_the_entry(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(yaml.safe_dump(table(Path("/opt/vllm"))))
    image = ImageTable(file).find(f"{IMAGE}@sha256:{'e' * 64}")
    assert image is not None
    assert image.entrypoint == ("/opt/vllm/bin/python", "-m", "vllm.entrypoints.cli.main", "serve")
    assert "/opt/vllm" in image.binds
    assert image.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="no vLLM: python -m e2e.engine.vllm (6 GB)")
def test_the_real_one_serves_the_checkpoint_compiled_as_the_operator_has_it(model: Path) -> None:
    flags = ("--max-model-len=8192", "--shutdown-timeout=30", "--no-enforce-eager")
    with engine(VLLM, model, *flags) as running:
        running.wait_healthy()
        for stream in (False, True):
            ask = Ask(url=running.url, model="assistant", max_tokens=8, stream=stream)
            summary = asyncio.run(run_load(Load(ask, clients=6, requests=12)))
            assert (summary.answered, summary.lost) == (12, 0), summary
        running.told()
        assert running.end() == 0
