"""The programs of the test cluster: what they are called, where they come from, which version fits.

A table and pure functions over it. ``binaries`` finds or builds what stands here; the versions
must agree with the modules under ``go/`` (a test compares them).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "CACHE_VERSION",
    "KUBERNETES_VERSION",
    "PROGRAMS",
    "Program",
    "cache_folder",
    "linker_flags",
]

KUBERNETES_VERSION: Final = "v1.36.3"
CACHE_VERSION: Final = KUBERNETES_VERSION

_KUBERNETES_MINOR: Final = re.compile(r"v1\.36\.\d+")


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the module folder under ``go/`` that pins it, and how to know a fitting one."""

    name: str
    module: str
    package: str
    version: str
    version_arguments: tuple[str, ...]
    fits: re.Pattern[str]


def _kubernetes(name: str, arguments: tuple[str, ...] = ("--version",)) -> Program:
    package = f"k8s.io/kubernetes/cmd/{name}"
    return Program(name, "kubernetes", package, KUBERNETES_VERSION, arguments, _KUBERNETES_MINOR)


PROGRAMS: Final[tuple[Program, ...]] = (
    Program(
        "etcd",
        "etcd",
        "go.etcd.io/etcd/server/v3",
        "v3.6.14",
        ("--version",),
        re.compile(r"etcd Version: 3\.6\.\d+"),
    ),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kube-proxy"),
    _kubernetes("kubectl", ("version", "--client")),
    Program(
        "kwok",
        "kwok",
        "sigs.k8s.io/kwok/cmd/kwok",
        "v0.8.0",
        ("--version",),
        re.compile(r"\bv?0\.8\.\d+"),
    ),
    Program(
        "helm",
        "helm",
        "helm.sh/helm/v3/cmd/helm",
        "v3.21.4",
        ("version", "--short"),
        re.compile(r"^v3\.(1[89]|2\d)\."),
    ),
    Program(
        "kubeconform",
        "kubeconform",
        "github.com/yannh/kubeconform/cmd/kubeconform",
        "v0.8.0",
        ("-v",),
        re.compile(r"^v?0\.\d+"),
    ),
)


def cache_folder() -> Path:
    """Folder of everything built once, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "escadre" / CACHE_VERSION


def linker_flags(program: Program) -> str:
    """Flags that set the version.

    Without them a Kubernetes program says v0.0.0-master, which misleads the checks of Helm.
    """
    flags = ["-s", "-w"]
    if program.module == "kubernetes":
        major, minor, _ = program.version.removeprefix("v").split(".")
        values = {
            "gitVersion": program.version,
            "gitMajor": major,
            "gitMinor": minor,
            "gitCommit": "module",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
        }
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            flags += [f"-X {package}.{key}={value}" for key, value in values.items()]
    if program.name == "helm":
        flags.append(f"-X helm.sh/helm/v3/internal/version.version={program.version}")
    if program.name == "kubeconform":
        flags.append(f"-X main.version={program.version}")
    if program.name == "kwok":
        flags.append(f"-X sigs.k8s.io/kwok/pkg/consts.Version={program.version}")
    return " ".join(flags)
