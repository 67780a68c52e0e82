"""What a bare machine is given by the one that tries it: the way to packages, and nothing else."""

from pathlib import Path

import pytest
from e2e.cluster.config import REPOSITORY
from e2e.machine.bare import main
from e2e.machine.handed import acquire_settings, handed_variables


def test_apt_keeps_its_way_out_and_loses_its_hooks() -> None:
    dump = """\
APT::Install-Recommends "0";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::CaInfo "/etc/ssl/own.pem";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::Packages::Optional "0";
Acquire::GzipIndexes "true";
DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";
"""
    assert acquire_settings(dump).splitlines() == [
        'Acquire::http "";',
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::https::CaInfo "/etc/ssl/own.pem";',
        'Acquire::Check-Valid-Until "false";',
    ]


def test_only_the_variables_of_package_clients_are_handed_in() -> None:
    handed = {
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "PIP_INDEX_URL": "https://index/simple",
        "GOPROXY": "https://proxy",
        "GONOSUMDB": "*",
    }
    kept_back = {
        "PATH": "/opt/bin",
        "HOME": "/home/x",
        "GOCACHE": "/warm",
        "GOFLAGS": "-mod=vendor",
        "GOMODCACHE": "/warm",
        "XDG_CACHE_HOME": "/warm",
        "PYTHONPATH": "/warm",
        "SECRET_TOKEN": "x",
    }
    assert handed_variables(handed | kept_back) == handed


def test_who_is_not_root_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bare"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main() == 1
    assert "needs root" in capsys.readouterr().err


def test_ci_runs_the_test_command_of_the_readme() -> None:
    first_screen = (REPOSITORY / "README.md").read_text().split("```sh\n")[1].split("```")[0]
    commands = [line.partition("#")[0].strip() for line in first_screen.splitlines()]
    assert commands == ["make demo", "make test"]
    run = Path(REPOSITORY / ".ci" / "run").read_text().splitlines()
    assert run[-1] == f"exec {commands[1]}"
