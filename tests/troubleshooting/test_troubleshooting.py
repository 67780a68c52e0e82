"""docs/operate/troubleshooting.md: every reason is there, and each message it shows is real.

A message is quoted in the page's second column. Numbers and times in it are anybody's, "…" stands
for anything. It is real when the operator says it in a scene (`scenes`), or when another test
asserts it: agents, engines and the command line say theirs to their own tests.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.troubleshooting.scenes import SCENES, Told, told_by

from escadre.clients.sources.credentials import credentials_from_secret
from escadre.errors import Refusal
from escadre.reasons import REASONS, Kind

ROOT: Final = Path(__file__).parents[2]
CRD: Final = ROOT / "charts" / "escadre" / "templates" / "crds" / "modeldeployments.yaml"
PAGE: Final = ROOT / "docs" / "operate" / "troubleshooting.md"
_NUMBER: Final = r"[\d][\d,.:TZ-]*"
_QUOTED: Final = re.compile(r'"((?:[^"]|(?<=pods )"|"(?= is forbidden))+)"(?=[\s;,:|)]|$)')
_NO_LONGER_GIVEN: Final = {"NotFound", "Progressing"}  # their names stand in alerts
_GLANCE: Final = 400  # what is longer goes below the table
_WORDS: Final = 5  # a shorter piece of a message stands in any file


class Row(NamedTuple):
    """A row of the page: the reason, and the messages it shows."""

    reason: str
    messages: tuple[str, ...]


def rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `(\w+)` \| (.*?) \| ", line)
        if found:
            yield Row(found[1], tuple(_QUOTED.findall(found[2])))


ROWS: Final = tuple(rows())
SHOWN: Final = [(row.reason, one) for row in ROWS for one in row.messages]


def as_pattern(message: str) -> re.Pattern[str]:
    """The message with any numbers, and anything for an ellipsis."""
    parts = re.split(f"(…|{_NUMBER})", message)
    words = [
        ".*" if part == "…" else _NUMBER if i % 2 else re.escape(part)
        for i, part in enumerate(parts)
    ]
    return re.compile("".join(words))


def pieces(message: str) -> list[str]:
    """What lies between numbers and ellipses, where it is long enough to mean something."""
    return [one.strip() for one in re.split(f"…|{_NUMBER}", message) if len(one.strip()) >= _WORDS]


def unseen() -> Told:
    """What the API server itself says of an object that nobody looked at: a default of the CRD."""
    text = CRD.read_text(encoding="utf-8")
    return {("Pending", said) for said in re.findall(r"reason: Pending\n\s+message: (.+)", text)}


def refused() -> Told:
    """What an agent says of a Secret that is not what it reads."""
    with pytest.raises(Refusal) as caught:
        credentials_from_secret("hub", {"user": b"bank"})
    return {(caught.value.reason.name, caught.value.message)}


async def _told() -> Told:
    found = unseen() | refused()
    for scene in SCENES:
        found |= told_by(await scene())
    return found


@pytest.fixture(scope="module")
def told() -> Told:
    """What the operator says in all scenes."""
    return asyncio.run(_told())


@pytest.fixture(scope="module")
def asserted() -> list[str]:
    """The text of each test and golden file, with strings over several lines in one."""
    files = [
        path
        for folder in ("tests", "e2e")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".txt"} and path.parent != Path(__file__).parent
    ]
    texts = (path.read_text(encoding="utf-8") for path in sorted(files))
    return [re.sub(r'"\s*\n\s*f?r?"', "", text) for text in texts]


@pytest.mark.parametrize(
    ("reason", "message"), SHOWN, ids=[f"{r}-{i}" for i, (r, _) in enumerate(SHOWN)]
)
def test_each_message_shown_is_real(
    reason: str, message: str, told: Told, asserted: list[str]
) -> None:
    pattern = as_pattern(message)
    if any(reason == name and pattern.search(said) for name, said in told):
        return
    wanted = pieces(message)
    assert wanted, f"{reason}: {message!r} is too short to be recognised"
    assert any(all(one in text for one in wanted) for text in asserted), (
        f"{reason}: no scene says and no test asserts {message!r}; correct the page, or add a "
        "scene to tests/troubleshooting/scenes.py"
    )


def test_no_message_names_a_node_twice_in_a_row(told: Told) -> None:
    assert [said for _, said in told if re.search(r"\bnode (\S+): .*?\bnode \1\b", said)] == []


def test_number_and_noun_agree(told: Told) -> None:
    one_of_many = re.compile(r"(?<!of )(?<![\d,.])1 (replica|node|GPU|request|signature)s\b")
    assert [said for _, said in told if one_of_many.search(said)] == []
    assert [said for _, said in told if re.search(r"\bof 1 (replica|node) ", said)] == []


def test_every_reason_that_a_person_can_meet_has_a_row() -> None:
    asking = {Kind.MOVE, Kind.INCIDENT, Kind.UNDER_WAY}
    met = {name for name, one in REASONS.items() if one.kind in asking} - _NO_LONGER_GIVEN
    missing = sorted(met - {row.reason for row in ROWS})
    assert missing == [], f"{PAGE.name} has no row of {missing}"


def test_every_row_shows_a_message() -> None:
    assert [row.reason for row in ROWS if not row.messages] == []


def test_a_row_reads_at_a_glance() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `") and len(line) > _GLANCE] == []


def test_no_row_is_of_a_reason_that_is_none() -> None:
    assert sorted({row.reason for row in ROWS} - REASONS.keys()) == []


def test_what_to_do_is_said_in_every_row() -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `\w+` \|", line):
            assert re.search(r"\| [^|]{3,} \|$", line), line


def test_a_message_that_nobody_says_would_be_found(asserted: list[str]) -> None:
    invented = "replica chat-0 has gone to lunch and comes back " + "later"
    assert not any(all(one in text for one in pieces(invented)) for text in asserted)
