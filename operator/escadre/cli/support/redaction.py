"""What may leave the house: objects and texts without credentials. Pure; has a property test.

Taken out are values whose name says that they are secret, credentials and queries of URLs, what
looks like a token by its form, values of environment variables but for those that Escadre sets
itself, annotations of others, and every line that names a prompt. A value that was found under a
secret's name is taken out wherever else it stands, too.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from escadre.names import ANNOTATION_TEMPLATE, GROUP

__all__ = ["REMOVED", "Redactor", "secrets_in"]

REMOVED: Final = "(redacted)"
_PROMPT_LINE: Final = "(a line that may hold a prompt was left out)"
_SHORTEST: Final = 6  # a shorter value would be found in every second word

_WORDS: Final = (
    r"(?:pass(?:word|wd|phrase)|pwd|token|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|signature[_-]?key|[_-]key|authorization|cookie|credentials?)"
)
_NAME: Final = re.compile(rf"(?i){_WORDS}$")
_FLAG: Final = re.compile(rf"(?i)^--?[\w.-]*{_WORDS}$")
_PAIR: Final = re.compile(
    rf"(?i)({_WORDS}\\?[\"']?\s*[:=]\s*)"
    r"(\\?\"[^\"\n]*\"|'[^'\n]*'|(?:(?:bearer|basic|token|negotiate)\s+)?(?:\(redacted\)|[^\s\"']+))"
)
_QUOTE: Final = re.compile(r"\\?[\"']")
_URL: Final = re.compile(r"(://)([^\s/?#\"'<>]*@)?([^\s?#\"'<>]*)(\?[^\s#\"'<>]*)?(#[^\s\"'<>]*)?")
_FORMS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JSON web token
    r"|\bhf_[A-Za-z0-9]{16,}|\bgh[opsur]_[A-Za-z0-9]{20,}|\bglpat-[\w-]{16,}"
    r"|\bAKIA[A-Z0-9]{16}\b|\bsk-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}"
    r"|(?<=[Bb]earer )[\w.~+/=-]{6,}|(?<=[Bb]asic )[A-Za-z0-9+/]{8,}={0,2}",
    re.DOTALL,
)
_PROMPT: Final = re.compile(r"(?i)prompt|[\"']messages[\"']\s*:")
# What render/engine.py and the chart set: it says how the engine runs, and hides nothing.
_SHOWN: Final = frozenset(
    {
        "DO_NOT_TRACK",
        "HF_HUB_DISABLE_TELEMETRY",
        "HF_HUB_OFFLINE",
        "HOME",
        "MALLOC_ARENA_MAX",
        "MALLOC_TRIM_THRESHOLD_",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_VISIBLE_DEVICES",
        "TRANSFORMERS_OFFLINE",
        "VLLM_CACHE_ROOT",
        "VLLM_LOGGING_CONFIG_PATH",
        "VLLM_NO_USAGE_STATS",
    }
)


def secrets_in(value: Any) -> Iterator[str]:
    """Values that stand under a secret's name, to be searched for everywhere else."""
    if isinstance(value, Mapping):
        yield from _named(value)
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, str):
        for found in _URL.finditer(value):
            yield (found[2] or "").rpartition("@")[0].partition(":")[2]
    elif isinstance(value, Sequence):
        for inner in value:
            yield from secrets_in(inner)


def _named(value: Mapping[Any, Any]) -> Iterator[str]:
    """Of an entry with a name and a value, and of fields that are called so."""
    pairs = [*value.items(), (value.get("name"), value.get("value"))]
    for key, inner in pairs:
        if isinstance(inner, str) and _NAME.search(str(key)):
            yield inner


class Redactor:
    """Takes out secrets by name, by form, and those that are ``known``."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for one in known if len(one) >= _SHORTEST for form in _spellings(one)}
        ordered = sorted(forms, key=lambda one: (-len(one), one))  # one may be part of another
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """A text without them."""
        if self._known:
            text = self._known.sub(REMOVED, text)
        text = _FORMS.sub(REMOVED, text)
        text = _URL.sub(_plain_url, text)
        return _PAIR.sub(_without_value, text)

    def log(self, text: str) -> str:
        """What a process wrote; a line that names a prompt goes as a whole."""
        lines = text.split("\n")
        return self.text("\n".join(_PROMPT_LINE if _PROMPT.search(one) else one for one in lines))

    def object(self, value: Any) -> Any:
        """An object of Kubernetes, or a part of it."""
        if isinstance(value, Mapping):
            if value.get("kind") == "Secret":
                return {"kind": "Secret", "metadata": REMOVED}
            kept = ((str(key), inner) for key, inner in value.items() if key != "managedFields")
            return {key: self._under(key, inner) for key, inner in kept}
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Sequence):
            return [self.object(one) for one in value]
        return value

    def _under(self, key: str, value: Any) -> Any:
        match key, value:
            case "annotations", Mapping():
                return {name: self._annotation(name, inner) for name, inner in value.items()}
            case "env", Mapping():
                return {name: self._variable(name, inner) for name, inner in value.items()}
            case "env", [*entries]:
                return [self._entry(one) for one in entries]
            case "args" | "command", [*words]:
                return list(self._words(words))
            case "message", str():
                return self.log(value)
            case _, (str() | list()) if _NAME.search(key):
                return REMOVED
            case _:
                return self.object(value)

    def _annotation(self, name: str, value: Any) -> Any:
        """Ours; the template is left out, which stands in the object and repeats its variables."""
        if name.startswith(f"{GROUP}/") and not name.startswith(ANNOTATION_TEMPLATE):
            return self.object(value)
        return REMOVED

    def _variable(self, name: str, value: Any) -> Any:
        return self.object(value) if name in _SHOWN else REMOVED

    def _entry(self, one: Any) -> Any:
        if not isinstance(one, Mapping) or "value" not in one:
            return self.object(one)
        return {**self.object(one), "value": self._variable(str(one.get("name")), one["value"])}

    def _words(self, words: Iterable[Any]) -> Iterator[Any]:
        hidden = False
        for one in words:
            yield REMOVED if hidden else self.object(one)
            hidden = isinstance(one, str) and bool(_FLAG.search(one))


def _without_value(found: re.Match[str]) -> str:
    """The name stays, and the quotes: a line of JSON stays one."""
    name, value = found.groups()
    quotes = _QUOTE.match(value)
    mark = quotes[0] if quotes else ""
    return f"{name}{mark}{REMOVED}{mark}"


def _plain_url(found: re.Match[str]) -> str:
    """Without the user, the query and the fragment."""
    mark, user, rest, query, fragment = found.groups()
    return "".join(
        (
            mark,
            f"{REMOVED}@" if user else "",
            rest,
            f"?{REMOVED}" if query else "",
            f"#{REMOVED}" if fragment else "",
        )
    )


def _spellings(value: str) -> Iterator[str]:
    """How the same value stands in a Secret's data, a URL, or quoted in JSON."""
    yield value
    yield base64.b64encode(value.encode()).decode().rstrip("=")
    yield quote(value, safe="")
    yield value.replace("\\", "\\\\").replace('"', '\\"')
