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


def _is_closed(path: Path, bits: int) -> bool:
    return path.is_dir() and path.stat().st_mode & bits != bits


def _bind(mount: Mount) -> list[str]:
    place, origin = shlex.quote(_inside(mount.target)), shlex.quote(str(mount.source))
    parent = shlex.quote(os.path.dirname(_inside(mount.target)))  # noqa: PTH120 - keeps the "./"
    if mount.source.is_dir():
        lines = [f"mkdir -p {place}"]
    else:
        lines = [f"mkdir -p {parent}", f"[ -e {place} ] || : >{place}"]
    lines.append(f"mount --rbind {origin} {place}")
    if mount.read_only:
        lines.append(f"mount -o remount,bind,ro {place}")
    return lines


def _opened(bind: Mount, number: int) -> list[str]:
    """Bind a folder that is closed to other users: open in the container, as it is outside.

    The link keeps a comma or colon of its path out of the mount's options.
    """
    place, lower = shlex.quote(_inside(bind.target)), f"../lower-{number}"
    upper, work = f"../upper-{number}", f"../work-{number}"
    return [
        f"mkdir -p {place} {upper} {work}",
        f"ln -s {shlex.quote(str(bind.source))} {lower}",
        f"mount -t overlay overlay -o lowerdir={lower},upperdir={upper},workdir={work} {place}",
        f"chmod go+rx {place}",
        f"mount -o remount,ro {place}",
    ]


def _traversable(binds: tuple[str, ...]) -> list[str]:
    """Let every user reach the bound folders, in the overlay only (a home may be closed)."""
    parents = {parent for bind in binds for parent in Path(os.path.realpath(bind)).parents}
    closed = sorted(parent for parent in parents if _is_closed(parent, 0o011))
    return [f"chmod go+x {shlex.quote(_inside(str(path)))}" for path in closed]


def _places(plan: ContainerPlan) -> list[str]:
    """Binds and volumes, outer ones first: a volume at /tmp must not cover a checkout below it."""
    binds = [Mount(Path(bind), bind, read_only=True) for bind in dict.fromkeys(plan.binds)]
    closed = {bind for bind in binds if _is_closed(bind.source, 0o055)}
    lines = []
    places = sorted([*binds, *plan.mounts], key=lambda one: Path(_inside(one.target)).parts)
    for number, mount in enumerate(places):
        lines += _opened(mount, number) if mount in closed else _bind(mount)
    return lines


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


def _root(plan: ContainerPlan) -> list[str]:
    """The root: what is written to the machine's own files goes to a tmpfs instead.

    Its folders are named relative to it, for an option cannot hold the comma of a path.
    """
    root = shlex.quote(str(plan.folder / "rootfs"))
    scratch = dict.fromkeys(_inside(path) for path in _SCRATCH)
    return [
        "umask 022",
        f"mount -t tmpfs -o mode=755 tmpfs {root}",
        f"cd {root}",
        "mkdir upper work root",
        "mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root",
        "cd root",
        *_traversable(plan.binds),
        *(f"mount -t tmpfs -o mode=1777 tmpfs {path}" for path in scratch),
    ]


def build_script(plan: ContainerPlan) -> str:
    """The script; it writes ``up`` to descriptor 3 right before the program takes over."""
    hidden = shlex.quote(_inside(str(plan.hidden)))
    lines = [
        "set -eu",
        *_root(plan),
        *_devices(),
        "mount -t proc proc ./proc",
        "mount --bind /sys ./sys",
        "mount -o remount,bind,ro ./sys",
        "rm -f ./etc/resolv.conf ./etc/hosts",
        ": >./etc/resolv.conf",
        f"printf %s {shlex.quote(plan.hosts)} >./etc/hosts",
        "cat /proc/sys/kernel/hostname >./etc/hostname",
        *_places(plan),
        # Last, and only where it shows: it may lie in a folder that was bound.
        f"[ ! -d {hidden} ] || mount -t tmpfs -o mode=755 tmpfs {hidden}",
    ]
    folder = shlex.quote(_inside(plan.working_folder))
    lines.append(f"[ -d {folder} ] || mkdir -p {folder}")
    if plan.read_only_root:
        taken = {mount.target for mount in plan.mounts}
        lines.append("mount -o remount,bind,ro .")
        lines += [
            f"mount -o remount,bind,ro {_inside(path)}" for path in _SCRATCH if path not in taken
        ]
    lines += ["cd .", "echo up >&3", "exec 3>&-", _program(plan)]
    return "\n".join(lines) + "\n"
