"""The header of a safetensors file against its size."""

import json
import struct
from typing import Any

import pytest

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.safetensors import MAX_HEADER, PREFIX, Tensor, header_size, read_tensors

GOOD = {
    "__metadata__": {"format": "pt"},
    "b": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [12, 16]},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "scalar": {"dtype": "F32", "shape": [], "data_offsets": [16, 20]},
    "empty": {"dtype": "F32", "shape": [0], "data_offsets": [20, 20]},
}


def read(header: Any, data: int = 20) -> tuple[Tensor, ...]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return read_tensors("w", text, PREFIX + len(text) + data)


def test_tensors_are_read_in_their_order() -> None:
    assert [(t.name, t.size) for t in read(GOOD)] == [
        ("a", 12),
        ("b", 4),
        ("scalar", 4),
        ("empty", 0),
    ]


def tensor(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "BF16", "shape": [10], "data_offsets": [0, 20]} | changes}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        pytest.param(b"{", "not JSON", id="not JSON"),
        pytest.param(b"[" * 100_000, "header is nested too deeply", id="nested without end"),
        pytest.param([], "not a JSON object", id="a list"),
        pytest.param({"__metadata__": {}}, "no tensor", id="no tensor"),
        pytest.param({"a": {"dtype": "BF16"}}, "not described", id="fields missing"),
        pytest.param(tensor(shape=[True]), "shape holds true", id="boolean extent"),
        pytest.param(tensor(shape=[-10]), "shape holds -10", id="negative extent"),
        pytest.param(tensor(dtype="OBJ"), "unknown type OBJ", id="unknown type"),
        pytest.param(tensor(shape=[11]), "does not take 20 bytes", id="shape and range differ"),
        pytest.param(tensor(data_offsets=[-20, 0]), "data_offsets holds -20", id="negative offset"),
        pytest.param(tensor(data_offsets=[1, 21]), "gap at 0", id="gap"),
        pytest.param(
            tensor(shape=[9], data_offsets=[0, 18]),
            "describes 18 bytes of tensors, and 20 are there: .*longer",
            id="bytes behind",
        ),
        pytest.param(
            tensor() | {"b": {"dtype": "BF16", "shape": [10], "data_offsets": [0, 20]}},
            "overlaps",
            id="overlap",
        ),
        pytest.param(
            b'{"a":{"dtype":"BF16","shape":[10],"data_offsets":[0,20]},'
            b'"a":{"dtype":"BF16","shape":[10],"data_offsets":[0,20]}}',
            "stands twice",
            id="a name twice",
        ),
    ],
)
def test_structures_that_hide_something_are_refused(header: Any, says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        read(header)


@pytest.mark.parametrize(
    ("prefix", "size"),
    [
        pytest.param(b"PK\x03\x04", 4, id="too short"),
        pytest.param(b"\x80\x02ctorch"[:8], 1 << 40, id="a pickle renamed"),
        pytest.param(struct.pack("<Q", 100), 50, id="longer than the file"),
        pytest.param(struct.pack("<Q", MAX_HEADER + 1), 1 << 40, id="over the limit"),
        pytest.param(struct.pack("<Q", 0), 100, id="empty"),
    ],
)
def test_a_file_of_another_kind_is_refused(prefix: bytes, size: int) -> None:
    with pytest.raises(IntakeError):
        header_size("w", prefix, size)
