"""core/engines/lastwords.py: which line of an engine's last words tells why it ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.engines.lastwords import cause_of, ended

FRAMES = "\n".join(
    f'  File "/usr/lib/python3/dist-packages/vllm/v1/part{n}.py", line {n}, in run\n    go({n})'
    for n in range(20)
)
WRAPPER = (
    "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. "
    "Failed core proc(s): {}"
)
WORKER = (
    "RuntimeError: WorkerProc initialization failed due to an exception in a background process."
)
TOO_LONG = (
    "ValueError: To serve at least one request with the model's max seq len (65536), (8.0 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (3.5 GiB). Based on the "
    "available memory, the estimated maximum model length is 28672. Try decreasing it."
)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        pytest.param("", "", id="nothing-was-said"),
        pytest.param("  \n\n", "", id="only-blanks"),
        pytest.param("Killed\n", "Killed", id="no-line-tells-so-the-last-one"),
        pytest.param(
            f'ess.py", line 4, in x\n{FRAMES}\n{TOO_LONG}', TOO_LONG, id="last-line-of-a-traceback"
        ),
        pytest.param(
            f"ERROR 2026-11-27 09:00:00,123 EngineCore failed to start.\nTraceback (most recent "
            f"call last):\n{FRAMES}\n{TOO_LONG}\n{WRAPPER}",
            TOO_LONG,
            id="before-the-wrapper-of-every-failed-start",
        ),
        pytest.param(
            "(EngineCore_DP0 pid=77) ERROR 11-27 09:00:00 [core.py:866] torch.OutOfMemoryError: "
            f"CUDA out of memory. Tried to allocate 2.00 GiB.\n{WORKER}\n{WRAPPER}",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            id="before-both-wrappers-with-the-loggers-prefix",
        ),
        pytest.param(
            f"RuntimeError: NCCL error: unhandled system error\n{WRAPPER}\n"
            "OSError: [Errno 9] Bad file descriptor",
            "RuntimeError: NCCL error: unhandled system error",
            id="not-what-breaks-while-it-cleans-up",
        ),
        pytest.param(WRAPPER, WRAPPER.partition(") ")[2], id="a-wrapper-alone-is-all-there-is"),
        pytest.param(
            f"ValueError: one of the first\n{FRAMES}\nKeyError: 'layers.0.weight'",
            "KeyError: 'layers.0.weight'",
            id="the-last-of-several",
        ),
        pytest.param(
            f"{FRAMES}\nAssertionError\n{WRAPPER}", "AssertionError", id="an-error-without-words"
        ),
        pytest.param(
            "usage: vllm serve [model_tag] [options]\n"
            "vllm serve: error: unrecognized arguments: --no-such-flag",
            "vllm serve: error: unrecognized arguments: --no-such-flag",
            id="a-flag-that-the-parser-refuses",
        ),
        pytest.param(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, User-specified max_model_len (90000) is greater than 32768\n"
            "    For further information visit https://errors.example/value_error",
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig: "
            "Value error, User-specified max_model_len (90000) is greater than 32768",
            id="what-a-validation-error-says-below-its-count",
        ),
        pytest.param(
            f"{TOO_LONG}\nRuntimeError: rank 1 left\n{WRAPPER}",
            f"RuntimeError: rank 1 left; {TOO_LONG}",
            id="the-length-that-fits-is-never-left-out",
        ),
        pytest.param(
            "    raise ValueError: not at the start of a line\nOSError: address already in use",
            "OSError: address already in use",
            id="source-lines-of-a-traceback-tell-nothing",
        ),
        pytest.param(
            "RuntimeError: CUDA error: an illegal memory access\n"
            "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See "
            "stack trace (above) for the root cause.",
            "RuntimeError: CUDA error: an illegal memory access",
            id="a-death-at-run-time",
        ),
        pytest.param(
            "ERROR 2026-11-27T09:00:00+0000 Worker proc VllmWorker-0 died unexpectedly (exit code: "
            "-9), shutting down executor.\nERROR 2026-11-27T09:00:00+0000 EngineCore encountered a "
            f"fatal error.\nTraceback (most recent call last):\n{FRAMES}\nRuntimeError: cancelled",
            "Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.",
            id="a-worker-that-was-killed-and-not-who-missed-it",
        ),
        pytest.param(
            "torch.OutOfMemoryError: CUDA out of memory\nWorker proc VllmWorker-1 died "
            "unexpectedly (exit code: 1), shutting down executor.\nRuntimeError: cancelled",
            "torch.OutOfMemoryError: CUDA out of memory",
            id="what-a-worker-said-before-it-died",
        ),
        pytest.param(
            f"{FRAMES}\n    assert loaded.shape[0] == self.size\n           ^^^^^^^^^^^^\n"
            f"AssertionError\n{WRAPPER}",
            "AssertionError: assert loaded.shape[0] == self.size",
            id="an-assertion-without-words-by-its-code",
        ),
        pytest.param(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n"
            "  Value error, 8 heads are not divisible by 3. [type=value_error, input_value="
            "ArgsKwargs((), {'m': 1}), input_type=ArgsKwargs]\n    For further information visit x",
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig: "
            "Value error, 8 heads are not divisible by 3.",
            id="without-what-a-validator-was-given",
        ),
        pytest.param(
            "ERROR 2026-11-27 09:00:00,1 Error with model error=ErrorInfo(message='no nope')\n"
            "ERROR 2026-11-27 09:30:00,1 RuntimeError: a GPU fell off the bus",
            "RuntimeError: a GPU fell off the bus",
            id="not-the-404-of-a-client",
        ),
    ],
)
def test_the_cause_of_an_end(message: str, cause: str) -> None:
    assert cause_of(message) == cause


@given(st.text(max_size=400), st.integers(0, 400))
def test_a_telling_line_is_found_whole_whatever_stands_before_it(noise: str, cut: int) -> None:
    assert cause_of(f"{noise}\n{FRAMES[cut:]}\n{TOO_LONG}\n{WRAPPER}") == TOO_LONG


@pytest.mark.parametrize(
    ("terminated", "seconds", "restarts", "words"),
    [
        pytest.param(
            (1, "Error", f"{FRAMES}\nValueError: x\n{WRAPPER}"),
            9.0,
            3,
            "exited with 1, 3 restarts: ValueError: x",
            id="failed-start",
        ),
        pytest.param((1, "Error", ""), 9.0, 1, "exited with 1, 1 restart: Error", id="wordless"),
        pytest.param(
            (0, "Completed", "RuntimeError: CUDA error"),
            720.0,
            7,
            "ended by itself with exit code 0 after 12m00s, as an engine does that dies at run "
            "time, 7 restarts: RuntimeError: CUDA error",
            id="died-at-run-time",
        ),
        pytest.param(
            (0, "Completed", ""),
            0.0,
            1,
            "ended by itself with exit code 0, as an engine does that dies at run time, "
            "1 restart: it left no words",
            id="died-without-words",
        ),
        pytest.param(
            (137, "OOMKilled", "ValueError: of an hour ago"),
            5.0,
            2,
            "exited with 137, 2 restarts: OOMKilled: it used more than its memory limit",
            id="out-of-memory",
        ),
        pytest.param(
            (137, "Error", "ValueError: of an hour ago"),
            5.0,
            2,
            "exited with 137, 2 restarts: SIGKILL: not for its memory, or it would say OOMKilled, "
            "so by its node, after a failed health check or a stop that took too long, or by hand",
            id="killed",
        ),
    ],
)
def test_how_a_container_ended(
    terminated: tuple[int, str, str], seconds: float, restarts: int, words: str
) -> None:
    assert ended(terminated, (100.0, 100.0 + seconds), restarts) == words
