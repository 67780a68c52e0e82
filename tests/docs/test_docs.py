"""The documentation says what is there: links, targets, paths, reasons, examples, commands."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml
from typer.testing import CliRunner

from escadre.cli.main import app
from escadre.cli.plan.wishes import read_wishes
from escadre.cli.plan.wishfiles import read_texts
from escadre.cli.shared.session import Environment
from escadre.core.weights import manifest
from escadre.reasons import REASONS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / "e2e").rglob("*.md"),
    ]
)
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{_name(page)}: {target}"
        if anchor:
            assert anchor in _anchors(file), f"{_name(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in _commands(page.read_text()):
        if match := re.match(r"(?:[A-Z]+=\S+ )*make((?: [a-z][a-z0-9-]*)*)(?: [A-Z_]+=.*)?$", line):
            assert set(match[1].split()) <= targets, f"{_name(page)}: {line}"


def _commands(text: str) -> Iterator[str]:
    """Lines of shell blocks without their comments, and inline code that begins like a command."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s+#.*$", "", line).strip().split(" [")[0]
    yield from (code.strip() for code in re.findall(r"`([^`\n]+)`", text) if " " in code)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_module_and_script_that_is_run_exists(page: Path) -> None:
    for name in re.findall(r"python -m ((?:e2e|escadre)[\w.]*)", page.read_text()):
        file = ROOT / ("operator" if name.startswith("escadre") else "") / name.replace(".", "/")
        assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), name


def test_every_path_of_the_concept_table_exists() -> None:
    text = (ROOT / "README.md").read_text()
    table = text.split("| concept | where |", 1)[1].split("\n\n", 1)[0]
    paths = re.findall(r"`([^`]+)`", table)
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_path_in_code_that_looks_like_ours_exists(page: Path) -> None:
    tops = "operator|crds|charts|tests|e2e|docs|examples|requirements"
    for path in re.findall(rf"`((?:{tops})/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), f"{_name(page)}: {path}"


def test_every_reason_of_troubleshooting_is_a_reason() -> None:
    text = (ROOT / "docs/operate/troubleshooting.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert named
    assert named <= set(REASONS)


def test_commands_of_escadre_exist_with_their_options() -> None:
    runner, helps = CliRunner(), dict[str, str]()
    for page in PAGES:
        for line in _commands(page.read_text()):
            for words in re.findall(
                r"(?:^|\| )escadre ((?:(?:approve|layout|catalog|mirror) )?[a-z][a-z-]*)"
                r"((?: [^|;]*)?)",
                line,
            ):
                command, rest = words
                if command not in helps:
                    wide = {"COLUMNS": "200", "NO_COLOR": "1"}
                    asked = [*command.split(), "--help"]
                    done = runner.invoke(app, asked, env=wide, obj=Environment())
                    assert done.exit_code == 0, f"{_name(page)}: escadre {command}"
                    helps[command] = done.output
                for option in re.findall(r"(?<= )(--[a-z-]+)", rest):
                    assert option in helps[command], f"{_name(page)}: {line}"
    assert {"why", "plan", "status", "approve sign"} <= set(helps)


def _documents(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


def _schemas() -> dict[str, dict[str, Any]]:
    found = {}
    for file in (ROOT / "crds").glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        found[crd["spec"]["names"]["kind"]] = _closed(schema)
    return found


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema as JSON schema that knows no further fields, as kubectl is strict."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {key: _closed(one) for key, one in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    if isinstance(schema.get("items"), dict):
        closed["items"] = _closed(schema["items"])
    return closed


def _ours() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in EXAMPLES:
        for document in _documents(file.read_text()):
            yield _name(file), document
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            if "kind:" in block:
                yield from ((_name(page), one) for one in _documents(block))


def test_examples_and_yaml_of_the_pages_are_valid() -> None:
    schemas, seen = _schemas(), set[str]()
    for where, document in _ours():
        if not document["apiVersion"].startswith("escadre.dev/"):
            continue
        seen.add(document["kind"])
        schema = dict(schemas[document["kind"]])
        schema["properties"] = {**schema["properties"], "metadata": {"type": "object"}}
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(document))
        assert not errors, f"{where}: {errors[0].json_path}: {errors[0].message}"
    assert {"ModelDeployment", "ModelApproval", "ModelMirror"} <= seen


@pytest.mark.parametrize("folder", ["bank", "quickstart"])
def test_examples_pass_the_checks_of_plan(folder: str) -> None:
    files = [file for file in EXAMPLES if file.parent.name == folder]
    texts = read_texts([str(file) for file in files], lambda name: Path(name).read_text())
    wishes = read_wishes(texts, "default")
    for wish in wishes.deployments:
        approval = wishes.approvals.get(wish.spec.approval)
        if approval:
            assert wish.namespace in approval.spec.namespaces


def test_the_first_screen_shows_a_resource_of_ten_lines() -> None:
    text = (ROOT / "README.md").read_text()
    block = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    assert len(block.splitlines()) == 10
    assert "What it does not do" in "\n".join(text.splitlines()[:40])


def test_the_manifest_of_concepts_has_the_digest_that_the_page_gives() -> None:
    text = (ROOT / "docs/use/concepts.md").read_text()
    blocks = re.findall(r"```\n(escadre-manifest/v1\n.*?)```", text, re.DOTALL)
    example = blocks[1].encode()
    assert len(manifest.parse(example).files) == 3
    assert hashlib.sha256(example).hexdigest() in text.split(blocks[1], 1)[1]
    assert blocks[1].split("\n")[1].split()[3] == str(manifest.CHUNK_SIZE)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
