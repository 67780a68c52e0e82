"""A resource in, objects and status out, the operator in between: docs/use/objects.md shows it.

ESCADRE_UPDATE_GOLDEN=1 writes the page anew.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from tests.golden.made import CHILDREN, made_of
from tests.golden.page import page

INPUT = Path(__file__).parent / "input" / "assistant.yaml"
PAGE = Path(__file__).parents[2] / "docs" / "use" / "objects.md"


async def _made() -> dict[str, list[dict[str, Any]]]:
    return await made_of(yaml.safe_load(INPUT.read_text(encoding="utf-8")))


async def test_the_page_shows_what_the_operator_makes() -> None:
    text = page(INPUT.read_text(encoding="utf-8"), await _made())
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


async def test_each_kind_of_child_is_made_once_for_one_replica() -> None:
    made = await _made()
    assert {resource.kind: len(made[resource.kind]) for resource in CHILDREN} == {
        resource.kind: 1 for resource in CHILDREN
    }
