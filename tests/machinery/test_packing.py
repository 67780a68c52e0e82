"""machinery/packing.py: what was packed comes back, and little is kept of what others are like."""

from typing import Any

import pytest

from escadre.machinery.packing import pack, unpack


def _thing(number: int) -> dict[str, Any]:
    words = {f"field-{one}": f"a value that all of them have, {one}" for one in range(40)}
    return {"kind": "Thing", "name": f"thing-{number}", "spec": words, "nöte": "é" * number}


@pytest.mark.parametrize("kind", ["", "Thing", "Of another kind"])
def test_what_was_packed_comes_back_and_is_the_same_for_the_same(kind: str) -> None:
    for number in range(5):
        packed = pack(_thing(number), kind)
        assert unpack(packed) == _thing(number)
        assert pack(_thing(number), kind) == packed
        assert pack(_thing(number + 1), kind) != packed
    assert unpack(pack({}, kind)) == {}


def test_what_is_like_the_first_of_its_kind_takes_a_fraction() -> None:
    pack(_thing(0), "Small things")
    assert len(pack(_thing(7), "Small things")) < len(pack(_thing(7))) / 3
