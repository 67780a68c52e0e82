"""What is read as a header is what the library loads: a table, and headers that were damaged."""

import json
import struct
from typing import Any

import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.safetensors import PREFIX, header_size, read_tensors

DATA = 20
PLAIN = b'{"a":{"dtype":"BF16","shape":[10],"data_offsets":[0,20]}}'
# Of what is refused here and loads there: its reader sees other tensors than the library's.
STRICTER = ("stands twice", "no tensor", "alone", "unknown type", "limit 25000000")


def ours(content: bytes) -> tuple[str, ...]:
    size = header_size("w", content[:PREFIX], len(content))
    header = content[PREFIX : PREFIX + size]
    return tuple(sorted(each.name for each in read_tensors("w", header, len(content))))


def theirs(content: bytes) -> tuple[str, ...]:
    loaded = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    return tuple(sorted(name for name, _ in loaded))


def file(header: bytes, data: int = DATA) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(data)


def one(**changes: Any) -> bytes:
    entry = {"dtype": "BF16", "shape": [10], "data_offsets": [0, 20]} | changes
    return json.dumps({"a": entry}).encode()


def about(metadata: Any) -> bytes:
    return json.dumps({"__metadata__": metadata, **json.loads(PLAIN)}).encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(file(PLAIN), id="plain"),
        pytest.param(file(about({"format": "pt"})), id="metadata"),
        pytest.param(file(about(None)), id="metadata null"),
        pytest.param(file(PLAIN + b" \n\t\r"), id="padded with blanks"),
        pytest.param(file(b"  " + PLAIN), id="blanks before"),
        pytest.param(file(one(shape=[0, 1 << 63, 1 << 63], data_offsets=[0, 0]), 0), id="empty"),
        pytest.param(file(one(shape=[(1 << 64) - 1, 0], data_offsets=[0, 0]), 0), id="64 bits"),
        pytest.param(file(b'{"\\ud83d\\ude00":' + PLAIN[5:]), id="a character of two halves"),
        *(
            pytest.param(file(one(dtype=name, shape=[8], data_offsets=[0, bits]), bits), id=name)
            for name, bits in (
                *(("BOOL", 8), ("U8", 8), ("I8", 8), ("I16", 16), ("U16", 16), ("F16", 16)),
                *(("F8_E4M3", 8), ("F8_E5M2", 8), ("F8_E8M0", 8), ("F4", 4), ("C64", 64)),
                *(("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("F6_E2M3", 6), ("F6_E3M2", 6)),
                *(("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32), ("F64", 64)),
                *(("I64", 64), ("U64", 64)),
            )
        ),
    ],
)
def test_what_the_library_loads_is_read(content: bytes) -> None:
    assert ours(content) == theirs(content)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        pytest.param(about({"a": 1}), "__metadata__: a is 1", id="metadata with a number"),
        pytest.param(about({"a": None}), "__metadata__: a is null", id="metadata with null"),
        pytest.param(about({"a": {}}), "__metadata__: a is {}", id="metadata with an object"),
        pytest.param(about(["a"]), "__metadata__ is not an object", id="metadata a list"),
        pytest.param(about("x"), "__metadata__ is not an object", id="metadata a text"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN, "not JSON: .*BOM", id="byte order mark"),
        pytest.param(PLAIN.decode().encode("utf-16"), "not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(PLAIN.decode().encode("utf-16-le"), "not JSON", id="UTF-16, no mark"),
        pytest.param(PLAIN.replace(b"a", b"a\xff", 1), "not UTF-8 at byte 3", id="not UTF-8"),
        pytest.param(PLAIN.replace(b"a", b"a\1", 1), "control character", id="control character"),
        pytest.param(PLAIN.replace(b"a", b"\\ud800", 1), "half a character", id="half a character"),
        pytest.param(PLAIN.replace(b"10", b"NaN"), "NaN is no value", id="NaN"),
        pytest.param(PLAIN.replace(b"10", b"010"), "not JSON", id="leading zero"),
        pytest.param(PLAIN.replace(b"[0,", b"[-0,"), "holds -0.0", id="minus nought"),
        pytest.param(PLAIN.replace(b"10", b"1e1"), "shape holds 10.0", id="with an exponent"),
        pytest.param(PLAIN + b"\0\0", "not JSON", id="padded with NUL"),
        pytest.param(PLAIN + b"x", "not JSON", id="bytes behind"),
        pytest.param(one(data_offsets=[False, True]), "data_offsets holds false", id="truth"),
        pytest.param(one(data_offsets=[0.0, 20.0]), "data_offsets holds 0.0", id="floating"),
        pytest.param(one(data_offsets=[-20, 0]), "data_offsets holds -20", id="negative"),
        pytest.param(one(data_offsets=[20, 0]), "does not take -20 bytes", id="backwards"),
        pytest.param(one(data_offsets=[0, 20, 20]), "3 numbers, not begin and end", id="three"),
        pytest.param(one(data_offsets=[0]), "1 numbers, not begin and end", id="one"),
        pytest.param(one(data_offsets=None), "data_offsets is null", id="no place"),
        pytest.param(one(shape=None), "shape is null", id="no shape"),
        pytest.param(one(shape="10"), 'shape is "10"', id="shape a text"),
        pytest.param(one(shape=[1 << 64, 0], data_offsets=[0, 0]), "64 bits", id="2^64"),
        pytest.param(one(shape=[1 << 63, 2]), "more elements than 64 bits", id="2^63 twice"),
        pytest.param(one(shape=[1 << 61], dtype="F64"), "more elements", id="2^61 of 64 bits"),
        pytest.param(one(dtype="F4", shape=[3]), "does not take", id="half a byte over"),
        pytest.param(one(dtype=1), "unknown type 1", id="type a number"),
        pytest.param(one(dtype="C128"), "unknown type C128", id="another type"),
        pytest.param(b'{"a":null}', "not described", id="a tensor of null"),
        pytest.param(b"{}", "no tensor", id="data of no tensor"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
    ],
)
def test_what_the_library_refuses_is_refused(header: bytes, says: str) -> None:
    with pytest.raises(safetensors.SafetensorError):
        theirs(file(header))
    with pytest.raises(IntakeError, match=says):
        ours(file(header))


@pytest.mark.parametrize(
    ("header", "data"),
    [
        pytest.param(PLAIN[:-1] + b"," + PLAIN[1:], DATA, id="a name twice"),
        pytest.param(b"{}", 0, id="no tensor"),
        pytest.param(one(more=1), DATA, id="a member that nobody reads"),
        pytest.param(b'{"a":["BF16",[10],[0,20]]}', DATA, id="a tensor as a list"),
        pytest.param(b'{"__metadata__":{"a":"b","a":"c"},' + PLAIN[1:], DATA, id="a text twice"),
        pytest.param(one(dtype={"BF16": None}), DATA, id="a type as an object"),
    ],
)
def test_what_is_refused_beyond_the_library(header: bytes, data: int) -> None:
    theirs(file(header, data))
    with pytest.raises(IntakeError) as refused:
        ours(file(header, data))
    assert any(words in str(refused.value) for words in STRICTER)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 4, 10, 20, -1, 1 << 63, 1 << 64, 0.5, 20.0, "BF16", "F4", "U8", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "a"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["BF16", "U8", "F4", "F64", "I4"]) | VALUES,
        "shape": st.lists(st.sampled_from([0, 1, 2, 5, 10, 20, 40]), max_size=3) | VALUES,
        "data_offsets": st.lists(st.sampled_from([0, 4, 10, 16, 20]), min_size=2, max_size=2)
        | VALUES,
    },
    optional={"more": VALUES},
)
HEADERS = st.dictionaries(st.sampled_from(["a", "b", "é"]), ENTRIES, max_size=3).flatmap(
    lambda tensors: st.just(tensors) | VALUES.map(lambda v: {"__metadata__": v, **tensors})
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A header, some bytes of which are others, gone, or new; and as many bytes of data."""
    text = draw(HEADERS.map(lambda header: json.dumps(header).encode()) | st.just(PLAIN))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        put = draw(
            st.sampled_from([b"", b"0", b"-", b"1", b"e1", b"\0", b" ", b"\xff", b'"', b"}"])
        )
        text = text[:place] + put + text[place + draw(st.integers(0, 1)) :]
    return file(text, draw(st.sampled_from([0, 4, 20])))


def loads(content: bytes) -> tuple[str, ...] | None:
    try:
        return theirs(content)
    except safetensors.SafetensorError:
        return None


def judged(content: bytes) -> tuple[tuple[str, ...], str]:
    try:
        return ours(content), ""
    except IntakeError as error:
        return (), str(error)


@given(damaged())
def test_both_judge_any_header_alike_but_for_what_is_stricter(content: bytes) -> None:
    loaded = loads(content)
    found, refused = judged(content)
    if refused:
        assert loaded is None or any(words in refused for words in STRICTER), refused
    else:
        assert found == loaded
