"""What a pull costs where something is against it: kills, cold caches, limits, a real disk."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from e2e.bench.pull.contenders import order, plain_stream, run_agent
from e2e.bench.pull.sample import Sample
from e2e.bench.pull.servers import Server, cache, mirror, squid

__all__ = ["behind_caches", "on_disk", "resumed", "with_few_connections"]

_PYTHON: Final = Path(sys.executable)
_ORIGIN_RATE: Final = "limit_rate 100m;"  # of a connection: a network's
_FEW: Final = 5
_FEW_RATE: Final = 3_000_000
_MIB: Final = 1 << 20
Cache = Callable[[Server, Path], AbstractContextManager[Server]]


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def resumed(sample: Sample, server: Server, folder: Path, seconds: float, kills: int) -> list[int]:
    """Bytes that were sent twice because of a kill -9, for each of ``kills`` random moments."""
    rng, extra = random.Random(1), []  # noqa: S311 - moments of no meaning
    for n in range(kills):
        with _scratch(folder / f"kill{n}") as place:
            sent = server.sent()
            words = json.dumps(order(sample, server, place / "store"))
            script = Path(__file__).with_name("pulling.py")
            process = subprocess.Popen([str(_PYTHON), str(script), words])
            deadline = time.monotonic() + 30
            while server.sent() == sent and time.monotonic() < deadline:
                time.sleep(0.02)  # the manifest has come
            time.sleep(rng.uniform(0.1, 0.9) * seconds)
            process.kill()
            process.wait()
            time.sleep(0.2)  # nginx notices, and writes its log
            run_agent(_PYTHON, sample, server, place / "store")
            extra.append(server.sent() - sent - sample.total)
    return extra


def behind_caches(sample: Sample, folder: Path) -> dict[str, tuple[float, float]]:
    """By cache: times of one plain stream through it, and bytes of its source, as ratios."""
    kinds: dict[str, Cache] = {
        "nginx": lambda behind, place: cache(behind, place, lock=False),
        "nginx, lock": lambda behind, place: cache(behind, place, lock=True),
        "squid": lambda behind, place: squid(behind, place, whole=False),
        "squid, whole files": lambda behind, place: squid(behind, place, whole=True),
    }
    return {name: _behind(sample, folder, kind) for name, kind in kinds.items()}


def _behind(sample: Sample, folder: Path, kind: Cache) -> tuple[float, float]:
    def pull(through: Server, place: Path) -> float:
        return run_agent(_PYTHON, sample, through, place / "store").seconds

    stream, once = _through(sample, folder, kind, lambda through, _: plain_stream(sample, through))
    took, sent = _through(sample, folder, kind, pull)
    return took / stream, sent / once


def _through(
    sample: Sample, folder: Path, kind: Cache, work: Callable[[Server, Path], float]
) -> tuple[float, int]:
    """Seconds of some work through a cold cache, and bytes that its source sent for it."""
    with (
        _scratch(folder / "cold") as place,
        mirror(sample.root, place / "origin", _ORIGIN_RATE) as origin,
        kind(origin, place / "cache") as through,
    ):
        took = work(through, place)
        return took, _settled(origin)  # while the cache goes on filling


def _settled(server: Server) -> int:
    """Bytes sent, once no more are: a cache goes on filling after its client has left."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 1.5:
        now = server.sent()
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)
    return last


def with_few_connections(sample: Sample, folder: Path) -> float:
    """Seconds over what five connections at 3 MB/s take, where a sixth is refused."""
    rules = f"limit_conn perip {_FEW}; limit_conn_status 503; limit_rate {_FEW_RATE};"
    with (
        _scratch(folder / "few") as place,
        mirror(sample.root, place / "origin", rules) as server,
    ):
        took = run_agent(_PYTHON, sample, server, place / "store").seconds
    return took / (sample.total / (_FEW * _FEW_RATE))


def on_disk(sample: Sample, server: Server, folder: Path) -> tuple[float, float]:
    """Seconds of a pull, and of dd of as many bytes, to a disk."""
    with _scratch(folder / "disk") as place:
        took = run_agent(_PYTHON, sample, server, place / "store").seconds
    with _scratch(folder / "disk") as place:
        count = sample.total // _MIB
        command = ["dd", "if=/dev/zero", f"of={place / 'dd'}", "bs=1M", f"count={count}"]
        began = time.monotonic()
        subprocess.run([*command, "conv=fdatasync"], check=True, capture_output=True)
        return took, time.monotonic() - began
