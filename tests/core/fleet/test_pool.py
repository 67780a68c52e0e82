"""The pool beside a slow one that looks at every node each time."""

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fleets import SILENT, node
from tests.core.shapes import H100, L40S

from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.pool import GPUPool


@st.composite
def nodes(draw: st.DrawFn) -> list[NodeFacts]:
    return [
        replace(
            node(f"n{index}", draw(st.integers(1, 8)), draw(st.sampled_from([H100, L40S]))),
            blocked=draw(st.sampled_from(["", "", "", "cordoned"])),
            unbelieved=draw(st.sampled_from([None, None, SILENT])),
        )
        for index in range(draw(st.integers(1, 8)))
    ]


def naive(
    there: list[NodeFacts], pool: GPUPool, gpus: int, within: Collection[str], without: set[str]
) -> str | None:
    """Agent ready, smallest block broken up, fewest left over, name."""

    def broken(free: int) -> int:
        return max(
            block for block in (8, 4, 2, 1) if free // block % 2 > (free - gpus) // block % 2
        )

    able = [
        (not one.agent_ready, broken(pool.free(one.name)), pool.free(one.name), one.name)
        for one in there
        if not one.blocked
        and one.product == H100.name
        and pool.free(one.name) >= gpus
        and one.name in within
        and one.name not in without
    ]
    return min(able)[3] if able else None


@given(nodes(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_best_node_is_the_best_of_all_after_whatever_was_taken(
    there: list[NodeFacts], data: st.DataObject
) -> None:
    pool = GPUPool(there, {"n0": 1})
    names = [one.name for one in there]
    some = st.sets(st.sampled_from(names))
    members = data.draw(some)
    group = pool.group(H100.name, members)
    for _ in range(6):
        gpus, without = data.draw(st.integers(1, 8)), data.draw(some)
        assert pool.best(H100.name, gpus, None, without) == naive(there, pool, gpus, names, without)
        within = pool.best(H100.name, gpus, group, without)
        assert within == naive(there, pool, gpus, members, without)
        taken = data.draw(st.sampled_from(names))
        pool.take(taken, data.draw(st.integers(0, pool.free(taken))))
        joins = data.draw(st.sampled_from(names))
        if joins not in members:
            members.add(joins)
            pool.join(group, H100.name, joins)
