"""The command line and environment of an engine, from a layout. All values explicit.

Flags as the version of vLLM has them that the platform names (core/profile.py).
"""

import json
import math
from importlib.resources import files
from typing import Final

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.core.engines.lastanswer import drain_seconds
from escadre.core.profile import LANGUAGE_ONLY, SHUTDOWN_TIMEOUT, profile_for
from escadre.names import MODEL_MOUNT_PATH, SERVING_PORT
from escadre.settings import EngineSettings

__all__ = [
    "LOGGING_CONFIG",
    "MIDDLEWARE",
    "MIDDLEWARE_FILE",
    "MOUNT_PATH",
    "engine_args",
    "engine_env",
    "startup_seconds",
]

# Where the platform's own small files lie in an engine's pod.
MOUNT_PATH: Final = "/etc/escadre"
MIDDLEWARE_FILE: Final = "escadre_drain.py"
# What an engine's pod is given to leave without losing a request.
MIDDLEWARE: Final = (files("escadre") / "mounted" / MIDDLEWARE_FILE).read_text(encoding="utf-8")
# The kubelet reads the last 4 KiB; one record of a failed start has up to 8.
TERMINATION_LOG_BYTES: Final = 64 << 10

# vLLM's own explanation of a failed start ("estimated maximum model length is N") stands some 60
# lines before the end of its log; as an ERROR record in the termination log it reaches the
# container's status, so nobody needs to read pod logs. What the server's routes log stays out
# (vllm.entrypoints): a healthy engine has an ERROR for each 404 of a client, and one that dies a
# traceback for each request in flight, after the only one that says why. So does the dump of its
# whole configuration (vllm.logging_utils), 5 kB between the death of a worker and the end. At
# maxBytes the handler begins the file anew. With no backup it renames nothing, which the kubelet's
# mount would not allow; "." sets the mode of that opening.
# The time has its offset, so that core/engines/lastwords.py can tell old records from last words.
LOGGING_CONFIG: Final = json.dumps(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {
                "format": "%(levelname)s %(asctime)s %(message)s",
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            }
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "plain"},
            "termination": {
                "class": "logging.handlers.RotatingFileHandler",
                "filename": "/dev/termination-log",
                "maxBytes": TERMINATION_LOG_BYTES,
                "backupCount": 0,
                ".": {"mode": "w"},
                "formatter": "plain",
                "level": "ERROR",
            },
        },
        "loggers": {
            "vllm": {"handlers": ["console", "termination"], "level": "INFO", "propagate": False},
            **{
                name: {"handlers": ["console"], "level": "INFO", "propagate": False}
                for name in ("vllm.entrypoints", "vllm.logging_utils")
            },
        },
    },
    sort_keys=True,
)


def engine_args(
    layout: Layout, model: Architecture, deployment: str, repository: str, engine: EngineSettings
) -> list[str]:
    """Arguments after the image's entrypoint (``vllm serve``)."""
    profile = profile_for(engine.version).profile
    drain = drain_seconds(engine.drain_seconds, layout, model)
    tokenizer = "mistral" if model.tokenizer == "mistral" else "auto"
    native = "mistral" if model.format == "mistral" else "auto"
    load = "mistral" if model.format == "mistral" else "safetensors"
    return [
        MODEL_MOUNT_PATH,
        "--host=0.0.0.0",
        f"--port={SERVING_PORT}",
        "--served-model-name",
        deployment,
        repository,
        f"--tensor-parallel-size={layout.tensor_parallel_size}",
        f"--pipeline-parallel-size={layout.pipeline_parallel_size}",
        f"--max-model-len={layout.max_model_len}",
        f"--max-num-seqs={layout.max_num_seqs}",
        f"--max-num-batched-tokens={layout.max_num_batched_tokens}",
        f"--gpu-memory-utilization={layout.gpu_memory_utilization_percent / 100:.2f}",
        f"--tokenizer-mode={tokenizer}",
        f"--config-format={native}",
        f"--load-format={load}",
        *([f"{SHUTDOWN_TIMEOUT}={drain}"] if profile.has(SHUTDOWN_TIMEOUT) else []),
        "--middleware=escadre_drain.Drain",
        *([LANGUAGE_ONLY] if layout.text_only and profile.has(LANGUAGE_ONLY) else []),
        *engine.extra_args,
    ]


def engine_env(engine: EngineSettings) -> list[dict[str, str]]:
    """Offline, without telemetry, with every cache on a writable emptyDir."""
    fixed = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod's own
        "VLLM_CACHE_ROOT": "/tmp/vllm",  # noqa: S108 - the same
        "VLLM_LOGGING_CONFIG_PATH": f"{MOUNT_PATH}/logging.json",
        # For the middleware; what the platform chose comes after it.
        "PYTHONPATH": ":".join(filter(None, (MOUNT_PATH, engine.env.get("PYTHONPATH")))),
    }
    merged = {**engine.env, **fixed}
    return [{"name": name, "value": merged[name]} for name in sorted(merged)]


def startup_seconds(model: Architecture, engine: EngineSettings) -> int:
    """How long a start may take before it counts as failed: a base, and the weights to load."""
    return engine.startup_base_seconds + math.ceil(
        model.weight_bytes / engine.load_bytes_per_second
    )
