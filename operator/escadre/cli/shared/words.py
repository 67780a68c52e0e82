"""Numbers and times in the words of a terminal. Pure; used by every view of the CLI."""

from datetime import UTC, datetime

from escadre.core.decimals import bytes_text

__all__ = ["bytes_text", "count", "duration", "short_digest", "since", "time_text", "tokens"]

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` when the plural is not the singular with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int) -> str:
    """A number of tokens, grouped."""
    return count(number, "token")


def duration(seconds: float) -> str:
    """A span in at most two units: ``45s``, ``2m10s``, ``3h05m``, ``12d``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes}m{rest:02}s"
    if whole < 2 * _DAY:
        hours, rest = divmod(whole, _HOUR)
        return f"{hours}h{rest // _MINUTE:02}m"
    return f"{whole // _DAY}d"


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
