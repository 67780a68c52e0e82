"""core/status/engine.py: when engines are not what layouts are judged for, and how it is said."""

from dataclasses import replace

import pytest
from tests.core.statuses import before, built, conditions, facts, line, told_before

from escadre import reasons
from escadre.core.profile import profile_for
from escadre.core.status.engine import EngineSeen, engine_leaves
from escadre.core.status.told import Told

NOBODY = Told()


def seen(asked: str | None = None, *told: tuple[str, str], unasked: bool = False) -> EngineSeen:
    return EngineSeen(profile_for(asked), told, unasked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(None, (), id="nothing runs"),
        pytest.param(None, (("chat-0", "0.32.4"),), id="another patch"),
        pytest.param("0.31.2", (("chat-0", "v0.31.0rc1"), ("chat-1", "0.31")), id="as set"),
    ],
)
def test_nothing_is_said_where_the_engines_are_as_set(
    asked: str | None, said: tuple[tuple[str, str], ...]
) -> None:
    assert engine_leaves(seen(asked, *said), NOBODY) == []


@pytest.mark.parametrize(
    ("asked", "said", "words"),
    [
        pytest.param(
            None,
            (("chat-0", "0.31.1"),),
            "chat-0: the engine says that it is vLLM 0.31.1, and layouts are judged as for 0.32",
            id="one",
        ),
        pytest.param(
            "0.31",
            (("chat-0", "0.31.1"), ("chat-1", "0.32.0"), ("chat-2", "0.32.0")),
            "chat-1, chat-2: the engine says that it is vLLM 0.32.0, and layouts are judged as for "
            "0.31",
            id="some",
        ),
        pytest.param(
            None,
            (("chat-0", "0.33.0"),),
            "chat-0: the engine says that it is vLLM 0.33.0, and layouts are judged as for 0.32; "
            "vLLM 0.33.0 is not known here; it is judged as 0.32, the nearest older version that "
            "is",
            id="to one that is not known either",
        ),
        pytest.param(
            "0.40",
            (("chat-0", "0.32.0"),),
            "chat-0: the engine says that it is vLLM 0.32.0, and layouts are judged as for 0.40; "
            "vLLM 0.40 is not known here; it is judged as 0.32, the nearest older version that is",
            id="not known, and not the engine's",
        ),
    ],
)
def test_an_engine_of_another_version_is_said_with_both(
    asked: str | None, said: tuple[tuple[str, str], ...], words: str
) -> None:
    (leaf,) = engine_leaves(seen(asked, *said), NOBODY)
    assert (leaf.status, leaf.reason) == ("True", reasons.ENGINE_VERSION_DIFFERS)
    assert str(leaf.message) == words
    assert "Set engine.version of the chart" in leaf.next_step
    assert "Next: Set engine.version" in leaf.spoken


@pytest.mark.parametrize("said", [(), (("chat-0", "0.40.1"),)])
def test_a_version_that_is_not_known_is_said(said: tuple[tuple[str, str], ...]) -> None:
    (leaf,) = engine_leaves(seen("0.40", *said), NOBODY)
    assert (leaf.status, leaf.reason) == ("True", reasons.ENGINE_VERSION_NOT_KNOWN)
    assert str(leaf.message) == (
        "vLLM 0.40 is not known here; it is judged as 0.32, the nearest older version that is"
    )


def test_the_last_word_stands_until_the_engines_are_asked() -> None:
    """A leader that has just begun writes nothing that it takes back a moment later."""
    odd = replace(facts(line()), engine=seen(None, ("chat-0", "0.31.1")))
    stored = built(odd)
    then = told_before(stored)
    unasked = replace(odd, engine=seen(None, unasked=True), previous=then)
    assert built(unasked)["conditions"] == stored["conditions"]
    for now in (seen(None, ("chat-0", "0.32.0")), seen(None)):
        assert "EngineMismatch" not in conditions(built(replace(unasked, engine=now)))


def test_a_version_that_is_known_now_is_not_said_again() -> None:
    then = told_before(built(replace(facts(line()), engine=seen("0.40"))))
    assert engine_leaves(seen(None, unasked=True), then) == []


def test_ready_does_not_wait_for_it() -> None:
    odd = replace(facts(line()), engine=seen(None, ("chat-0", "0.31.1")), previous=before())
    found = conditions(built(odd))
    assert found["Ready"]["status"] == "True"
    assert found["EngineMismatch"]["status"] == "True"
    assert "Stalled" not in found
