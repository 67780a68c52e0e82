"""How a start fails, in vLLM's form: thousands of bytes of traceback around the line that matters.

What the server itself finds stands on stderr only. What the engine core or its worker finds is an
ERROR record under ``vllm`` first, of one process or of both, so it reaches a termination log; after
it the server ends with words that are the same for every cause. Called by ``__main__``.
"""

import logging
import sys
from typing import Final

from typing_extensions import override

__all__ = [
    "DEAD",
    "ConfigError",
    "CoreError",
    "StartError",
    "WorkerError",
    "tell",
    "told_dead",
]

_PACKAGES: Final = "/usr/local/lib/python3.12/dist-packages/vllm"
_SERVER: Final = (
    ("entrypoints/cli/main.py", "main", "args.dispatch_function(args)"),
    ("entrypoints/cli/serve.py", "cmd", "uvloop.run(run_server(args))"),
    ("entrypoints/launchers/api_server/entry.py", "run_server", "await run_server_worker("),
    ("entrypoints/launchers/api_server/entry.py", "run_server_worker", "async with build_client("),
    ("v1/engine/async_llm.py", "from_vllm_config", "return cls("),
    ("v1/engine/async_llm.py", "__init__", "self.engine_core = make_async_mp_client("),
)
_CORE: Final = (
    ("v1/engine/core.py", "run_engine_core", "engine_core = EngineCoreProc(*args, **kwargs)"),
    ("tracing/otel.py", "sync_wrapper", "return func(*args, **kwargs)"),
    ("v1/engine/core.py", "__init__", "super().__init__("),
    ("v1/engine/core.py", "__init__", "self.model_executor = executor_class(vllm_config)"),
    ("tracing/otel.py", "sync_wrapper", "return func(*args, **kwargs)"),
    ("v1/executor/abstract.py", "__init__", "self._init_executor()"),
    (
        "v1/executor/multiproc_executor.py",
        "_init_executor",
        "self.workers = wait_for_ready()",
    ),
    ("v1/executor/multiproc_executor.py", "wait_for_ready", "raise e from None"),
)
_WORKER: Final = (
    ("v1/executor/multiproc_executor.py", "worker_main", "worker = WorkerProc(*args, **kwargs)"),
    ("v1/executor/multiproc_executor.py", "__init__", "self.worker.load_model()"),
    ("v1/worker/gpu_worker.py", "load_model", "self.model_runner.load_model(load_dummy_weights)"),
    ("model_executor/model_loader/__init__.py", "get_model", "return loader.load_model("),
    *(
        ("tracing/otel.py", "sync_wrapper", "return func(*args, **kwargs)"),
        (
            "model_executor/models/utils.py",
            "_load_module",
            "for prefix, group in grouped:",
        ),
        ("model_executor/models/utils.py", "apply", "for name, data in weights:"),
    )
    * 6,
)

_STREAM: Final = (
    ("entrypoints/openai/chat_completion/serving.py", "stream_generator", "async for res in gen:"),
    ("v1/engine/async_llm.py", "generate", "out = q.get_nowait() or await q.get()"),
    ("v1/engine/output_processor.py", "get", "raise output"),
    ("v1/engine/async_llm.py", "output_handler", "outputs = await core.get_output_async()"),
    ("v1/engine/core_client.py", "get_output_async", "raise self._format_exception(outputs)"),
)
DEAD: Final = "EngineCore encountered an issue. See stack trace (above) for the root cause."

_log = logging.getLogger("vllm.v1.engine.core")
_worker_log = logging.getLogger("vllm.v1.executor.multiproc_executor")


class StartError(Exception):
    """Why vLLM does not start: found by its server while it reads files, said on stderr only."""

    def __init__(self, message: str, kind: str = "ValueError", source: str = "raise") -> None:
        super().__init__(message)
        self.kind = kind
        self.source = source  # the last line of code of its traceback

    def line(self) -> str:
        """The last line of its traceback."""
        return f"{self.kind}: {self}" if str(self) else self.kind


class ConfigError(StartError):
    """The same, found while it checks its configuration: told as a validation error."""

    def __init__(self, message: str, kind: str = "ModelConfig") -> None:
        super().__init__(message, kind)

    @override
    def line(self) -> str:
        """Three lines: what matters is the second one."""
        return (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for "
            f"{self.kind}\n  Value error, {self} [type=value_error, input_value=ArgsKwargs((), "
            "{'model': ...nderer_num_workers': 1}), input_type=ArgsKwargs]\n"
            "    For further information visit https://errors.pydantic.dev/2.14/v/value_error"
        )


class CoreError(StartError):
    """Found by its engine core."""


class WorkerError(StartError):
    """Found by a worker of the engine core while it loads the weights."""


def tell(error: StartError) -> None:
    """Log and print it as the processes of vLLM do, one after the other."""
    last = error
    if isinstance(error, WorkerError):
        _worker_log.error("WorkerProc failed to start.\n%s", _traceback(_WORKER, error))
        words = "WorkerProc initialization failed due to an exception in a background process. "
        last = CoreError(f"{words}See stack trace for root cause.", "Exception")
    if isinstance(last, CoreError):
        _log.error("EngineCore failed to start.\n%s", _traceback(_CORE, last))
        words = "Engine core initialization failed. See root cause above. "
        last = StartError(f"{words}Failed core proc(s): {{'EngineCore': 1}}", "RuntimeError")
    print(_traceback(_SERVER, last), file=sys.stderr)


def told_dead() -> str:
    """The traceback of who meets an engine core that is gone: it names no cause."""
    return _traceback(_STREAM, StartError(DEAD, "vllm.v1.engine.exceptions.EngineDeadError"))


def _traceback(frames: tuple[tuple[str, str, str], ...], error: StartError) -> str:
    lines = ["Traceback (most recent call last):"]
    for number, (file, function, code) in enumerate((*frames, (*frames[-1][:2], error.source))):
        lines += [
            f'  File "{_PACKAGES}/{file}", line {100 + 37 * number}, in {function}',
            f"    {code}",
            f"    {'^' * len(code)}",
        ]
    return "\n".join([*lines, error.line()])
