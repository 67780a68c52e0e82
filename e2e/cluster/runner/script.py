"""The shell script that turns a process into a container: mounts, root, user, then the program.

Pure: a plan goes in, the text comes out, and it is kept beside the container's log to be read. It
runs as process 1 of a new PID namespace and in a new mount namespace, so nothing it mounts is seen
outside or outlives it. The root is an overlay over the machine's own root: mount points appear
without touching the machine.
"""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["ContainerPlan", "Mount", "build_script"]

_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_SCRATCH: Final = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - folders inside the container
# What a container runtime leaves to a container that asks for nothing.
_DEFAULT_CAPABILITIES: Final = (
    *("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"),
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the machine at a path of the container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """Everything the script needs to know."""

    folder: Path
    hidden: Path
    command: tuple[str, ...]
    environment: dict[str, str]
    working_folder: str
    hosts: str
    binds: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    read_only_root: bool = False
    privilege_escalation: bool = True
    drop_all: bool = False
    added_capabilities: tuple[str, ...] = field(default=())


def _inside(target: str) -> str:
    """A container path as one relative to its root, with the machine's symbolic links resolved.

    The overlay shows the machine's links: /var/run would lead the shell out of the new root.
    """
    return "." + os.path.realpath(target)


def _bind(source: str, target: str, *, read_only: bool) -> list[str]:
    place, origin = shlex.quote(_inside(target)), shlex.quote(source)
    parent = shlex.quote(os.path.dirname(_inside(target)))  # noqa: PTH120 - keeps the "./"
    if Path(source).is_dir():
        lines = [f"mkdir -p {place}"]
    else:
        lines = [f"mkdir -p {parent}", f"[ -e {place} ] || : >{place}"]
    lines.append(f"mount --rbind {origin} {place}")
    if read_only:
        lines.append(f"mount -o remount,bind,ro {place}")
    return lines


def _traversable(binds: tuple[str, ...]) -> list[str]:
    """Let every user reach the bound folders, in the overlay only (a home may be closed)."""
    closed = {
        parent
        for bind in binds
        for parent in Path(os.path.realpath(bind)).parents
        if parent.exists() and parent.stat().st_mode & 0o011 != 0o011
    }
    return [f"chmod go+x {shlex.quote(_inside(str(path)))}" for path in sorted(closed)]


def _devices() -> list[str]:
    lines = ["mount -t tmpfs -o mode=755,size=1m tmpfs ./dev", "mkdir ./dev/shm ./dev/pts"]
    for device in _DEVICES:
        lines += [f": >./dev/{device}", f"mount --bind /dev/{device} ./dev/{device}"]
    lines += [
        "ln -s /proc/self/fd ./dev/fd",
        "ln -s /proc/self/fd/0 ./dev/stdin",
        "ln -s /proc/self/fd/1 ./dev/stdout",
        "ln -s /proc/self/fd/2 ./dev/stderr",
        "mount -t tmpfs -o mode=1777,size=64m tmpfs ./dev/shm",
    ]
    return lines


def _program(plan: ContainerPlan) -> str:
    kept = () if plan.drop_all else _DEFAULT_CAPABILITIES
    kept = (*kept, *(name.lower() for name in plan.added_capabilities))
    bounding = ",".join(["-all", *(f"+{name}" for name in dict.fromkeys(kept))])
    groups = ",".join(str(group) for group in plan.groups)
    command = [
        *("exec", "chroot", ".", "setpriv", f"--reuid={plan.user}", f"--regid={plan.group}"),
        f"--groups={groups}" if groups else "--clear-groups",
        *("--inh-caps=-all", f"--bounding-set={bounding}"),
        *(() if plan.privilege_escalation else ("--no-new-privs",)),
        # A change of user clears the death signal, so it is set here, last.
        *("--pdeathsig=KILL", "env", "--ignore-environment", "--default-signal=INT,QUIT"),
        f"--chdir={plan.working_folder}",
        *(f"{key}={value}" for key, value in plan.environment.items()),
        *plan.command,
    ]
    return shlex.join(command)


def build_script(plan: ContainerPlan) -> str:
    """The script; it writes ``up`` to descriptor 3 right before the program takes over."""
    scratch = [path for path in _SCRATCH if path not in {mount.target for mount in plan.mounts}]
    root = shlex.quote(str(plan.folder / "rootfs"))
    lines = [
        "set -eu",
        f"mount -t tmpfs -o mode=755 tmpfs {root}",
        f"cd {root}",
        "mkdir upper work root",
        f"mount -t overlay overlay -o lowerdir=/,upperdir={root}/upper,workdir={root}/work root",
        "cd root",
        *_traversable(plan.binds),
        *(f"mount -t tmpfs -o mode=1777 tmpfs .{path}" for path in _SCRATCH),
    ]
    if not any(plan.hidden.is_relative_to(path) for path in _SCRATCH):
        hidden = shlex.quote(_inside(str(plan.hidden)))
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {hidden}")
    for bind in dict.fromkeys(plan.binds):
        lines += _bind(bind, bind, read_only=True)
    lines += [
        *_devices(),
        "mount -t proc proc ./proc",
        "mount --bind /sys ./sys",
        "mount -o remount,bind,ro ./sys",
        "rm -f ./etc/resolv.conf ./etc/hosts",
        ": >./etc/resolv.conf",
        f"printf %s {shlex.quote(plan.hosts)} >./etc/hosts",
        "cat /proc/sys/kernel/hostname >./etc/hostname",
    ]
    for mount in sorted(plan.mounts, key=lambda one: one.target):
        lines += _bind(str(mount.source), mount.target, read_only=mount.read_only)
    folder = shlex.quote(_inside(plan.working_folder))
    lines.append(f"[ -d {folder} ] || mkdir -p {folder}")
    if plan.read_only_root:
        lines += ["mount -o remount,bind,ro ."]
        lines += [f"mount -o remount,bind,ro .{path}" for path in scratch]
    lines += ["cd .", "echo up >&3", "exec 3>&-", _program(plan)]
    return "\n".join(lines) + "\n"
