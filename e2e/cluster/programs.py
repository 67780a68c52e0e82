"""The programs of the test cluster: what they are called, where they come from, which version fits.

A table and functions over it. ``binaries`` finds what stands here, ``build`` builds it; the
versions must agree with the modules under ``go/`` (a test compares them). Standard library only:
the Makefile builds the programs while ``.venv`` is still being made.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = [
    "CACHE_VERSION",
    "KUBERNETES_VERSION",
    "PROGRAMS",
    "Program",
    "Tier",
    "cache_folder",
    "linker_flags",
    "programs_of",
]

KUBERNETES_VERSION: Final = "v1.36.3"
CACHE_VERSION: Final = KUBERNETES_VERSION

_KUBERNETES_MINOR: Final = re.compile(r"v1\.36\.\d+")
_MODULES: Final = Path(__file__).parent / "go"


class Tier(StrEnum):
    """Who needs a program; each tier but the last needs those before it too.

    One Go module per tier, ``go/TIER``: what is built together compiles the packages it shares
    once. The first demo waits for the first tier, so nothing goes there that it can do without.
    Mirrors, which stand beside a cluster, are built when a test asks for one.
    """

    DEMO = "demo"
    TEST = "test"
    BENCH = "bench"
    MIRRORS = "mirrors"


@dataclass(frozen=True, slots=True)
class Program:
    """One program: who needs it, which package of the tier's module it is, what fits."""

    name: str
    tier: Tier
    package: str
    version: str
    version_arguments: tuple[str, ...]
    fits: re.Pattern[str]
    version_variables: tuple[str, ...] = ()

    @property
    def built_name(self) -> str:
        """What ``go build`` calls it: the last part of the package that is not its version."""
        parts = self.package.split("/")
        return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _kubernetes(name: str, arguments: tuple[str, ...] = ("--version",)) -> Program:
    package = f"k8s.io/kubernetes/cmd/{name}"
    return Program(name, Tier.DEMO, package, KUBERNETES_VERSION, arguments, _KUBERNETES_MINOR)


def _own(name: str, tier: Tier) -> Program:
    """A program of this repository: its version is its text and the module it is built in.

    None from outside fits, whatever it says of itself.
    """
    module = _MODULES / tier
    text = (module / name / "main.go").read_bytes() + (module / "go.mod").read_bytes()
    version = hashlib.sha256(text).hexdigest()[:12]
    package = f"escadre.dev/e2e/{tier}/{name}"
    return Program(name, tier, package, version, ("--version",), re.compile("(?!)"))


PROGRAMS: Final[tuple[Program, ...]] = (
    Program(
        "etcd",
        Tier.DEMO,
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
        Tier.DEMO,
        "sigs.k8s.io/kwok/cmd/kwok",
        "v0.8.0",
        ("--version",),
        re.compile(r"\bv?0\.8\.\d+"),
        ("sigs.k8s.io/kwok/pkg/consts.Version",),
    ),
    Program(
        "helm",
        Tier.DEMO,
        "helm.sh/helm/v3/cmd/helm",
        "v3.21.4",
        ("version", "--short"),
        re.compile(r"^v3\.(1[89]|2\d)\."),
        ("helm.sh/helm/v3/internal/version.version",),
    ),
    Program(
        "kubeconform",
        Tier.TEST,
        "github.com/yannh/kubeconform/cmd/kubeconform",
        "v0.8.0",
        ("-v",),
        re.compile(r"^v?0\.\d+"),
        ("main.version",),
    ),
    _own("objecthealth", Tier.TEST),
    Program(
        "versitygw",
        Tier.MIRRORS,
        "github.com/versity/versitygw/cmd/versitygw",
        "v1.8.0",
        ("--version",),
        re.compile(r"Version\s*:\s*v?1\.8\."),
        ("main.Version",),
    ),
    Program(
        "registry",
        Tier.MIRRORS,
        "github.com/distribution/distribution/v3/cmd/registry",
        "v3.1.2",
        ("--version",),
        re.compile(r"distribution/v3 v3\.1\."),
    ),
)


def programs_of(tier: Tier) -> tuple[Program, ...]:
    """The programs of a tier and of those before it; of mirrors, only theirs."""
    if tier is Tier.MIRRORS:
        return tuple(one for one in PROGRAMS if one.tier is tier)
    order = list(Tier)
    return tuple(one for one in PROGRAMS if order.index(one.tier) <= order.index(tier))


def cache_folder() -> Path:
    """Folder of everything built once, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "escadre" / CACHE_VERSION


def linker_flags(programs: Iterable[Program]) -> str:
    """Flags that leave out debugging data and set the versions, for one build of ``programs``.

    A program ignores the variables of the others. Without those of Kubernetes it says
    v0.0.0-master, which misleads the checks of Helm.
    """
    values = {variable: one.version for one in programs for variable in one.version_variables}
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values |= {
            f"{package}.gitVersion": KUBERNETES_VERSION,
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
            f"{package}.gitCommit": "module",
            f"{package}.gitTreeState": "clean",
            f"{package}.buildDate": "1970-01-01T00:00:00Z",
        }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])
