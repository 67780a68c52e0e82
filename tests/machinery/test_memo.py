"""machinery/memo.py: made once for the same arguments, anew for others, forgotten when gone."""

from dataclasses import dataclass, field
from weakref import ref

from escadre.machinery.memo import Memo


@dataclass(frozen=True)
class Thing:
    name: str
    weight: int = field(default=0, compare=False)


def counted() -> tuple[list[str], "Memo[[Thing, int], list[str]]"]:
    made: list[str] = []

    def make(thing: Thing, number: int) -> list[str]:
        made.append(thing.name)
        return [thing.name] * number

    return made, Memo(make)


def test_the_same_arguments_give_the_same_object() -> None:
    made, memo = counted()
    thing = Thing("a")
    first = memo.of("k", thing, 2)
    assert memo.of("k", thing, 2) is first
    assert memo.of("k", Thing("a"), 2) is first
    assert made == ["a"]


def test_an_equal_argument_takes_the_place_of_the_one_before() -> None:
    _, memo = counted()
    first = Thing("a")
    before = ref(first)
    answer = memo.of("k", first, 1)
    assert memo.of("k", Thing("a"), 1) is answer
    del first
    assert before() is None


def test_another_argument_makes_it_anew_and_the_one_before_is_not_kept() -> None:
    made, memo = counted()
    memo.of("k", Thing("a"), 1)
    memo.of("k", Thing("b"), 1)
    memo.of("k", Thing("a"), 1)
    assert made == ["a", "b", "a"]
    assert len(memo) == 1


def test_keys_are_apart_and_those_that_are_gone_are_forgotten() -> None:
    made, memo = counted()
    memo.of("k", Thing("a"), 1)
    memo.of("l", Thing("a"), 1)
    memo.keep_only(["l"])
    assert len(memo) == 1
    memo.of("l", Thing("a"), 1)
    assert made == ["a", "a"]
