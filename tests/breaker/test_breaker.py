"""The table of the breaker's hour says what exists, and its program judges as a reader would."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.breaker.case import NAMED_WITHIN, Case, Result
from e2e.breaker.judge import cell, verdict
from e2e.breaker.show import line, table
from e2e.breaker.table import CASES, chosen

from escadre import reasons

PAGE = Path(__file__).parents[2] / "docs" / "develop" / "breaker.md"
CASE = Case("quota", "a quota", (reasons.POD_REFUSED,), "by itself", lambda _: None, 60, 2)
GOOD = Result("quota", 3.04, "PodRefused", 8.2, 2)
LISTED = """\
NAME     READY   APPROVED   REASON             AGE
served   False   True       EngineFailing      2m
"""


def test_the_deadline_is_that_of_the_page() -> None:
    assert f"within {NAMED_WITHIN:g} s" in PAGE.read_text()


def test_each_case_has_its_own_name() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_stands_on_the_page_as_it_is(case: Case) -> None:
    named = " or ".join(f"`{one.name}`" for one in case.reasons) or "nothing is blocked"
    row = f"| `{case.name}` | {case.broken} | {named} | {case.heals} | {case.may_lose} |"
    assert row in PAGE.read_text().splitlines()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_names_reasons_that_exist_and_heals_as_it_says(case: Case) -> None:
    assert set(case.reasons) <= set(reasons.REASONS.values())
    assert case.heals.startswith("by itself") == (case.mend is None)
    assert case.within > 0


def test_the_page_lists_no_other_case() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert listed == [case.name for case in CASES]


def test_some_cases_are_chosen_in_the_order_of_the_table() -> None:
    names = [one.name for one in chosen("quota, engine-killed")]
    assert names == ["engine-killed", "quota"]
    assert chosen("") == CASES
    with pytest.raises(ValueError, match="no case nonsense; there are engine-killed"):
        chosen("quota,nonsense")


@pytest.mark.parametrize(
    ("column", "value"), [("NAME", "served"), ("REASON", "EngineFailing"), ("AGE", "2m")]
)
def test_a_cell_is_found_below_its_head(column: str, value: str) -> None:
    assert cell(LISTED, column) == value


def test_an_empty_cell_is_empty() -> None:
    assert cell("READY   REASON   AGE\nTrue             2m\n", "REASON") == ""


@pytest.mark.parametrize(
    ("result", "words"),
    [
        pytest.param(GOOD, "", id="as-it-says"),
        pytest.param(
            replace(GOOD, named=None, reason="Ready"),
            "not named PodRefused within 15 s, but Ready",
            id="not-named",
        ),
        pytest.param(
            replace(GOOD, named=16.8),
            "named PodRefused only after 16.8 s, not within 15 s",
            id="named-late",
        ),
        pytest.param(replace(GOOD, healed=None), "not healed within", id="not-healed"),
        pytest.param(replace(GOOD, lost=3), "3 requests lost, 2 allowed", id="too-many-lost"),
    ],
)
def test_what_is_not_as_the_case_says_is_a_failure(result: Result, words: str) -> None:
    found = verdict(CASE, result)
    assert words in found
    assert bool(found) == bool(words)


def test_lines_fit_80_columns() -> None:
    failed = replace(GOOD, name="admission-policy", failure="not healed within 240 s; " * 6)
    shown = "\n".join([line(GOOD), line(failed), table([GOOD, failed])])
    assert max(map(len, shown.splitlines())) <= 80
    assert "ok   quota: PodRefused after 3.0 s, healed 8.2 s, lost 2" in shown
    assert "2 cases, 1 failed (!)" in shown
