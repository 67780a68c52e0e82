"""vLLM 0.32's command line: knows every real flag, keeps the few that the stand-in obeys.

``vllm-0.32-flags.txt`` beside this file was read from vLLM's own parser, so a flag that the
operator would misspell ends here as it would there: a message and exit status 2. The beginning of a
name stands for the name, and ``--flag.key=value`` for an object in JSON, as there. Called by
``__main__``; it must not look at the model folder.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

__all__ = ["AUTO", "Options", "make_parser", "parse_flags", "parse_words"]

AUTO: Final = -1
_TABLE: Final = "vllm-0.32-flags.txt"
_DECIMAL: Final = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_BLOCK_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Options:
    """What the stand-in needs of the command line; ``None`` where vLLM would choose."""

    model: str
    host: str
    port: int
    tensor_parallel_size: int
    pipeline_parallel_size: int
    max_model_len: int | None
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    served_model_names: tuple[str, ...]
    config_format: str
    load_format: str
    tokenizer_mode: str
    kv_cache_dtype: str
    block_size: int
    shutdown_timeout: int
    middleware: tuple[str, ...] = ()


def parse_flags(arguments: Sequence[str]) -> Options:
    """Options of ``[serve] [MODEL] …flags``; argparse's message and exit 2 if vLLM would."""
    parsed = parse_words(arguments)
    model = parsed["model_tag"] or parsed["model"] or ""
    if not model:
        make_parser().error("the following arguments are required: model_tag")
    return Options(
        model=model,
        host=parsed["host"] or "0.0.0.0",
        port=parsed["port"] if parsed["port"] is not None else 8000,
        tensor_parallel_size=parsed["tensor_parallel_size"] or 1,
        pipeline_parallel_size=parsed["pipeline_parallel_size"] or 1,
        max_model_len=None if parsed["max_model_len"] == AUTO else parsed["max_model_len"],
        max_num_seqs=parsed["max_num_seqs"] or 256,
        max_num_batched_tokens=parsed["max_num_batched_tokens"] or 8192,
        gpu_memory_utilization=parsed["gpu_memory_utilization"] or 0.92,
        served_model_names=tuple(parsed["served_model_name"] or (model,)),
        config_format=parsed["config_format"] or "auto",
        load_format=parsed["load_format"] or "auto",
        tokenizer_mode=parsed["tokenizer_mode"] or "auto",
        kv_cache_dtype=parsed["kv_cache_dtype"] or "auto",
        block_size=parsed["block_size"] or _BLOCK_SIZE,
        shutdown_timeout=parsed["shutdown_timeout"] or 0,
        middleware=tuple(parsed["middleware"] or ()),
    )


def parse_words(arguments: Sequence[str]) -> dict[str, Any]:
    """Every flag's value, ``None`` where it is not given; objects as they were written."""
    words = [_dashed(word) for word in arguments]
    if words[:1] == ["serve"]:
        words = words[1:]
    return vars(make_parser().parse_args(_joined(words)))


def _dashed(word: str) -> str:
    """In vLLM --max_model_len is the same flag as --max-model-len."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    flag, dot, keys = name.partition(".")
    return flag.replace("_", "-") + dot + keys + equals + value


def _joined(words: list[str]) -> list[str]:
    """Words like --flag.key=value as one --flag with an object, after all other words."""
    rest: list[str] = []
    objects: dict[str, dict[str, Any]] = {}
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        if not (name.startswith("--") and "." in name):
            rest.append(word)
            continue
        flag, *keys = name.split(".")
        place = objects.setdefault(flag, {})
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value if equals else next(waiting, "")
    return [*rest, *(word for flag in objects for word in (flag, json.dumps(objects[flag])))]


def make_parser() -> argparse.ArgumentParser:
    """Every flag of the table."""
    parser = argparse.ArgumentParser(prog="vllm serve", usage="vllm serve [model_tag] [options]")
    parser.add_argument("model_tag", nargs="?")
    table = (files(__package__) / _TABLE).read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            _add(parser, line)
    return parser


def _add(parser: argparse.ArgumentParser, line: str) -> None:
    names_text, kind, *choices = line.split(" ")
    names = names_text.split(",")
    negated = [name for name in names if name.startswith("--no-")]
    if kind == "0":
        positive = [name for name in names if name not in negated]
        dest = positive[0].removeprefix("--").replace("-", "_")
        parser.add_argument(*positive, dest=dest, action="store_true", default=None)
        if negated:
            parser.add_argument(*negated, dest=dest, action="store_false", default=None)
        return
    if names == ["--middleware"]:
        parser.add_argument(*names, action="append")
        return
    types: dict[str, Any] = {"int": int, "float": float, "size": _size}
    settings: dict[str, Any] = {"type": types.get(kind, str)}
    if kind in ("?", "+"):
        settings["nargs"] = kind
    if choices:
        settings["choices"] = [settings["type"](word) for word in choices[0].split(",")]
    parser.add_argument(*names, **settings)


def _size(word: str) -> int:
    """Counts as people write them: 8192, 8k (8,000), 8K (8,192), auto."""
    if word == "auto":
        return AUTO
    factor = _DECIMAL.get(word[-1:]) or _BINARY.get(word[-1:])
    if factor is None:
        return int(word)
    return int(float(word[:-1]) * factor)
