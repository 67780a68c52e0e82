"""Numbers and times in the words of a terminal. Pure; used by every view of the CLI."""

from datetime import UTC, datetime

from escadre.core.counting import count
from escadre.core.decimals import bytes_text
from escadre.core.durations import duration

__all__ = ["bytes_text", "count", "duration", "short_digest", "since", "time_text", "tokens"]


def tokens(number: int) -> str:
    """A number of tokens, grouped."""
    return count(number, "token")


def since(when: datetime, now: float) -> str:
    """How long ago ``when`` was, "" for the epoch that stands for never."""
    stamp = when.timestamp()
    return duration(now - stamp) if stamp > 0 else ""


def time_text(when: datetime) -> str:
    """A time as Kubernetes writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short_digest(digest: str) -> str:
    """A digest or commit that is long enough to compare by eye."""
    prefix, colon, rest = digest.rpartition(":")
    return f"{prefix}{colon}{rest[:12]}…" if len(rest) > 16 else digest  # noqa: PLR2004 - by eye
