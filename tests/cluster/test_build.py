"""Building the programs: one build for a tier, told as it goes, whole or not at all."""

import sys
from pathlib import Path

import pytest
from e2e.cluster.binaries import find_programs, main, provide_programs
from e2e.cluster.build import BuildError, Progress
from e2e.cluster.programs import Tier, cache_folder, programs_of
from e2e.cluster.toolchain import NoToolchainError, find_go


def test_a_build_tells_what_is_done_and_what_is_left() -> None:
    said: list[str] = []
    times = iter([0.0, 61.0, 125.0, 130.0])
    progress = Progress(20, ("etcd", "kubectl"), said.append, clock=lambda: next(times))
    progress.package()
    progress.package()
    progress.programs(["etcd"])
    progress.programs(["etcd", "kubectl"])
    assert said == [
        "  1:01  2 of 20 packages compiled; left: etcd, kubectl",
        "  2:05  etcd is built, 1 of 2; left: kubectl",
        "  2:10  kubectl is built, 2 of 2",
    ]


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# As go: `list` names what is to be compiled, `build` is what the test says it does.
_GO = """\
case "$1" in
version) echo "go version go1.26.8 linux/amd64" ;;
list) echo a/x; echo k8s.io/kubernetes/cmd/kubectl ;;
build)
    for word in "$@"; do case $word in */) folder=$word ;; esac; done
    {build}
    ;;
esac"""
_BUILT = "for p in {names}; do echo $p >${{folder}}$p; done; echo a/x >&2"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has built nothing yet, and no program of the cluster on PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def test_a_tier_is_built_at_once_and_then_found(machine: Path) -> None:
    names = " ".join(one.built_name for one in programs_of(Tier.DEMO))
    go = _script(machine / "bin" / "go", _GO.format(build=_BUILT.format(names=names)))
    said: list[str] = []
    found = provide_programs(said.append, Tier.DEMO)
    assert {one.origin for one in found.values()} == {"built"}
    assert found["etcd"].path.read_text() == "server\n"
    assert "8 of 8" in said[-1]
    go.unlink()
    again = provide_programs(said.append, Tier.DEMO)
    assert {one.origin for one in again.values()} == {"cache"}


def test_a_build_that_fails_leaves_no_half_program(machine: Path) -> None:
    half = "echo half >${folder}kubectl; echo '# a/x' >&2; echo 'x.go:1: no' >&2; exit 1"
    _script(machine / "bin" / "go", _GO.format(build=half))
    with pytest.raises(BuildError, match=r"(?s)building etcd, .*\n# a/x\nx.go:1: no"):
        provide_programs(print, Tier.DEMO)
    assert find_programs(Tier.DEMO) == {}
    assert list((cache_folder() / "store").iterdir()) == []


def test_what_a_killed_build_left_is_swept_by_the_next(machine: Path) -> None:
    (cache_folder() / "store" / ".build-killed").mkdir(parents=True)
    _script(machine / "bin" / "go", _GO.format(build="exit 1"))
    with pytest.raises(BuildError):
        provide_programs(print, Tier.DEMO)
    assert list((cache_folder() / "store").iterdir()) == []


def test_without_a_module_proxy_one_line_says_so(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = 'echo "go: k8s.io/kubernetes@v1.36.3: dial tcp: lookup proxy: no such host" >&2; exit 1'
    _script(
        machine / "bin" / "go", f'[ "$1" = version ] && echo go version go1.26.8 || {{ {lost}; }}'
    )
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == (
        "fetching Go modules: go: k8s.io/kubernetes@v1.36.3: dial tcp: lookup proxy: no such host; "
        "is the module proxy within reach?\n"
    )


def test_a_go_that_cannot_be_installed_is_one_line(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e.cluster.toolchain._SYSTEM", machine / "none")
    python = "[ $2 = venv ] && exit 0; echo WARNING: Retrying >&2; echo ERROR: nothing >&2; exit 1"
    monkeypatch.setattr(sys, "executable", str(_script(machine / "python", python)))
    _script(cache_folder() / "go" / "bin" / "python", python)
    with pytest.raises(NoToolchainError, match=r"^installing .*: ERROR: nothing; is the package"):
        find_go(cache_folder(), print)
