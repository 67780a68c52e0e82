"""What an engine's last words say about why it ended. Pure; state/views/pod.py asks.

The kubelet keeps the end of what an engine wrote, most of it a traceback. The cause is its last
``…Error: …`` line before the wrappers that every failed start ends with::

    ValueError: No available memory for the cache blocks. …              <- this one
    RuntimeError: Engine core initialization failed. See root cause above. …
"""

import re
from datetime import datetime
from typing import Final

from escadre.core.counting import count
from escadre.core.durations import duration

__all__ = ["cause_of", "ended"]

# How the engine's loggers begin a line, the process's name and the record's level, time and place.
_PREFIX: Final = re.compile(
    r"^(?:\([\w.-]+(?: [\w.-]+)* pid=\d+\) ?)?"
    r"(?:(?:CRITICAL|ERROR|WARNING|INFO|DEBUG) \d[\d:+-]*(?:[ T][\d:.,+-]+)?"
    r"(?: \[[^\]\s]+\])?(?: |$))?"
)
_TELLING: Final = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)(?:: \S|$)|vllm(?: \w+)?: error: \S)"
)
_WRAPPERS: Final = (
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "EngineCore encountered an issue",
)
_DIED: Final = " died unexpectedly"  # a worker that was killed says nothing itself
# What a validator adds: the beginning and the end of all that it was given.
_INPUT: Final = re.compile(r" \[type=\w+, input_value=.*")
# As render/engine.py has the time of a record written.
_STAMP: Final = re.compile(r"^[A-Z]+ (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}) ")
# From the first word of a failure to the end of its last process: collectives have time-outs.
_LAST_WORDS_SECONDS: Final = 120
_ESTIMATE: Final = "estimated maximum model length is "
_KILLED: Final = {
    137: "SIGKILL: not for its memory, or it would say OOMKilled, so by its node, after a failed "
    "health check or a stop that took too long, or by hand",
    143: "SIGTERM: told to stop by its node or by hand",
}


def ended(terminated: tuple[int, str, str], span: tuple[float, float], restarts: int) -> str:
    """How a container ended, in a sentence.

    Args:
        terminated: exit code, reason and message, as the kubelet has them.
        span: when it began and ended, in seconds since the epoch.
        restarts: how often it was started again.
    """
    code, reason, message = terminated
    times = count(restarts, "restart")
    if reason == "OOMKilled":
        return f"exited with {code}, {times}: OOMKilled: it used more than its memory limit"
    if code in _KILLED:  # it had no time for last words: what stands there is older
        return f"exited with {code}, {times}: {_KILLED[code]}"
    seconds = span[1] - span[0]
    cause = cause_of(_recent(message, span[1])) or (reason if code else "it left no words")
    if code:
        return f"exited with {code}, {times}: {cause}"
    ran = f" after {duration(seconds)}" if seconds > 0 else ""
    return (
        f"ended by itself with exit code 0{ran}, as an engine does that dies at run time, "
        f"{times}: {cause}"
    )


def cause_of(message: str) -> str:
    """The line that tells why, in full, and the length that would fit where the engine says one."""
    lines = [_PREFIX.sub("", line).rstrip() for line in message.splitlines()]
    lines = [line for line in lines if line.strip()]
    cause = _cause(lines)
    estimate = next((line for line in reversed(lines) if _ESTIMATE in line), "")
    if estimate and estimate != cause:
        return f"{cause}; {estimate.strip()}"
    return cause


def _recent(message: str, end: float) -> str:
    """Without records that were written long before the end: a healthy engine has some, too.

    What stands before the first whole record is the rest of one that is older still.
    """
    lines = message.splitlines()
    ages = [_written_before(line, end - _LAST_WORDS_SECONDS) for line in lines]
    old = next((age for age in ages if age is not None), False)
    kept = []
    for line, age in zip(lines, ages, strict=True):
        old = old if age is None else age
        if not old:
            kept.append(line)
    return "\n".join(kept)


def _written_before(line: str, moment: float) -> bool | None:
    """None for a line that no record begins with."""
    stamp = _STAMP.match(line)
    if stamp is None:
        return None
    return datetime.strptime(stamp[1], "%Y-%m-%dT%H:%M:%S%z").timestamp() < moment


def _cause(lines: list[str]) -> str:
    telling = [at for at, line in enumerate(lines) if _TELLING.match(line)]
    wrappers = [at for at, line in enumerate(lines) if any(one in line for one in _WRAPPERS)]
    own = [at for at in telling if at not in wrappers]
    died = next((at for at, line in enumerate(lines) if _DIED in line), None)
    if died is not None:  # what is raised after it is only that others miss it
        return lines[max((at for at in own if at < died), default=died)]
    before = [at for at in own if wrappers and at < wrappers[-1]]
    chosen = before or own or telling
    if not chosen:
        return lines[-1].strip() if lines else ""
    return _with_detail(lines, chosen[-1])


def _with_detail(lines: list[str], at: int) -> str:
    """Validation errors are told over several lines: a count first, what is wrong below.

    An assertion without words is told by its line of code, above it and what is underlined there.
    """
    if lines[at] == "AssertionError":
        code = [line.strip() for line in lines[:at] if set(line) - set(" ^~")]
        asserted = code[-1] if code and code[-1].startswith("assert ") else ""
        return f"{lines[at]}: {asserted}" if asserted else lines[at]
    detail = lines[at + 1].strip() if at + 1 < len(lines) else ""
    if " validation error" in lines[at] and detail:
        more = lines[at + 2].strip() if at + 2 < len(lines) else ""
        if lines[at + 2 : at + 3] and lines[at + 2].startswith("  ") and "further" not in more:
            detail = f"{detail}: {more}"
        return f"{lines[at]}: {_INPUT.sub('', detail)}"
    return lines[at]
