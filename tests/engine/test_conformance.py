"""What the operator relies on, said once and seen on both: the stand-in and the real vLLM.

The real one runs in the slow leg, ``pytest -m slow tests/engine``, where it is installed. Where the
two differ the stand-in is wrong.
"""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from e2e.engine.checkpoint import write_checkpoint
from tests.engine.broken import BROKEN
from tests.engine.engines import Kind, Running, engine
from tests.engine.talking import Talk

from escadre.clients.engine import KEPT_SECONDS
from escadre.clients.enginemetrics import scan
from escadre.core.engines.lastwords import cause_of
from escadre.core.scaling.demand import Work

_LENGTH = "--max-model-len=8192"
_LONG = 600  # tokens: more than a second of either
_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


@pytest.fixture(scope="module")
def serving(kind: Kind, model: Path) -> Iterator[Running]:
    """One for all tests that change nothing."""
    with engine(kind, model, _LENGTH) as running:
        running.wait_healthy()
        yield running


def _busy(
    running: Running, streams: tuple[bool, ...], tokens: int, patience: float = 120
) -> list[Any]:
    """Long requests in flight, all of which the engine knows of."""
    talk = Talk(running.url, patience)
    pool = ThreadPoolExecutor(len(streams))
    asked = [
        pool.submit(talk.chat, max_tokens=tokens, ignore_eos=True, stream=one) for one in streams
    ]
    running.wait(lambda: talk.in_flight() == len(streams), "all requests to be in flight")
    pool.shutdown(wait=False)
    return asked


def test_every_served_name_is_listed_and_answers_carry_the_first(serving: Running) -> None:
    talk = Talk(serving.url)
    cards = talk.get("/v1/models").json()["data"]
    assert [(one["id"], one["max_model_len"]) for one in cards] == [
        ("assistant", 8192),
        ("org/Tiny", 8192),
    ]
    answer = talk.chat(model="org/Tiny", max_tokens=3, ignore_eos=True)
    assert (answer.status, answer.json()["model"]) == (200, "assistant")
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert answer.json()["usage"]["completion_tokens"] == 3
    names = set(re.findall(r'model_name="([^"]*)"', talk.get("/metrics").text))
    assert names == {"assistant"}


def test_a_stream_ends_with_its_usage_and_done(serving: Running) -> None:
    usage = {"include_usage": True}
    talk = Talk(serving.url)
    answer = talk.chat(max_tokens=3, ignore_eos=True, stream=True, stream_options=usage)
    *events, last = answer.text.rstrip().split("\n\n")
    told = [json.loads(event.removeprefix("data: ")) for event in events]
    assert last == "data: [DONE]"
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert told[-2]["choices"][0]["finish_reason"] == "length"
    assert (told[-1]["choices"], told[-1]["usage"]["completion_tokens"]) == ([], 3)


@pytest.mark.parametrize(
    ("more", "status", "parameter", "words"),
    [
        pytest.param(
            {"model": "nope"}, 404, "model", "The model `nope` does not exist.", id="model"
        ),
        pytest.param({"messages": None}, 400, "body.messages", "", id="no-messages"),
        pytest.param({"max_tokens": "x"}, 400, "body.max_tokens", "integer", id="not-a-number"),
        pytest.param({"max_tokens": 0}, 400, "max_tokens", "must be at least 1, got 0.", id="none"),
        pytest.param(
            {"max_tokens": 9000}, 400, "max_tokens", "max_tokens=9000 cannot be", id="too-many"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": "lantern " * 20_000}]},
            400,
            "input_tokens",
            "This model's maximum context length is 8192 tokens.",
            id="too-long",
        ),
    ],
)
def test_what_is_refused(
    serving: Running, more: dict[str, Any], status: int, parameter: str, words: str
) -> None:
    answer = Talk(serving.url).chat(**more)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == (status, status, parameter)
    assert words in error["message"]


def test_a_request_that_its_client_gives_up_is_counted_nowhere(serving: Running) -> None:
    """Its tokens are; not that it ended, and no time of it, though there is a reason "abort"."""
    talk = Talk(serving.url)

    def told() -> Work:
        work = scan(talk.get("/metrics").text.encode()).work
        assert work is not None
        return work

    before = told()
    gone = Talk(serving.url, patience=1.5).chat(max_tokens=8000, ignore_eos=True)
    assert gone.status == 0
    serving.wait(lambda: talk.in_flight() == 0, "the request to be dropped")
    after = told()
    assert (after.generation_tokens or 0) > (before.generation_tokens or 0)
    assert (after.answered, after.prefill) == (before.answered, before.prefill)


def test_what_clients_do_wrong_is_none_of_its_last_words(serving: Running) -> None:
    talk = Talk(serving.url)
    assert talk.chat(model="nope").status == 404
    serving.wait(lambda: "`nope`" in serving.log.read_text(), "the record of a 404")
    assert serving.message.read_text() == ""


def test_a_kept_connection_is_closed_when_nothing_is_asked_for_five_seconds(
    serving: Running,
) -> None:
    talk = Talk(serving.url)
    kept = talk.connection()
    began = time.monotonic()
    assert talk.get("/metrics", kept).status == 200
    assert "connection" not in talk.get("/metrics", kept).headers
    assert kept.sock.recv(1) == b""
    # The leader, which keeps one for less, hangs up first.
    assert KEPT_SECONDS < time.monotonic() - began < 8
    kept.close()


def test_a_drain_ends_what_is_in_flight_and_lingers(kind: Kind, model: Path) -> None:
    with engine(kind, model, _LENGTH, "--shutdown-timeout=60") as running:
        running.wait_healthy()
        talk = Talk(running.url)
        kept = talk.connection()
        assert talk.get("/health", kept).status == 200
        asked = _busy(running, (True, False, True, False), _LONG)
        running.told()
        running.wait(lambda: talk.chat(max_tokens=1).status == 500, "new requests to be refused")
        refused = talk.chat(kept)
        assert refused.status == 500
        assert refused.json()["error"]["message"] == "cannot schedule new futures after shutdown"
        # Closed, and no header has said so: a client learns it by its next request.
        assert "connection" not in refused.headers
        kept.auto_open = False
        with pytest.raises(OSError):  # noqa: PT011 - reset or not there any more
            talk.get("/health", kept)
        kept.close()
        assert running.healthy()
        answers = [one.result() for one in asked]
        last = time.monotonic()
        assert all('"finish_reason":"length"' in one.text for one in answers), answers
        assert running.end() == 0
        assert 3 < time.monotonic() - last < 20


@pytest.mark.parametrize("streams", [(True,), (True, False)], ids=["one", "several"])
def test_what_a_drain_cuts_is_never_an_answer_and_it_ends_when_its_clients_have_left(
    kind: Kind, model: Path, streams: tuple[bool, ...]
) -> None:
    with engine(kind, model, _LENGTH, "--shutdown-timeout=1") as running:
        running.wait_healthy()
        asked = _busy(running, streams, 10 * _LONG, patience=20 if kind.real else 3)
        running.told()
        answers = [one.result() for one in asked]
        assert running.end() == 0
    # Some have nothing, or the end of a stream: neither its status nor [DONE] proves anything.
    assert not any('"finish_reason":"length"' in one.text for one in answers)


def test_a_signal_while_it_loads_is_lost(kind: Kind, model: Path) -> None:
    environment = {"STANDIN_STARTUP_SECONDS": "2", "STANDIN_LINGER_SECONDS": "0"}
    with engine(kind, model, _LENGTH, environment=environment) as running:
        running.wait(running.core, "its core")
        running.wait(lambda: running.catches(signal.SIGTERM), "it to catch a signal")
        assert running.health() == 0  # nobody listens while it loads
        running.told()
        running.wait_healthy()
        running.told()
        assert running.end() == 0


def test_it_ends_with_0_when_its_core_has_died(kind: Kind, model: Path) -> None:
    with engine(kind, model, _LENGTH, "--shutdown-timeout=60") as running:
        running.wait_healthy()
        talk = Talk(running.url)
        asked = _busy(running, (True, True, False), 10 * _LONG)
        os.kill(running.core(), signal.SIGKILL)
        seen = {running.health()}
        while running.process.poll() is None:
            seen.add(running.health())
        answers = [one.result() for one in asked]
        assert running.end() == 0
        assert 503 in seen
        assert [one.status for one in answers] == [200, 200, 500]
        assert all(one.text.endswith("data: [DONE]\n\n") for one in answers[:2])
        assert all(_DEAD in one.text for one in answers)
        assert talk.chat().status == 0
        # One record, however many requests were in flight: the words of the core stay in sight.
        assert running.last_words().count("Traceback (most recent call last)") == 1
        assert cause_of(running.last_words()).endswith(f"EngineDeadError: {_DEAD}")


@pytest.mark.parametrize(
    ("wrong", "flags", "status", "words"),
    [
        pytest.param(
            "nothing",
            ("--no-such-flag=1",),
            2,
            r"^[a-z. ]+: error: unrecognized arguments: --no-such-flag=1$",
            id="flag",
        ),
        pytest.param(
            "params",
            (_LENGTH,),
            1,
            r"^Error parsing config for FOLDER: Failed to load mistral 'params\.json' config",
            id="params",
        ),
        pytest.param(
            "tokenizer", (_LENGTH,), 1, r"^ValueError: No tokenizer file found\.$", id="tokenizer"
        ),
        pytest.param(
            "weights",
            (_LENGTH,),
            1,
            "^RuntimeError: Cannot find any model weights with `FOLDER`$",
            id="weights",
        ),
        pytest.param(
            "cut-weights",
            (_LENGTH,),
            1,
            r"SafetensorError: Error while deserializing header: incomplete metadata, file not "
            "fully covered$",
            id="cut-weights",
        ),
        pytest.param(
            "shard",
            (_LENGTH,),
            1,
            r"^ValueError: Following weights were not initialized from checkpoint: "
            r"\{.*'model\.norm\.weight'",
            id="shard",
        ),
        pytest.param(
            "vocabulary",
            (_LENGTH,),
            1,
            r"^AssertionError: assert loaded_weight\.shape\[output_dim\] == self\.org_vocab_size$",
            id="vocabulary",
        ),
        pytest.param(
            "nothing",
            ("--max-model-len=65536",),
            1,
            r"ValidationError: 1 validation error for ModelConfig: Value error, User-specified "
            r"max_model_len \(65536\) is greater than the derived max_model_len "
            r"\(max_position_embeddings=32768\.0 .*\.$",
            id="longer-than-the-model",
        ),
        pytest.param(
            "long-context",
            ("--max-model-len=1048576",),
            1,
            r"^ValueError: To serve at least one request with the model's max seq len \(1048576\), "
            r"\(2\.\d+ GiB KV cache is needed, .* the estimated maximum model length is \d+\. ",
            id="longer-than-the-memory",
        ),
        pytest.param(
            "nothing",
            (_LENGTH, "--tensor-parallel-size=3"),
            1,
            r"Total number of attention heads \(8\) must be divisible by tensor parallel size "
            r"\(3\)\.$",
            id="heads",
        ),
    ],
)
def test_why_a_start_fails_is_told_by_its_last_words(
    kind: Kind, tmp_path: Path, wrong: str, flags: tuple[str, ...], status: int, words: str
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    BROKEN[wrong](folder)
    with engine(kind, folder, *flags) as running:
        assert running.end() == status, running.tail()
        cause = cause_of(running.last_words())
    assert re.search(words.replace("FOLDER", re.escape(str(folder))), cause), cause


def test_the_tokenizer_of_another_model_is_served(kind: Kind, tmp_path: Path) -> None:
    """The real one does not compare: who approves a model has to."""
    folder = write_checkpoint(tmp_path / "model")
    BROKEN["tokenizer-of-another-model"](folder)
    with engine(kind, folder, _LENGTH) as running:
        running.wait_healthy()
