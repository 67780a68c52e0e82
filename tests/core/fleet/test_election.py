"""Who is elected: everybody agrees, and a node that goes moves only what it did."""

from hypothesis import given
from hypothesis import strategies as st

from escadre.core.fleet.election import elected

NAMES = st.sets(st.text("abc-0123", min_size=1, max_size=6), min_size=1, max_size=8)


def test_of_nobody_nobody_is_elected() -> None:
    assert elected("mirror", ()) is None


@given(NAMES, st.text(max_size=5))
def test_order_is_no_matter(names: set[str], task: str) -> None:
    assert elected(task, sorted(names)) == elected(task, sorted(names, reverse=True))


@given(NAMES, st.text(max_size=5), st.data())
def test_who_is_not_elected_may_go_without_a_change(
    names: set[str], task: str, data: st.DataObject
) -> None:
    now = elected(task, names)
    gone = data.draw(st.sampled_from(sorted(names)))
    if gone != now:
        assert elected(task, names - {gone}) == now


def test_tasks_spread_over_the_nodes() -> None:
    nodes = [f"gpu-{index}" for index in range(8)]
    chosen = {elected(f"mirror-{index}", nodes) for index in range(64)}
    assert len(chosen) > 4
