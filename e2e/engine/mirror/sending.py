"""Sends one file, or a range of it, with whatever faults apply.

Called by ``server.py`` once it knows the file and the client's rights. Without faults the kernel
copies (sendfile), so a pull from here costs the two cores little.
"""

import gzip
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.engine.mirror.faults import Fault, FaultBoard

__all__ = ["Answer", "Outcome", "interrupt", "plan_answer", "send_body"]

_BLOCK: Final = 1 << 16
_LOOK_AGAIN: Final = 0.05  # seconds between looks at a stalled client


@dataclass(frozen=True, slots=True)
class Answer:
    """Head of an answer about a file, and which bytes follow."""

    status: int
    headers: dict[str, str]
    begin: int = 0
    end: int = 0
    content: bytes | None = None  # instead of the file's own bytes


@dataclass(slots=True)
class Outcome:
    """How sending ended."""

    sent: int = 0
    broken: bool = False  # the connection cannot be used again
    reset: bool = False  # and has to end with RST


def plan_answer(path: str, file: Path, asked: str | None, faults: list[Fault]) -> Answer:
    """The answer to a GET of ``file`` with the Range header ``asked``."""
    kinds = {fault.kind: fault for fault in faults}
    size = file.stat().st_size
    begin, end = (0, size) if asked is None else _range(asked, size)
    if begin >= end and size:
        return Answer(416, {"Content-Range": f"bytes */{size}"})
    status = kinds.get("status")
    if status is not None and begin >= status.after:
        return _refusal(status)
    if "redirect" in kinds:
        return Answer(302, {"Location": kinds["redirect"].location + path})
    if "gzip" in kinds:
        content = gzip.compress(file.read_bytes()[begin:end], 1)
        return Answer(200, {"Content-Encoding": "gzip"}, 0, len(content), content)
    if "extra" in kinds:
        content = file.read_bytes()[begin:end] + b"\0" * kinds["extra"].after
        return Answer(200, {}, 0, len(content), content)
    headers = {"Accept-Ranges": "bytes"}
    if asked is None or "ignore-range" in kinds:
        return Answer(200, headers, 0, size)
    shift = int("wrong-range" in kinds)
    headers["Content-Range"] = f"bytes {begin + shift}-{end - 1 + shift}/{size}"
    return Answer(206, headers, begin, end)


def send_body(
    connection: socket.socket, file: Path, answer: Answer, faults: list[Fault], board: FaultBoard
) -> Outcome:
    """Send the body; where a fault says so, less of it, slower, or other bytes."""
    outcome = Outcome()
    paced = [f for f in faults if f.kind in ("flip", "truncate", "reset", "stall", "slow")]
    paced += [f for f in faults if f.kind == "status" and f.after]
    try:
        if answer.content is not None:
            connection.sendall(answer.content)
            outcome.sent = len(answer.content)
        elif paced:
            _send_paced(connection, file, answer, paced, board, outcome)
        else:
            with file.open("rb") as source:
                count = answer.end - answer.begin
                outcome.sent = connection.sendfile(source, answer.begin, count) if count else 0
    except OSError:  # the client left, or the mirror is being stopped
        outcome.broken = True
    return outcome


def _send_paced(
    connection: socket.socket,
    file: Path,
    answer: Answer,
    faults: list[Fault],
    board: FaultBoard,
    outcome: Outcome,
) -> None:
    flips = {fault.after for fault in faults if fault.kind == "flip"}
    slow = next((fault for fault in faults if fault.kind == "slow"), None)
    ends = sorted(
        (fault for fault in faults if fault.kind not in ("flip", "slow")), key=lambda f: f.after
    )
    block = min(_BLOCK, max(1, slow.rate // 20)) if slow else _BLOCK
    position = answer.begin
    began = time.monotonic()
    with file.open("rb") as source:
        source.seek(position)
        while position < answer.end:
            if ends and position >= ends[0].after:
                if not interrupt(connection, ends.pop(0), board, outcome):
                    return
                continue
            limit = min(answer.end, ends[0].after) if ends else answer.end
            chunk = bytearray(source.read(min(block, limit - position)))
            for offset in flips:
                if position <= offset < position + len(chunk):
                    chunk[offset - position] ^= 0xFF
            connection.sendall(chunk)
            position += len(chunk)
            outcome.sent += len(chunk)
            if slow:
                due = began + outcome.sent / slow.rate
                time.sleep(max(0.0, due - time.monotonic()))


def interrupt(connection: socket.socket, fault: Fault, board: FaultBoard, outcome: Outcome) -> bool:
    """End or hold the connection where ``fault`` says; whether sending may go on."""
    if fault.kind == "stall":
        while board.holds(fault):
            readable, _, _ = select.select([connection], [], [], _LOOK_AGAIN)
            if readable and not connection.recv(1, socket.MSG_PEEK):
                outcome.broken = True
                return False
        return True
    outcome.broken = True
    if fault.kind == "reset":
        outcome.reset = True
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _refusal(fault: Fault) -> Answer:
    headers: Mapping[str, str] = {}
    if fault.retry_after is not None:
        headers = {"Retry-After": str(fault.retry_after)}
    content = f"injected {fault.code}\n".encode()
    return Answer(fault.code, dict(headers), 0, len(content), content)


def _range(asked: str, size: int) -> tuple[int, int]:
    """The bytes that ``bytes=a-b`` means; an empty range where it means none."""
    unit, _, spec = asked.partition("=")
    first, _, last = spec.partition("-")
    if unit.strip() != "bytes" or "," in spec:
        return 0, size
    try:
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size
    except ValueError:
        return 0, size
