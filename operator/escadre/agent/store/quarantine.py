"""Bad bytes, set aside for whoever looks into them.

A sample is the chunk that does not have the approved digest (64 MiB at most) and a JSON file that
says where it came from. Only the newest samples are kept; a full disk keeps none. Nothing ever
reads from here.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

__all__ = ["MAX_SAMPLES", "BadBytes", "set_aside"]

MAX_SAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class BadBytes:
    """What is known about bytes that are not the approved ones."""

    origin: str  # URL or path in the store
    path: str
    chunk: int
    expected: str
    got: str
    found_at: str  # RFC 3339


def set_aside(folder: Path, bad: BadBytes, sample: bytes) -> str:
    """Keep a sample; returns the name it has in ``folder``, or why there is none."""
    name = f"{bad.expected[:16]}-{bad.got[:16]}"
    try:
        folder.joinpath(f"{name}.bin").write_bytes(sample)
        folder.joinpath(f"{name}.json").write_text(json.dumps(asdict(bad), indent=1))
        _prune(folder)
    except OSError as error:
        with suppress(OSError):
            folder.joinpath(f"{name}.bin").unlink(missing_ok=True)
        return f"no sample kept: {error.strerror}"
    return f"{folder.name}/{name}.bin"


def _prune(folder: Path) -> None:
    samples = sorted(folder.glob("*.bin"), key=lambda path: path.stat().st_mtime_ns)
    for sample in samples[:-MAX_SAMPLES]:
        sample.unlink()
        sample.with_suffix(".json").unlink(missing_ok=True)
