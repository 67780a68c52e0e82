"""What a person does to bring a manifest onto each kind of mirror."""

from pathlib import Path
from typing import Any

import pytest

from escadre.api.mirror import ModelMirrorSpec
from escadre.cli.approve.publishing import how_to_publish

MANIFEST = Path("out") / f"{'a' * 64}.manifest"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(
            {"type": "http", "url": "https://files.bank.example/w/"},
            f"copy {MANIFEST} to https://files.bank.example/w/escadre-manifests/",
            id="a tree",
        ),
        pytest.param(
            {
                "type": "huggingface",
                "url": "https://hub.bank.example",
                "manifestsURL": "https://files.bank.example/m",
            },
            f"copy {MANIFEST} to https://files.bank.example/m/",
            id="a hub",
        ),
        pytest.param(
            {
                "type": "s3",
                "url": "https://s3.bank.example",
                "s3": {"bucket": "weights", "prefix": "models"},
            },
            f"aws s3 cp {MANIFEST} s3://weights/models/escadre-manifests/ "
            "--endpoint-url https://s3.bank.example",
            id="a bucket",
        ),
        pytest.param(
            {"type": "s3", "url": "https://s3.bank.example", "s3": {"bucket": "weights"}},
            f"aws s3 cp {MANIFEST} s3://weights/escadre-manifests/ "
            "--endpoint-url https://s3.bank.example",
            id="a bucket without a prefix",
        ),
        pytest.param(
            {"type": "oci", "url": "https://harbor.bank.example/models"},
            f"oras push harbor.bank.example/models/org/model-7b:escadre-{'a' * 64} {MANIFEST}",
            id="a registry",
        ),
        pytest.param(
            {"type": "folder", "folder": {"name": "share"}},
            f"copy {MANIFEST} to escadre-manifests/ of the folder share",
            id="a folder",
        ),
    ],
)
def test_the_step_is_that_of_the_mirror(spec: dict[str, Any], says: str) -> None:
    mirror = ModelMirrorSpec.model_validate(spec)
    assert how_to_publish(MANIFEST, mirror, "org/Model-7B") == says


def test_a_mirror_that_nobody_was_asked_of() -> None:
    says = f"copy {MANIFEST} to where the mirror keeps its manifests"
    assert how_to_publish(MANIFEST, None, "org/model") == says


def test_a_name_that_a_registry_does_not_take_is_said() -> None:
    mirror = ModelMirrorSpec(type="oci", url="https://harbor.bank.example")
    assert how_to_publish(MANIFEST, mirror, "org/model-") == (
        "name another mirror: org/model- can be no name of a repository in an OCI registry"
    )


def test_oras_is_told_that_a_path_is_absolute() -> None:
    mirror = ModelMirrorSpec(type="oci", url="http://127.0.0.1:5000")
    assert how_to_publish(Path("/x/b.manifest"), mirror, "o/m") == (
        "oras push --disable-path-validation 127.0.0.1:5000/o/m:escadre-b /x/b.manifest"
    )
