"""A burst from a client that nobody here wrote: ``vllm bench serve`` of vLLM 0.32, on the Service.

Its own report is kept as build/bench/vllm-bench-serve.json, what it printed beside it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.bench.numbers import BENCH_FOLDER
from e2e.cases.serving import pods_of, ready_pods, serving
from e2e.cluster.wait import wait_for
from e2e.engine.vllm.images import entry
from e2e.engine.vllm.install import environment_folder, is_installed
from e2e.stage.ledger import Ledger, turns
from e2e.stage.stage import TEAM, Json, Stage

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="no vLLM: python -m e2e.engine.vllm (6 GB)"),
]

_NAME = "measured"
_REPORT = BENCH_FOLDER / "vllm-bench-serve.json"
_REQUESTS, _TOKENS = 1200, 96
_SPEC: Json = {
    "concurrency": 8,
    "scaling": {"minReplicas": 1, "maxReplicas": 6, "targetQueueDepth": 8},
}


def _command(url: str, model: Path) -> list[str]:
    return [
        str(environment_folder() / "bin" / "vllm"),
        "bench",
        "serve",
        "--backend=openai-chat",
        "--endpoint=/v1/chat/completions",
        f"--base-url={url}",
        f"--model={_NAME}",
        f"--tokenizer={model}",
        "--tokenizer-mode=mistral",
        "--dataset-name=random",
        "--random-input-len=64",
        f"--random-output-len={_TOKENS}",
        "--random-range-ratio=0",
        "--ignore-eos",
        f"--num-prompts={_REQUESTS}",
        "--max-concurrency=64",
        "--percentile-metrics=ttft,tpot,itl,e2el",
        "--metric-percentiles=50,95,99",
        "--seed=1",
        "--disable-tqdm",
        "--save-result",
        f"--result-dir={_REPORT.parent}",
        f"--result-filename={_REPORT.name}",
    ]


def _start(stage: Stage) -> "subprocess.Popen[bytes]":
    url = f"http://{stage.cluster.get('service', _NAME, TEAM)['spec']['clusterIP']}"
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.unlink(missing_ok=True)
    environment = stage.cluster.environment() | entry(environment_folder())["environment"]
    with _REPORT.with_suffix(".log").open("wb") as log:
        return stage.cluster.popen_in_netns(
            _command(url, stage.folder / "models" / "base"), env=environment, stdout=log, stderr=log
        )


def _answered(stage: Stage) -> list[int]:
    """Requests that each ready replica has answered: the client keeps all its connections."""
    return [_counted(stage, pod["status"]["podIP"]) for pod in ready_pods(stage, _NAME).values()]


def _counted(stage: Stage, address: str) -> int:
    url = f"http://{address}:8000/metrics"
    read = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
    lines = stage.cluster.run_in_netns([sys.executable, "-c", read]).stdout.splitlines()
    found = [one for one in lines if one.startswith("vllm:request_success_total{")]
    return sum(int(float(one.rsplit(" ", 1)[1])) for one in found)


def test_vllms_own_client_meets_a_burst_and_loses_nothing(stage: Stage) -> None:
    with serving(stage, _NAME, **_SPEC), Ledger(stage, _NAME) as ledger:
        client = _start(stage)
        try:
            wait_for(lambda: len(ready_pods(stage, _NAME)) == 6, 180, "six ready replicas")
            wait_for(lambda: min(_answered(stage)) > 0, 90, "each replica to have answered")
            wait_for(lambda: client.poll() is not None, 300, "the client to end")
        finally:
            client.kill()
            client.wait()
        wait_for(lambda: len(pods_of(stage, _NAME)) == 1, 120, "one pod again")
        print(ledger.numbers, ledger.bill())
    said = _REPORT.with_suffix(".log").read_text(errors="replace")
    print(said[-3000:])
    assert client.returncode == 0, said
    report: Json = json.loads(_REPORT.read_text())
    assert (report["completed"], report["failed"]) == (_REQUESTS, 0)
    assert report["total_output_tokens"] == _REQUESTS * _TOKENS
    assert turns(ledger.numbers) == 1, ledger.numbers
