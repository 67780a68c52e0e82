"""Who pulls the same model from the same mirror, and what that took."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from e2e.bench.builds import Build
from e2e.bench.pull.sample import COMMIT, Sample, tree_path
from e2e.bench.pull.servers import Server

__all__ = ["Contender", "Result", "agent", "all_of", "plain_stream", "run_agent"]

_HERE: Final = Path(__file__).parent
_IDEAL_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What one pull took: seconds of wall and of CPU; of an agent the most memory, in bytes."""

    seconds: float
    cpu: float
    rss: int = 0


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to pull; ``run`` is given an empty folder."""

    name: str
    run: Callable[[Path], Result]


def all_of(sample: Sample, server: Server, before: Build | None) -> list[Contender]:
    """Those that are installed, ours first."""
    found = [
        agent("ours", Path(sys.executable), sample, server),
        Contender("ideal", lambda folder: _ideal(sample, server, folder, hashing=True)),
        Contender("no hash", lambda folder: _ideal(sample, server, folder, hashing=False)),
        Contender("huggingface_hub", lambda folder: _hub(server, folder)),
    ]
    if before:
        found.insert(1, agent("0.1.0", before.python, sample, server))
    if shutil.which("aria2c"):
        sums = {"sha256sum": ["sha256sum"], "openssl": ["openssl", "dgst", "-sha256"]}
        found += [
            Contender(f"aria2c + {name}", partial(_aria2c, sample, server, words))
            for name, words in sums.items()
        ]
    return found


def agent(name: str, python: Path, sample: Sample, server: Server) -> Contender:
    """An agent's pull by the interpreter of one build."""
    return Contender(name, lambda folder: run_agent(python, sample, server, folder / "store"))


def order(sample: Sample, server: Server, store: Path) -> dict[str, Any]:
    """What pulling.py is told."""
    return {
        "store": str(store),
        "url": server.url,
        "digest": sample.digest,
        "total": sample.total,
        "commit": COMMIT,
    }


def run_agent(python: Path, sample: Sample, server: Server, store: Path) -> Result:
    """One whole pull."""
    return _script(python, "pulling.py", order(sample, server, store))


def plain_stream(sample: Sample, server: Server) -> float:
    """Seconds that one plain stream of each file takes, one after the other, into nothing."""
    began = time.monotonic()
    for file in sample.files:
        url = f"{server.url}/{tree_path(file.path)}"
        subprocess.run(["curl", "-sf", "-o", "/dev/null", url], check=True)
    return time.monotonic() - began


def _ideal(sample: Sample, server: Server, folder: Path, *, hashing: bool) -> Result:
    files = [[file.path, f"/{tree_path(file.path)}", file.size] for file in sample.files]
    words = {
        "host": "127.0.0.1",
        "port": server.port,
        "folder": str(folder),
        "files": files,
        "threads": _IDEAL_THREADS,
        "hash": hashing,
    }
    return _script(Path(sys.executable), "ideal.py", words)


def _hub(server: Server, folder: Path) -> Result:
    words = {"url": server.url, "cache": str(folder), "commit": COMMIT}
    return _script(Path(sys.executable), "hub.py", words)


def _aria2c(sample: Sample, server: Server, sums: list[str], folder: Path) -> Result:
    listed = folder / "list"
    lines = [f"{server.url}/{tree_path(file.path)}\n  out={file.path}\n" for file in sample.files]
    listed.write_text("".join(lines))
    command = ["aria2c", "-q", "-x8", "-s8", "-j4", "-k16M", "--file-allocation=falloc"]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "-d", str(folder), "-i", str(listed)], check=True)
    paths = [str(folder / file.path) for file in sample.files]
    subprocess.run([*sums, *paths], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(time.monotonic() - began, cpu)


def _script(python: Path, name: str, words: dict[str, Any]) -> Result:
    command = [str(python), str(_HERE / name), json.dumps(words)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Result(**told)
