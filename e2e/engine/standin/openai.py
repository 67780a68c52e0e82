"""OpenAI's wire format as vLLM 0.32 speaks it: requests checked, answers and errors shaped.

Pure; called by ``server.py``. Prompts are counted at four bytes a token, near enough for limits;
answers are words chosen by the prompt's digest, so the same prompt has the same answer.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "ApiError",
    "Wish",
    "body",
    "chunk",
    "error_body",
    "model_list",
    "parse_wish",
    "text_of",
    "usage_chunk",
]

_FINGERPRINT: Final = "vllm-0.32.0-standin"
_BYTES_PER_TOKEN: Final = 4
_CHAT_OVERHEAD: Final = 4  # control tokens around a chat's messages
_NATURAL_LENGTH: Final = 32
# fmt: off
_WORDS: Final = (
    "anchor", "bow", "buoy", "cable", "captain", "chart", "compass", "course", "crew", "current",
    "deck", "depth", "escort", "fathom", "flag", "fleet", "fog", "gale", "harbour", "helm",
    "hull", "island", "keel", "knot", "lantern", "latitude", "league", "lookout", "mast",
    "north", "oar", "pilot", "port", "quay", "reef", "rigging", "rope", "rudder", "sail",
    "signal", "sound", "squadron", "stern", "storm", "strait", "tide", "torch", "vessel",
    "voyage", "watch", "wave", "wind", "yard",
)
# fmt: on


class ApiError(Exception):
    """An answer other than 200, with vLLM's words."""

    def __init__(self, status: int, message: str, kind: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Wish:
    """A checked request."""

    chat: bool
    model: str
    prompt: str
    prompt_tokens: int
    max_tokens: int
    end: str  # finish_reason when max_tokens are reached
    stream: bool
    include_usage: bool


def parse_wish(raw: bytes, *, chat: bool, names: tuple[str, ...], max_model_len: int) -> Wish:
    """Check a request body; ``ApiError`` with vLLM's status and message if it is not served."""
    request = _object(raw)
    field = "messages" if chat else "prompt"
    if field not in request:
        raise _invalid({"type": "missing", "loc": f"body.{field}", "msg": "Field required"})
    model = request.get("model") or names[0]
    if model not in names:
        message = f"The model `{model}` does not exist. Valid aliases: {', '.join(names)}."
        raise ApiError(404, message, "NotFoundError", "model")
    prompt = _chat_text(request["messages"]) if chat else str(request["prompt"])
    prompt_tokens = -(-len(prompt.encode()) // _BYTES_PER_TOKEN) + _CHAT_OVERHEAD * chat
    if prompt_tokens > max_model_len:
        raise _refused(
            f"This model's maximum context length is {max_model_len} tokens. However, your prompt "
            f"contains {prompt_tokens} input tokens, which exceeds this limit even without any "
            "output tokens. Please reduce the length of the input prompt.",
            "input_tokens",
            prompt_tokens,
        )
    asked = request.get("max_completion_tokens") if chat else None
    asked = request.get("max_tokens") if asked is None else asked
    options = request.get("stream_options") or {}
    return Wish(
        chat=chat,
        model=names[0],  # answers carry the first name only, whichever was asked for
        prompt=prompt,
        prompt_tokens=max(1, prompt_tokens),
        max_tokens=_max_tokens(asked, prompt_tokens, max_model_len),
        end="stop" if asked is None else "length",
        stream=bool(request.get("stream")),
        include_usage=bool(options.get("include_usage")),
    )


def text_of(wish: Wish, begin: int, end: int) -> str:
    """The answer's tokens from ``begin`` up to ``end``: one word each."""
    seed = hashlib.sha256(wish.prompt.encode()).digest()
    words = []
    for index in range(begin, end):
        word = _WORDS[(seed[index % 32] + index // 32) % len(_WORDS)]
        words.append(word if index == 0 else f" {word}")
    return "".join(words)


def body(wish: Wish, identifier: str, tokens: int, finish_reason: str) -> dict[str, Any]:
    """The answer to a request without streaming."""
    text = text_of(wish, 0, tokens)
    choice: dict[str, Any] = {"index": 0}
    if wish.chat:
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": None}
        choice["message"] = message | {"audio": None, "function_call": None, "reasoning": None}
    else:
        choice["text"] = text
    choice |= {"logprobs": None, "finish_reason": finish_reason, "stop_reason": None}
    return {
        **_head(wish, identifier, "chat.completion"),
        "choices": [choice],
        "service_tier": None,
        "system_fingerprint": _FINGERPRINT,
        "usage": _usage(wish, tokens) | {"prompt_tokens_details": None},
        "prompt_logprobs": None,
        "kv_transfer_params": None,
    }


def chunk(
    wish: Wish, identifier: str, text: str | None, finish_reason: str | None = None
) -> dict[str, Any]:
    """One event of a stream; without a text the first one, which names the role."""
    choice: dict[str, Any] = {"index": 0}
    if wish.chat:
        first = {"role": "assistant", "content": ""}
        choice["delta"] = first if text is None else {"content": text}
    else:
        choice["text"] = text or ""
    choice |= {"logprobs": None, "finish_reason": finish_reason}
    if finish_reason is not None:
        choice["stop_reason"] = None
    return {**_head(wish, identifier, "chat.completion.chunk"), "choices": [choice]}


def usage_chunk(wish: Wish, identifier: str, tokens: int) -> dict[str, Any]:
    """The event before [DONE] of a stream that asked for its usage."""
    head = _head(wish, identifier, "chat.completion.chunk")
    return {**head, "choices": [], "usage": _usage(wish, tokens)}


def error_body(error: ApiError) -> dict[str, Any]:
    """An error object as vLLM writes it."""
    return {
        "error": {
            "message": str(error),
            "type": error.kind,
            "param": error.parameter,
            "code": error.status,
        }
    }


def model_list(names: tuple[str, ...], root: str, max_model_len: int) -> dict[str, Any]:
    """The answer of /v1/models."""
    cards: list[dict[str, Any]] = [
        {
            "id": name,
            "object": "model",
            "created": int(time.time()),
            "owned_by": "vllm",
            "root": root,
            "parent": None,
            "max_model_len": max_model_len,
            "permission": [],
        }
        for name in names
    ]
    return {"object": "list", "data": cards}


def _object(raw: bytes) -> dict[str, Any]:
    try:
        request = json.loads(raw)
    except ValueError as error:
        reason = {"type": "json_invalid", "loc": "body.1", "msg": "JSON decode error"}
        raise _invalid(reason | {"ctx": str(error)}) from error
    if not isinstance(request, dict):
        raise _invalid({"type": "model_attributes_type", "loc": "body", "msg": "Not an object"})
    return request


def _chat_text(messages: Any) -> str:
    if not isinstance(messages, list) or not all(isinstance(item, dict) for item in messages):
        raise _invalid({"type": "list_type", "loc": "body.messages", "msg": "Not a list"})
    parts = []
    for message in messages:
        content = message.get("content") or ""
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content)
        parts.append(f"{message.get('role')}: {content}")
    return "\n".join(parts)


def _max_tokens(asked: Any, prompt_tokens: int, max_model_len: int) -> int:
    room = max_model_len - prompt_tokens
    if asked is None:
        return max(1, min(_NATURAL_LENGTH, room))
    if not isinstance(asked, int):
        raise _invalid({"type": "int_type", "loc": "body.max_tokens", "msg": "Not an integer"})
    if asked < 1:
        raise _refused(f"max_tokens must be at least 1, got {asked}.", "max_tokens", asked)
    if asked > max_model_len:
        raise _refused(
            f"max_tokens={asked} cannot be greater than max_model_len={max_model_len}. "
            "Please request fewer output tokens.",
            "max_tokens",
            asked,
        )
    return max(1, min(asked, room))


def _refused(message: str, parameter: str, value: int) -> ApiError:
    text = f"{message} (parameter={parameter}, value={value})"
    return ApiError(400, text, "BadRequestError", parameter)


def _invalid(reason: dict[str, str]) -> ApiError:
    return ApiError(400, f"1 validation error:\n  {reason}", "Bad Request", reason["loc"])


def _head(wish: Wish, identifier: str, kind: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "object": kind if wish.chat else "text_completion",
        "created": int(time.time()),
        "model": wish.model,
    }


def _usage(wish: Wish, tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": wish.prompt_tokens,
        "total_tokens": wish.prompt_tokens + tokens,
        "completion_tokens": tokens,
    }
