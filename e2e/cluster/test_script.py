"""The container script, run for real: a checkout is seen inside wherever it lies on this machine.

Needs root and no cluster. The pod has a volume at /tmp, as the product's pods have.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.runner.script import ContainerPlan, Mount, build_script

pytestmark = pytest.mark.cluster


@pytest.fixture
def below_tmp() -> Iterator[Path]:
    """A folder below /tmp that only its owner may enter, with a blank and a comma in its path."""
    with tempfile.TemporaryDirectory(prefix="escadre a, ", dir="/tmp") as folder:
        yield Path(folder)


def _checkout(folder: Path) -> Path:
    """A tree with one program, and a folder in it that stands for its environment."""
    environment = folder / ".venv"
    environment.mkdir(parents=True)
    program = folder / "program"
    program.write_text('#!/bin/sh\necho "$0 $(id -u)"\nls /tmp/hidden 2>/dev/null\n')
    program.chmod(0o755)
    return folder


def _run(state: Path, checkout: Path, **plan: object) -> "subprocess.CompletedProcess[str]":
    """What the program of the checkout says in a container of another user."""
    volume = state / "volume"
    volume.mkdir(parents=True)
    volume.chmod(0o777)
    (state / "rootfs").mkdir()
    defaults: dict[str, object] = {
        "folder": state,
        "hidden": state,
        "command": (str(checkout / "program"),),
        "environment": {"PATH": "/usr/bin:/bin"},
        "working_folder": "/",
        "hosts": "",
        "binds": (str(checkout), str(checkout / ".venv")),
        "mounts": (Mount(volume, "/tmp"),),  # noqa: S108 - inside the container
        "user": 65532,
        "group": 65532,
    }
    script = state / "start.sh"
    script.write_text(build_script(ContainerPlan(**(defaults | plan))))  # type: ignore[arg-type]
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", 'sh "$0" 3>/dev/null', str(script)],
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        umask=0o077,
    )


@pytest.mark.parametrize("read_only", [False, True], ids=["writable root", "read-only root"])
def test_a_checkout_below_tmp_is_seen_under_a_volume_at_tmp(
    below_tmp: Path, tmp_path: Path, read_only: bool
) -> None:
    checkout = _checkout(below_tmp / "its parent" / "checkout")
    done = _run(tmp_path / "state", checkout, read_only_root=read_only)
    assert (done.stdout, done.stderr) == (f"{checkout}/program 65532\n", "")


def test_a_checkout_that_is_itself_closed_is_open_inside_and_stays_closed(
    below_tmp: Path, tmp_path: Path
) -> None:
    checkout = _checkout(below_tmp / "checkout")
    checkout.chmod(0o700)
    done = _run(tmp_path / "state", checkout)
    assert (done.stdout, done.stderr) == (f"{checkout}/program 65532\n", "")
    assert checkout.stat().st_mode & 0o777 == 0o700


def test_a_strict_umask_closes_no_folder_on_the_way(below_tmp: Path, tmp_path: Path) -> None:
    checkout = _checkout(below_tmp / "one" / "two" / "checkout")
    for folder in checkout.parents:
        if folder.is_relative_to(below_tmp):
            folder.chmod(0o700)
    done = _run(tmp_path / "state", checkout, mounts=())
    assert (done.stdout, done.stderr) == (f"{checkout}/program 65532\n", "")


def test_a_state_folder_with_a_blank_and_below_the_checkout_stays_hidden(below_tmp: Path) -> None:
    checkout = _checkout(below_tmp / "checkout")
    state = checkout / "a state"
    command = ("/bin/ls", "-A", str(state))
    done = _run(state, checkout, command=command)
    assert (done.stdout, done.stderr) == ("", "")
