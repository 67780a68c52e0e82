"""``make try-bare``: the README's commands on a bare machine, one that debootstrap has just made.

Each command gets a Debian of its own with make and python3 and nothing else, a fresh clone of HEAD
and an empty home. It lives in mount and process namespaces of its own, so whatever ends this
program, Ctrl-C too, ends every process and mount of it. Standard library only.
"""

import argparse
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Final

from e2e.machine.handed import hand_in, handed_variables, package_source

__all__ = ["main"]

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_CHECKOUT: Final = "root/escadre"
_PREFIX: Final = "escadre-bare-"
_ENVIRONMENT: Final = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
# What kernel and init give a machine. Its root is a mount, as every machine's is.
_ENTER: Final = """\
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
if [ -n "$2" ]; then mkdir -p "$1/root/.cache" && mount --bind "$2" "$1/root/.cache"; fi
cd "$1"
shift 2
exec chroot . "$@"
"""


def _in_namespaces(command: list[str], output: IO[bytes] | None = None) -> int:
    """Run ``command`` with mounts and processes of its own, which end with it or with us."""
    enter = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc"]
    enter += ["--fork", "--kill-child", "--"]
    errors = None if output is None else subprocess.STDOUT
    with subprocess.Popen(
        [*enter, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=errors
    ) as running:
        try:
            return running.wait()
        finally:
            running.kill()


def _make(root: Path) -> None:
    """A Debian with make and python3, the way to packages, and the checkout."""
    release, source = package_source()
    command = ["debootstrap", "--variant=minbase", "--include=make,python3", release]
    log = root.parent / "debootstrap.log"
    with log.open("wb") as output:  # in namespaces too: it mounts, and may be cut off
        code = _in_namespaces([*command, str(root), source], output)
    if code != 0:
        said = log.read_text(errors="replace").splitlines()
        raise RuntimeError(f"debootstrap {release}: {said[-1] if said else f'status {code}'}")
    hand_in(root)
    clone = ["git", "clone", "--quiet", "--no-hardlinks", str(_REPOSITORY), str(root / _CHECKOUT)]
    subprocess.run(clone, check=True)


def _run(root: Path, target: str, cache: str) -> int:
    """``make target`` in the checkout on the bare machine; says how long it took."""
    variables = _ENVIRONMENT | handed_variables(os.environ)
    environment = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
    command = [*environment, "make", "-C", f"/{_CHECKOUT}", target]
    began, cpu = time.monotonic(), _cpu_seconds()
    code = _in_namespaces(["sh", "-c", _ENTER, "sh", str(root), cache, *command])
    wall, used = time.monotonic() - began, _cpu_seconds() - cpu
    print(f"make {target}: status {code} after {wall:.0f} s, {used:.0f} s of CPU", flush=True)
    return code


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _try(target: str, cache: str) -> int:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base.mkdir(parents=True, exist_ok=True)
    for left in base.glob(f"{_PREFIX}*"):  # of one that was killed: nobody holds its lock
        with _locked(left) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        with _locked(folder):
            return _try_in(folder, target, cache)
    finally:
        shutil.rmtree(folder)


def _try_in(folder: Path, target: str, cache: str) -> int:
    print(f"make {target}: a bare machine in {folder}", flush=True)
    _make(folder / "root")
    return _run(folder / "root", target, cache)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of ``folder``, which its owner's end releases; False when another has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)  # through every `finally`


def main() -> int:
    """Try each command; the status is that of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", default="", help="folder that becomes ~/.cache: quick, no proof")
    parser.add_argument("targets", nargs="*", help="targets of make (default: demo test)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("a bare machine needs root (chroot, mounts): run it with sudo", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    cache = str(Path(arguments.cache).resolve()) if arguments.cache else ""
    try:
        codes = [_try(target, cache) for target in arguments.targets or ["demo", "test"]]
    except (RuntimeError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
