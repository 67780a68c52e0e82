"""Starts a cluster's namespaces with the supervisor in them, and removes what is left of one.

Called by ``Cluster`` and the command line, on the host. The process that holds the namespaces is
recorded with its start time, so that a later run ends exactly that process and no other.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from e2e.cluster.addresses import host_link
from e2e.cluster.config import REPOSITORY, ClusterConfig, python_environment
from e2e.cluster.control import ControlError, call
from e2e.cluster.folders import StateFolder, state_folder
from e2e.cluster.network import connect_host
from e2e.cluster.wait import NotReachedError, patience, wait_for

__all__ = [
    "StartError",
    "is_running",
    "namespace_pid",
    "refuse_second",
    "remove_cluster",
    "start_cluster",
]

_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0


class StartError(RuntimeError):
    """A cluster did not come up; the message ends with the log that says why."""


def _start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks, which with its id names it for ever."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def namespace_pid(state: StateFolder) -> int | None:
    """Host process id of the holder of the namespaces, None when it does not run."""
    try:
        record = json.loads(state.process.read_text())
    except (OSError, ValueError):
        return None
    pid = int(record["pid"])
    return pid if _start_time(pid) == record["started"] else None


def is_running(state: StateFolder) -> bool:
    """Whether a cluster runs from this folder."""
    return namespace_pid(state) is not None


def refuse_second(name: str) -> None:
    """Raises RuntimeError when a cluster of that name runs: a person may be looking at it."""
    if is_running(state_folder(name)):
        raise RuntimeError(
            f"cluster {name} runs already; end it first: "
            f".venv/bin/python -m e2e.cluster down --name {name}"
        )


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _locked(state: StateFolder) -> Iterator[None]:
    state.lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with state.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever held it before removed the file: a lock on a removed file locks nobody out.
            if not _same_file(state.lock, lock.fileno()):
                continue
            try:
                yield
            finally:
                state.lock.unlink(missing_ok=True)
            return


def start_cluster(config: ClusterConfig) -> subprocess.Popen[bytes]:
    """Start a cluster and return its holder once it is usable; what was left of one goes first.

    The returned process's standard input is the lifeline of a cluster that is not detached.
    """
    state = state_folder(config.name)
    with _locked(state):
        _remove(state, config.name)
        state.root.mkdir(mode=0o700)
        config.save(state)
        holder = _spawn(state, config)
        try:
            _record(state, holder.pid)
            connect_host(host_link(config.name, config.place), holder.pid)
            _until_ready(state, holder, config.name)
        except (StartError, NotReachedError, RuntimeError, OSError) as error:
            message = f"{error}\n{_last_words(state)}"
            holder.kill()
            holder.wait()
            _remove(state, config.name)
            raise StartError(message) from error
    return holder


def _until_ready(state: StateFolder, holder: subprocess.Popen[bytes], name: str) -> None:
    wait_for(
        lambda: state.ready.exists() or holder.poll() is not None, _START_SECONDS, f"cluster {name}"
    )
    if not state.ready.exists():
        raise StartError(f"starting cluster {name}: it ended at once")


def _spawn(state: StateFolder, config: ClusterConfig) -> subprocess.Popen[bytes]:
    state.logs.mkdir()
    command = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    command += [config.python, "-m", "e2e.cluster.supervisor", str(state.root)]
    with (state.logs / "supervisor.log").open("ab") as log:
        holder = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if config.detached else subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=REPOSITORY,
            env=os.environ | python_environment(),
            start_new_session=True,
        )
    own = Path("/proc/self/ns/net").readlink()
    wait_for(
        lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own,
        10,
        "a new network namespace",
    )
    return holder


def _record(state: StateFolder, pid: int) -> None:
    state.process.write_text(json.dumps({"pid": pid, "started": _start_time(pid)}) + "\n")


def _last_words(state: StateFolder) -> str:
    """The end of the logs that most likely tell why a start failed."""
    parts = []
    for name in ("supervisor", "kube-apiserver", "etcd", "kwok", "runner"):
        log = state.logs / f"{name}.log"
        if log.exists() and (tail := log.read_text(errors="replace").splitlines()[-8:]):
            parts += [f"--- {log}", *tail]
    return "\n".join(parts)


def remove_cluster(name: str) -> bool:
    """End the cluster called ``name`` and remove what it left; False when there was nothing."""
    state = state_folder(name)
    if not state.root.exists():
        return False
    with _locked(state):
        return _remove(state, name)


def _remove(state: StateFolder, name: str) -> bool:
    if not state.root.exists():
        return False
    pid = namespace_pid(state)
    if pid is not None:
        with contextlib.suppress(ControlError):
            call(state.supervisor_socket, {"op": "shutdown"}, timeout=5)
            _wait_gone(pid, _STOP_SECONDS)
        if _start_time(pid) is not None:
            # The holder takes the supervisor with it, and that every process of the cluster.
            os.kill(pid, signal.SIGKILL)
            _wait_gone(pid, _STOP_SECONDS)
    link = host_link(name)
    subprocess.run(["ip", "link", "del", link.device], capture_output=True, check=False)
    _remove_folder(state.root)
    return True


def _wait_gone(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds * patience()
    while _start_time(pid) is not None and time.monotonic() < end:
        time.sleep(0.02)


def _remove_folder(folder: Path) -> None:
    """Remove it; dying processes may still write for a moment."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_for(gone, 10, f"removal of {folder}")
