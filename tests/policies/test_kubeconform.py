"""Every object of the chart fits the schemas of the Kubernetes it is made for, field by field."""

import subprocess
from pathlib import Path

import pytest
import yaml
from e2e.cluster.binaries import provide_programs
from e2e.cluster.cluster import Cluster
from e2e.cluster.programs import Tier
from tests.chart.rendering import CI_VALUES, Rendered, render
from tests.policies.schemas import TEMPLATE, write_schemas

pytestmark = pytest.mark.cluster


def _kubeconform(rendered: Rendered, schemas: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            provide_programs(print, Tier.TEST)["kubeconform"].path,
            "-strict",
            "-summary",
            "-schema-location",
            f"{schemas}/{TEMPLATE}",
        ],
        input=yaml.safe_dump_all(rendered.objects),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def schemas(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(cluster, folder, {one["kind"] for one in render("full").objects})
    return folder


@pytest.mark.parametrize("values", CI_VALUES)
def test_chart_is_kubeconform_clean(schemas: Path, values: str) -> None:
    done = _kubeconform(render(values), schemas)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


def test_kubeconform_would_see_a_misspelt_field(schemas: Path) -> None:
    service = render("default").get("Service", "escadre-operator-metrics")
    wrong = {**service, "spec": {**service["spec"], "selectors": {}}}
    done = _kubeconform(Rendered((wrong,)), schemas)
    assert done.returncode != 0
    assert "selectors" in done.stdout
