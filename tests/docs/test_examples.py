"""Examples may be applied beside each other, the demo and what the documentation walks through."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from escadre.api.approval import ModelApprovalSpec
from escadre.api.kinds import KINDS
from escadre.core.approvals.naming import approval_name

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
CLUSTER_SCOPED = {"Namespace", *(one.kind for one in KINDS if one.scope == "Cluster")}
# The demo applies examples/quickstart, and makes these beside it.
DEMO = {
    ("ModelMirror", "internal"),
    ("Namespace", "ia-pour-tous"),
    ("ModelApproval", "tiny-mistral"),
    ("ModelApproval", "tiny-mistral-2"),
}


def _objects(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.rglob("*.yaml")):
        yield from (one for one in yaml.safe_load_all(path.read_text()) if one)


def _cluster_scoped(folder: Path) -> set[tuple[str, str]]:
    return {
        (one["kind"], one["metadata"]["name"])
        for one in _objects(folder)
        if one["kind"] in CLUSTER_SCOPED
    }


FOLDERS = {path.name: _cluster_scoped(path) for path in EXAMPLES.iterdir() if path.is_dir()}


def test_no_two_examples_define_the_same_object_of_the_cluster() -> None:
    count = Counter(one for found in FOLDERS.values() for one in found)
    assert [one for one, number in count.items() if number > 1] == []


def test_no_example_but_the_demo_s_own_defines_an_object_of_the_demo() -> None:
    for name, found in FOLDERS.items():
        if name != "quickstart":
            assert not found & DEMO, name


def test_an_example_refers_only_to_what_it_defines_or_the_demo_does() -> None:
    for name, found in FOLDERS.items():
        for one in _objects(EXAMPLES / name):
            known = found | (DEMO if name == "quickstart" else set())
            namespace = one["metadata"].get("namespace")
            assert namespace is None or ("Namespace", namespace) in known
            spec = one.get("spec", {})
            if one["kind"] == "ModelDeployment":
                assert ("ModelApproval", spec["approval"]) in known
            if one["kind"] == "ModelApproval":
                assert {("ModelMirror", mirror) for mirror in spec["mirrors"]} <= known
                assert {("Namespace", each) for each in spec["namespaces"]} <= known


def test_approvals_of_the_examples_are_named_as_a_draft_names_them() -> None:
    for name, found in FOLDERS.items():
        for one in _objects(EXAMPLES / name):
            if one["kind"] == "ModelApproval":
                repository = ModelApprovalSpec.model_validate(one["spec"]).repository
                assert one["metadata"]["name"] == f"{name}-{approval_name(repository)}"
        assert found


def test_the_documentation_names_an_approval_as_a_draft_does() -> None:
    (drafted,) = set(
        re.findall(r"--repository (\S+)", (ROOT / "docs/operate/install.md").read_text())
    )
    name = approval_name(drafted)
    for page in (ROOT / "README.md", *PAGES):
        for found in re.findall(rf"{name[:21]}[a-z0-9-]*", page.read_text()):
            assert found == name, page
