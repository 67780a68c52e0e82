"""GPUNode.spec as the agent reads it, of whichever version wrote it."""

from typing import Any

import pytest
from pydantic import ValidationError

from escadre.agent.wish import Wish, wishes

MIRROR: dict[str, Any] = {
    "name": "m",
    "generation": 2,
    "type": "http",
    "url": "http://m.example/x",
    "maxConcurrentPulls": 4,
}


def entry(name: str = "a", **changes: Any) -> dict[str, Any]:
    return {
        "manifestDigest": "sha256:" + name * 64,
        "approval": "a",
        "repository": "org/model",
        "revision": "0" * 40,
        "bytes": 1,
        "mirror": {"name": "m", "generation": 2},
        **changes,
    }


def wish(**changes: Any) -> Wish:
    (one,) = wishes({"weights": [entry()], "mirrors": [{**MIRROR, **changes}]})
    return one


def test_an_entry_and_its_mirror_come_together() -> None:
    first, second = wishes({"weights": [entry(), entry("b")], "mirrors": [MIRROR]})
    assert first.source == second.source
    assert first.source is not None
    assert (first.mirror, first.source.url, first.waits) == ("m", "http://m.example/x", "")


@pytest.mark.parametrize(
    ("weights", "mirrors", "says"),
    [
        pytest.param(
            {"mirror": None, "source": {**MIRROR, "unknown": [1]}},
            [],
            "waits for the operator, of an earlier version still, to tell the mirror",
            id="as 0.1.0 wrote it",
        ),
        pytest.param(
            {},
            [{**MIRROR, "name": "other"}],
            "waits for the operator: mirror m is not in spec.mirrors of the GPUNode",
            id="not told of",
        ),
        pytest.param(
            {},
            [{**MIRROR, "generation": 1}],
            "waits for the operator: generation 2 of mirror m is wanted, spec.mirrors of the "
            "GPUNode has generation 1",
            id="another generation",
        ),
        pytest.param(
            {},
            [{**MIRROR, "type": "carrier-pigeon"}],
            "waits: this version of the agent cannot read mirror m: type: "
            "\"carrier-pigeon\" is given; 'huggingface', 'http', 's3', 'oci' or 'folder' is meant",
            id="of a newer version",
        ),
    ],
)
def test_an_entry_without_its_mirror_waits_and_says_so(
    weights: dict[str, Any], mirrors: list[Any], says: str
) -> None:
    lost, well = wishes(
        {
            "weights": [entry("b", **weights), entry(mirror={"name": "n", "generation": 1})],
            "mirrors": [*mirrors, {**MIRROR, "name": "n", "generation": 1}],
        }
    )
    assert (lost.source, lost.waits, lost.mirror) == (None, says, "m")
    assert well.source is not None


def test_entries_that_cannot_be_read_are_an_error() -> None:
    with pytest.raises(ValidationError):
        wishes({"weights": [entry(bytes="many")]})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"maxConcurrentPulls": 9}, True),
        ({"url": "http://n.example/x"}, False),
        ({"caBundle": "PEM"}, False),
        ({"credentialsSecretName": "token"}, False),
        ({"redirectHosts": ["cdn.example"]}, False),
    ],
)
def test_one_pull_does_for_both_where_the_connection_is_the_same(
    changes: dict[str, Any], same: bool
) -> None:
    assert wish().pulls_as(wish(**changes)) is same
