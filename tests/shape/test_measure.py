"""What `make shape` counts: lines, parameters, loose dictionaries, circles."""

from pathlib import Path

import pytest
from tests.shape.imports import circle
from tests.shape.measure import Source, functions_of, loose_dicts, percentile

TEXT = '''
def plain(a, b):
    """Words.

    More words.
    """
    return a + b


class Thing:
    def method(self, a, *, key, other):
        return a

    @classmethod
    async def of(cls, a):
        def inner():
            return a
        return inner


def loose(a: dict[str, Any]) -> Mapping[str, Any]:
    return a
'''
SOURCE = Source(Path("thing.py"), TEXT)


def test_functions_are_counted_without_docstring_and_self() -> None:
    found = {one.name: (one.lines, one.parameters) for one in functions_of(SOURCE)}
    assert found == {
        "plain": (2, 2),
        "method": (2, 3),
        "of": (4, 1),
        "inner": (2, 0),
        "loose": (2, 1),
    }


def test_a_line_with_loose_dictionaries_counts_once() -> None:
    assert loose_dicts(SOURCE) == 1


@pytest.mark.parametrize(
    ("numbers", "share", "expected"),
    [
        pytest.param([], 90, 0, id="none"),
        pytest.param([5], 90, 5, id="one"),
        pytest.param(list(range(1, 101)), 90, 91, id="a hundred"),
    ],
)
def test_percentiles(numbers: list[int], share: int, expected: int) -> None:
    assert percentile(numbers, share) == expected


def test_circles_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ring_of_two"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text("import ring_of_two.second\n")
    (folder / "second.py").write_text("import ring_of_two.first\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(circle("ring_of_two")) == {"ring_of_two.first", "ring_of_two.second"}
