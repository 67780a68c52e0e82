"""The real vLLM: what the runner is told and, where it is installed, that it answers."""

import asyncio
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from e2e.cluster.runner.images import ImageTable
from e2e.engine.load.request import Ask
from e2e.engine.load.run import Load, run_load
from e2e.engine.ports import free_port
from e2e.engine.vllm.images import IMAGE, entry, table
from e2e.engine.vllm.install import environment_folder
from tests.engine.fetching import fetch

_START_SECONDS = 300


def test_the_runner_understands_the_entry(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(yaml.safe_dump(table(Path("/opt/vllm"))))
    image = ImageTable(file).find(f"{IMAGE}@sha256:{'e' * 64}")
    assert image is not None
    assert image.entrypoint == ("/opt/vllm/bin/python", "-m", "vllm.entrypoints.cli.main", "serve")
    assert "/opt/vllm" in image.binds
    assert image.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


def _installed() -> bool:
    return (environment_folder() / "escadre-complete").exists()


@contextmanager
def _vllm(model: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real vLLM with the flags that the operator gives it, once it is healthy."""
    image = entry(environment_folder())
    port = free_port()
    flags = (
        f"--host 127.0.0.1 --port {port} --tensor-parallel-size 1 "
        "--pipeline-parallel-size 1 --max-model-len 8192 --max-num-seqs 4 "
        "--max-num-batched-tokens 2048 --gpu-memory-utilization 0.9 "
        "--served-model-name assistant org/Tiny --tokenizer-mode mistral "
        "--config-format mistral --load-format mistral --shutdown-timeout 30"
    )
    url, log = f"http://127.0.0.1:{port}", folder / "vllm.log"
    # Its processes talk over sockets in TMPDIR and leave them there. The folder of the test is no
    # place for them: the path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="vllm-") as sockets, log.open("wb") as output:
        environment = image["environment"] | {"HOME": str(folder), "TMPDIR": sockets}
        command = [*image["entrypoint"], str(model), *shlex.split(flags)]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        yield from _until_used(process, url, log)


def _until_used(
    process: subprocess.Popen[bytes], url: str, log: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _healthy(url):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)
        yield url, process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(not _installed(), reason="no vLLM: python -m e2e.engine.vllm (6 GB)")
def test_the_real_one_serves_the_checkpoint_with_the_operators_flags(
    model: Path, tmp_path: Path
) -> None:
    with _vllm(model, tmp_path) as (url, process):
        for stream in (False, True):
            ask = Ask(url=url, model="assistant", max_tokens=8, stream=stream)
            summary = asyncio.run(run_load(Load(ask, clients=6, requests=12)))
            assert (summary.answered, summary.lost) == (12, 0), summary
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def _healthy(url: str) -> bool:
    try:
        return fetch(url, "/health").status == 200
    except OSError:
        return False
