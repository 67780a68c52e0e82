"""The stand-in as a process: how it starts, refuses to start, drains and ends."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from e2e.engine.standin.process import command, standin
from tests.engine.serving import until

from escadre.clients.enginemetrics import scan
from escadre.clients.enginetoken import asking_tokens
from escadre.core.scaling.demand import Demand

_LINGER = {"STANDIN_LINGER_SECONDS": "0.2"}


def _logging(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """A logging config like the operator's: errors go to the termination log, too."""
    log = tmp_path / "termination-log"
    handler = {"class": "logging.FileHandler", "filename": str(log), "level": "ERROR"}
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"out": {"class": "logging.StreamHandler"}, "termination": handler},
        "loggers": {"vllm": {"handlers": ["out", "termination"], "level": "INFO"}},
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(config))
    return {"VLLM_LOGGING_CONFIG_PATH": str(path)}, log


def _run(
    model: Path, *flags: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(model, *flags),
        env=os.environ | dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_too_little_memory_explains_itself_in_the_termination_log(
    model: Path, tmp_path: Path
) -> None:
    environment, log = _logging(tmp_path)
    environment["STANDIN_KV_TOKENS"] = "25984"
    result = _run(model, "--max-model-len", "32768", environment=environment)
    assert result.returncode == 1
    assert result.stderr.rstrip().endswith(
        "RuntimeError: Engine core initialization failed. See root cause above. "
        "Failed core proc(s): {'EngineCore': 1}"
    )
    text = log.read_text()
    assert "model's max seq len (32768), (0.06 GiB KV cache is needed, which is larger" in text
    assert "the estimated maximum model length is 25984. Try increasing" in text


def test_a_length_over_the_models_is_said_on_stderr_only_as_in_vllm(
    model: Path, tmp_path: Path
) -> None:
    environment, log = _logging(tmp_path)
    result = _run(model, "--max-model-len", "65536", environment=environment)
    assert result.returncode == 1
    assert "User-specified max_model_len (65536) is greater than the derived" in result.stderr
    assert "(max_position_embeddings=32768.0 or" in result.stderr
    assert log.read_text() == ""


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("params.json", "Failed to load mistral 'params.json' config"),
        ("tekken.json", "No tokenizer file found"),
        ("consolidated.safetensors", "Cannot find any model weights"),
    ],
)
def test_a_folder_without_one_of_its_files_is_refused(
    model: Path, tmp_path: Path, missing: str, message: str
) -> None:
    for file in model.iterdir():
        if file.name != missing:
            (tmp_path / file.name).symlink_to(file)
    result = _run(tmp_path, environment={})
    assert result.returncode == 1
    assert message in result.stderr + result.stdout


def test_weights_cut_short_are_refused(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[:-1] if "cons" in file.name else content)
    result = _run(tmp_path, environment={})
    assert result.returncode == 1
    assert "incomplete metadata, file not fully covered" in result.stdout


def test_heads_must_divide(model: Path) -> None:
    result = _run(model, "--tensor-parallel-size", "3", environment={})
    assert result.returncode == 1
    assert "attention heads (8) must be divisible by tensor parallel size (3)" in result.stderr


async def test_a_wrong_model_name_reaches_the_termination_log_as_in_vllm(
    model: Path, tmp_path: Path
) -> None:
    environment, log = _logging(tmp_path)
    environment["PYTHONUNBUFFERED"] = "1"
    with standin(model, environment=environment) as engine:
        async with aiohttp.ClientSession() as session:
            assert (await _post(session, engine.url, model="nope"))[0] == 404
    assert "The model `nope` does not exist" in log.read_text()


def test_an_unknown_flag_ends_with_status_2(model: Path) -> None:
    result = _run(model, "--max-queue", "3", environment={})
    assert result.returncode == 2
    assert "error: unrecognized arguments: --max-queue 3" in result.stderr


def _body(**more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "Bonjour"}
    return {"messages": [message], "max_tokens": 15, **more}


async def _post(session: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, str]:
    async with session.post(f"{url}/v1/chat/completions", json=_body(**more)) as response:
        return response.status, await response.text()


async def _in_flight(session: aiohttp.ClientSession, url: str) -> float:
    async with session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    names = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(names))


async def test_a_drain_finishes_the_queue_refuses_the_new_and_stays_healthy(
    model: Path, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    environment = _LINGER | {"STANDIN_HOLD": str(hold)}
    flags = ("--max-num-seqs", "2", "--shutdown-timeout", "30")
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    with standin(model, *flags, environment=environment) as engine:
        async with aiohttp.ClientSession(connector=connector) as session:
            requests = [
                asyncio.create_task(_post(session, engine.url, stream=number % 2 == 0))
                for number in range(6)
            ]

            async def busy() -> bool:
                return await _in_flight(session, engine.url) == 6

            await until(busy)
            engine.process.send_signal(signal.SIGTERM)

            async def draining() -> bool:
                return (await _post(session, engine.url))[0] == 500

            await until(draining)
            status, body = await _post(session, engine.url, stream=True)
            assert status == 500
            url = f"{engine.url}/v1/chat/completions"
            async with aiohttp.ClientSession() as kept, kept.post(url, json=_body()) as refused:
                assert (refused.status, "Connection" in refused.headers) == (500, False)
            assert json.loads(body)["error"]["message"] == (
                "cannot schedule new futures after shutdown"
            )
            async with session.get(f"{engine.url}/health") as response:
                assert response.status == 200
            hold.unlink()
            answers = await asyncio.gather(*requests)
        assert engine.process.wait(timeout=60) == 0
    assert [status for status, _ in answers] == [200] * 6
    assert all('"finish_reason":"length"' in text.replace(": ", ":") for _, text in answers)


async def test_a_core_that_hangs_says_200_and_every_number_stays(
    model: Path, tmp_path: Path
) -> None:
    hang = tmp_path / "hang"
    environment = _LINGER | {"STANDIN_HANG": str(hang), "STANDIN_TOKENS_PER_SECOND": "5"}
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    flags = ("--served-model-name", "assistant")
    with standin(model, *flags, environment=environment) as engine:
        async with aiohttp.ClientSession(connector=connector) as session:

            async def told() -> Demand:
                async with session.get(f"{engine.url}/metrics") as response:
                    return scan(await response.read())

            async def works() -> bool:
                return (await told()).requests == 1

            first = asyncio.create_task(_post(session, engine.url))
            await until(works)
            hang.touch()
            second = asyncio.create_task(_post(session, engine.url))
            async with session.get(f"{engine.url}/health") as response:
                assert response.status == 200
            port = int(engine.url.rpartition(":")[2])
            async with asking_tokens(0.5) as ask:
                assert (await ask("127.0.0.1", port, "assistant")).came == "No"
            before = await told()
            async with asking_tokens(0.5) as ask:
                assert (await ask("127.0.0.1", port, "assistant")).came == "No"
            assert await told() == before
            assert (before.running, before.waiting) == (1, 0)
            hang.unlink()
            answers = await asyncio.gather(first, second)
    assert [status for status, _ in answers] == [200, 200]


def _catches(pid: int, number: int) -> bool:
    handled = Path(f"/proc/{pid}/status").read_text().split("SigCgt:\t")[1]
    return bool(int(handled.split()[0], 16) & (1 << (number - 1)))


async def test_a_signal_during_its_start_is_lost_and_the_next_one_ends_it(model: Path) -> None:
    environment = os.environ | {"STANDIN_STARTUP_SECONDS": "600", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *command(model), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:

        async def loads() -> bool:
            return _catches(process.pid, signal.SIGTERM)

        await until(loads)
        process.send_signal(signal.SIGTERM)
        assert b"Lost a signal while loading" in await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_answers_carry_the_first_served_name(model: Path) -> None:
    with standin(model, "--served-model-name", "chat", "org/model") as engine:
        async with aiohttp.ClientSession() as session:
            status, text = await _post(session, engine.url, model="org/model")
    assert (status, json.loads(text)["model"]) == (200, "chat")


def test_it_starts_within_a_second_of_processor_time(model: Path) -> None:
    with standin(model) as engine:
        stat = Path(f"/proc/{engine.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        seconds = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    assert seconds < 1.0
