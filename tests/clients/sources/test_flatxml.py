"""Small XML of a peer: what is read of it, and what is not XML enough."""

import pytest

from escadre.clients.sources.s3.flatxml import NotXmlError, values


def test_elements_are_listed_as_they_end_with_their_paths() -> None:
    text = b'<R xmlns="http://example"><A><K>a &amp; b</K></A><s:Z xmlns:s="x"/></R>'
    assert list(values(text)) == [("R/A/K", "a & b"), ("R/A", ""), ("R/Z", ""), ("R", "")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(b"", "no element found", id="nothing"),
        pytest.param(b"<html><p></html>", "mismatched tag", id="a page"),
        pytest.param(b'{"list": []}', "not well-formed", id="JSON"),
        pytest.param(b"<r>\xff</r>", "not well-formed", id="bytes that are no UTF-8"),
        pytest.param(b"<!DOCTYPE r><r/>", "document type", id="a document type"),
        pytest.param(b"<!DOCTYPE r [<!ENTITY a 'x'>]><r>&a;</r>", "document type", id="an entity"),
        pytest.param(b"<r>" + b"<a>" * 17, "16 deep", id="deeper than any list"),
        pytest.param(b"<r>" + b"<a/>" * 100_001, "100,000 elements", id="more than any list"),
        pytest.param(b"<" + b"r" * 129 + b">", "129 characters", id="a name in each path below it"),
    ],
)
def test_what_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(NotXmlError, match=says):
        values(text)
