"""The table of truth holds: in conditions, in kstatus, in Argo CD, and on the page.

ESCADRE_UPDATE_GOLDEN=1 writes the tables of docs/operate/health.md and the patch for Argo CD anew.
"""

import os
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.health.approvals import APPROVALS
from tests.health.cell import Cell
from tests.health.deployments import DEPLOYMENTS
from tests.health.mirrors import MIRRORS
from tests.health.objecthealth import SCRIPT, Verdict, verdicts
from tests.health.page import table

from escadre import reasons
from escadre.api.kinds import KINDS
from escadre.names import GROUP, ConditionType
from escadre.reasons import Kind

TABLES: Final = {
    "ModelDeployment": DEPLOYMENTS,
    "ModelApproval": APPROVALS,
    "ModelMirror": MIRRORS,
}
ALL: Final = [cell for cells in TABLES.values() for cell in cells]
PAGE: Final = Path(__file__).parents[2] / "docs" / "operate" / "health.md"
PATCH: Final = SCRIPT.with_name("argocd-cm.yaml")


def _name(cell: Cell) -> str:
    return f"{cell.found['kind']}: {cell.what}"


_CELLS: Final = pytest.mark.parametrize("cell", ALL, ids=_name)


def _conditions(cell: Cell) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in cell.found["status"]["conditions"]}


def _said(cell: Cell, type_: str) -> str:
    return str(_conditions(cell).get(type_, {}).get("status", ""))


@_CELLS
def test_conditions_are_as_decided(cell: Cell) -> None:
    ready = _conditions(cell)["Ready"]
    assert f"{ready['status']} {ready['reason']}" == cell.ready
    assert _said(cell, "Available") == cell.available
    besides = [one for one in ("Reconciling", "Stalled") if _said(cell, one) == "True"]
    assert besides == ([] if cell.progress == "-" else [cell.progress])


@_CELLS
def test_what_goes_on_and_what_stays_is_said_with_the_reason_of_ready(cell: Cell) -> None:
    if cell.progress != "-":
        ready, besides = (_conditions(cell)[one] for one in ("Ready", cell.progress))
        assert ready["status"] == "False"
        assert (ready["reason"], ready["message"]) == (besides["reason"], besides["message"])


@pytest.fixture(scope="module")
def told() -> dict[str, Verdict]:
    """What the tools say, by the words of the cell: one run of the program for all."""
    found = verdicts([cell.found for cell in ALL])
    return {_name(cell): verdict for cell, verdict in zip(ALL, found, strict=True)}


@_CELLS
def test_kstatus_judges_as_decided(cell: Cell, told: dict[str, Verdict]) -> None:
    verdict = told[_name(cell)]
    assert verdict.kstatus == cell.kstatus, verdict.kstatus_message


@_CELLS
def test_argo_cd_judges_as_decided(cell: Cell, told: dict[str, Verdict]) -> None:
    verdict = told[_name(cell)]
    assert verdict.argo == cell.argo, verdict.argo_message
    if cell.argo in {"Degraded", "Suspended"}:  # an SRE reads what blocks, and what to do
        ready = _conditions(cell)["Ready"]
        assert ready["reason"] in verdict.argo_message
        assert ready["message"] in verdict.argo_message
        assert ready["nextStep"] in verdict.argo_message


def test_nothing_that_stays_until_somebody_acts_is_in_progress_but_a_wait_for_people() -> None:
    for cell in ALL:
        reason = reasons.of(cell.ready.partition(" ")[2])
        stays = reason.kind in {Kind.MOVE, Kind.INCIDENT}
        if stays and reason not in {reasons.SIGNATURES_MISSING, reasons.PENDING}:
            assert (cell.kstatus, cell.argo) == ("Failed", "Degraded"), cell.what


def test_each_object_is_judged_by_a_script_that_says_why_it_cannot() -> None:
    assert verdicts([{"metadata": {"generation": 1}}])[0].argo == "Progressing"
    unknown = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}
    assert verdicts([unknown])[0].argo_message == "Condition Ready is missing."


def test_the_script_uses_what_argo_cd_lets_it_use() -> None:
    with pytest.raises(AssertionError, match="attempt to index a non-table object"):
        verdicts([{"metadata": {}}], 'return {status = string.upper("healthy")}')


def _page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    for kind, cells in TABLES.items():
        begin = f"<!-- {kind} -->\n"
        before, found, rest = text.partition(begin)
        assert found, f"{PAGE.name} has no place for {kind}"
        text = f"{before}{begin}{table(cells)}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    return text


def test_the_page_shows_the_table() -> None:
    text = _page()
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def _patch() -> str:
    script = SCRIPT.read_text(encoding="utf-8")
    lines = [
        "# Made of health.lua by its test. docs/operate/health.md says how to use it.",
        "data:",
    ]
    for kind in TABLES:
        lines.append(f"  resource.customizations.health.{GROUP}_{kind}: |")
        lines += [f"    {line}" for line in script.splitlines()]
    return "\n".join(lines) + "\n"


def test_the_patch_for_argo_cd_has_the_script_for_each_kind_with_a_health() -> None:
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        PATCH.write_text(_patch(), encoding="utf-8")
    assert PATCH.read_text(encoding="utf-8") == _patch()
    data = yaml.safe_load(PATCH.read_text(encoding="utf-8"))["data"]
    assert set(data.values()) == {SCRIPT.read_text(encoding="utf-8")}
    with_health = {one.kind for one in KINDS if ConditionType.READY in one.default_conditions}
    assert set(TABLES) == with_health
