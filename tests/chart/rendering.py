"""Renders the chart with the real Helm and finds objects in the result; used by the chart tests."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from e2e.cluster.binaries import find_programs
from e2e.cluster.programs import Tier

__all__ = ["CHART", "CI_VALUES", "NAMESPACE", "Json", "Rendered", "helm", "render"]

Json = dict[str, Any]

CHART: Final = Path(__file__).parents[2] / "charts" / "escadre"
CI_VALUES: Final = ("default", "full")
NAMESPACE: Final = "escadre-system"


@cache
def _helm_path() -> Path:
    """Helm as it was found: a unit test builds nothing (``make test`` has, before it starts)."""
    found = find_programs(Tier.DEMO).get("helm")
    if found is None:
        pytest.skip("Helm is not built yet: make binaries")
    return found.path


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Helm on no cluster at all; the caller looks at the status."""
    return subprocess.run(
        [_helm_path(), *arguments], capture_output=True, text=True, check=False, timeout=300
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of one rendering, in the order of installation."""

    objects: tuple[Json, ...]

    def all(self, kind: str) -> list[Json]:
        """Every object of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def get(self, kind: str, name: str) -> Json:
        """The one object of that kind and name."""
        (found,) = [one for one in self.all(kind) if one["metadata"]["name"] == name]
        return found

    def workloads(self) -> Iterator[Json]:
        """What runs pods."""
        yield from self.all("Deployment")
        yield from self.all("DaemonSet")


@cache
def render(values: str, *arguments: str) -> Rendered:
    """The chart with ``ci/<values>-values.yaml`` and further arguments of ``helm template``."""
    file = CHART / "ci" / f"{values}-values.yaml"
    done = helm(
        "template",
        "escadre",
        str(CHART),
        f"--namespace={NAMESPACE}",
        "--kube-version=1.36.3",
        f"--values={file}",
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    return Rendered(tuple(one for one in yaml.safe_load_all(done.stdout) if one))
