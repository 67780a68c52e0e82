"""What the set-up decides on a machine that lacks something: install, name it, or refuse."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.cluster.config import REPOSITORY

_SETUP = REPOSITORY / "e2e" / "machine" / "setup.sh"
_SHELL = ("sh", "dirname", "mkdir", "grep", "tail", "cat", "touch", "chmod", "rm")
_CLUSTER = ("ip", "iptables", "iptables-save", "unshare", "nsenter", "setpriv", "mount", "umount")
# As apt-get: what it installs appears on PATH; without lists it knows no package.
_APT = """\
echo "$*" >>{calls}
case "$*" in
*update*) {update} ;;
*install*)
    [ -e {lists} ] || {{ echo "E: Unable to locate package"; exit 100; }}
    {install}
    ;;
esac
"""


@dataclass
class Bare:
    """A machine whose PATH is one folder; programs are added to it by name."""

    folder: Path
    uid: int = 0
    system: str = "Linux"
    python: str = "3.11"
    venv: bool = True
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        (self.folder / "certificates").write_text("-----BEGIN CERTIFICATE-----\n")
        for name in _SHELL:
            (self.folder / "bin" / name).symlink_to(str(shutil.which(name)))

    def program(self, name: str, script: str = "") -> None:
        """A program that does what ``script`` says."""
        path = self.folder / "bin" / name
        path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        path.chmod(0o755)

    def apt(self, *, lists: bool = True, works: bool = True, updates: bool = True) -> None:
        """An apt-get that makes every program of the cluster and a Python with venv."""
        if lists:
            (self.folder / "lists").touch()
        bin_ = self.folder / "bin"
        made = " ".join(str(bin_ / name) for name in _CLUSTER)
        install = f"touch {made}; chmod 755 {made}; touch {self.folder / 'venv'}"
        reach = "echo 'W: Failed to fetch http://archive/x  Could not resolve archive'; exit 100"
        script = _APT.format(
            calls=self.folder / "calls",
            lists=self.folder / "lists",
            install=install if works else "exit 0",
            update=f"touch {self.folder / 'lists'}" if updates else reach,
        )
        self.program("apt-get", script)

    def run(self, *what: str) -> subprocess.CompletedProcess[str]:
        """The set-up on this machine."""
        self.program("id", f"echo {self.uid}")
        self.program("uname", f"echo {self.system}")
        if self.venv:
            (self.folder / "venv").touch()
        if self.python:
            asked = f'case "$2" in *version*) echo {self.python} ;; *) [ -e {self.folder}/venv ] ;;'
            self.program("python3", f"{asked} esac")
        variables = {"PATH": str(self.folder / "bin")}
        variables |= {"SSL_CERT_FILE": str(self.folder / "certificates")} | self.variables
        return subprocess.run(
            [str(shutil.which("sh")), str(_SETUP), *what],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    @property
    def calls(self) -> list[str]:
        """What apt-get was asked for: the words after its options."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition("Retries=2 ")[2] for line in lines]


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def test_a_machine_that_has_all_hears_nothing(bare: Bare) -> None:
    for name in _CLUSTER:
        bare.program(name)
    bare.apt()
    done = bare.run("python", "cluster")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert bare.calls == []


def test_root_on_debian_has_what_is_missing_installed_after_one_line(bare: Bare) -> None:
    bare.venv = False
    bare.apt()
    done = bare.run("python", "cluster")
    packages = "python3.11-venv iproute2 iptables util-linux mount"
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"installing with apt-get: {packages} (SETUP=no refuses)\n"
    assert bare.calls == [f"install --no-install-recommends {packages}"]


def test_a_machine_without_package_lists_fetches_them_first(bare: Bare) -> None:
    bare.apt(lists=False)
    assert bare.run("cluster").returncode == 0
    assert [call.split()[0] for call in bare.calls] == ["install", "update", "install"]


def test_without_network_one_line_says_so_and_what_to_do(bare: Bare) -> None:
    bare.apt(lists=False, updates=False)
    done = bare.run("cluster")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "could not install iproute2 iptables util-linux mount" in done.stderr
    assert "Could not resolve archive" in done.stderr
    assert "build/setup.log" in done.stderr


def test_an_installation_that_brings_nothing_is_not_believed(bare: Bare) -> None:
    bare.apt(works=False)
    done = bare.run("cluster")
    assert done.returncode == 1
    assert "and yet missing: iproute2 iptables util-linux mount" in done.stderr


def test_setup_no_names_what_is_missing_and_touches_nothing(bare: Bare) -> None:
    bare.apt()
    bare.variables = {"SETUP": "no"}
    done = bare.run("python", "cluster")
    assert done.returncode == 1
    assert done.stderr == (
        "setup: SETUP=no, and missing: iproute2 iptables util-linux mount; install them: "
        "apt-get install -y --no-install-recommends iproute2 iptables util-linux mount\n"
    )
    assert bare.calls == []


def test_without_apt_one_line_names_the_packages(bare: Bare) -> None:
    done = bare.run("python", "cluster")
    assert done.returncode == 1
    assert done.stderr == (
        "setup: missing: iproute2 iptables util-linux mount (so they are called on Debian): "
        "install them with this system's package manager\n"
    )


def test_who_is_not_root_is_told_what_to_run(bare: Bare) -> None:
    bare.apt()
    bare.uid = 1000
    bare.venv = False
    done = bare.run("python")
    command = "sudo apt-get install -y --no-install-recommends python3.11-venv"
    assert done.stderr == f"setup: missing: python3.11-venv; install them: {command}\n"
    done = bare.run("python", "cluster")
    assert "needs root for its network namespaces: run make with sudo; it will" in done.stderr
    assert (done.returncode, bare.calls) == (1, [])


def test_unit_tests_and_lint_need_python_only(bare: Bare) -> None:
    bare.uid = 1000
    assert bare.run("python").returncode == 0


def test_a_python_that_is_too_old_is_one_line(bare: Bare) -> None:
    bare.python = "3.9"
    bare.apt()
    done = bare.run("python")
    assert done.stderr == (
        "setup: python3 is Python 3.9, 3.11 or newer is needed: call make with "
        "PYTHON=python3.12 or another that is there\n"
    )
    assert bare.calls == []


def test_no_python_at_all_is_installed(bare: Bare) -> None:
    bare.python = ""
    bare.variables = {"SETUP": "no"}
    assert "missing: python3 python3-venv;" in bare.run("python").stderr


def test_a_python_that_is_named_and_not_there_is_one_line(bare: Bare) -> None:
    bare.variables = {"PYTHON": "python3.99"}
    assert "PYTHON=python3.99 is not there" in bare.run("python").stderr


def test_the_test_cluster_needs_linux(bare: Bare) -> None:
    bare.system = "Darwin"
    assert "needs Linux (this is Darwin)" in bare.run("python", "cluster").stderr


def test_a_failed_pip_is_one_line(tmp_path: Path) -> None:
    pip = tmp_path / "python"  # both the interpreter that makes .venv and the one in it
    pip.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f'*"-m venv"*) mkdir -p .venv/bin; ln -s {pip} .venv/bin/python ;;\n'
        '*) echo "WARNING: Retrying"; echo "ERROR: No matching distribution for x"; exit 1 ;;\n'
        "esac\n"
    )
    pip.chmod(0o755)
    done = subprocess.run(
        ["sh", str(REPOSITORY / "e2e" / "machine" / "venv.sh"), ".venv"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(pip)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "setup: pip install --require-hashes -r requirements/build.txt failed: ERROR: No matching "
        "distribution for x; is the package index within reach? (all it said: build/venv.log)\n"
    )
