"""What scaling keeps of a deployment stays as large as it was, however long there is traffic."""

from e2e.bench.demand.history import Traffic, after, held

from escadre.core.scaling.step import Step

HOUR = 3600
EVERY = 15.0


def test_what_is_kept_does_not_grow_over_a_day_of_traffic() -> None:
    traffic, sizes = Traffic(1, EVERY), list[int]()
    last: Step | None = None
    for _ in range(24):
        last, _ = after(traffic, int(HOUR / EVERY), last)
        sizes.append(held(last.state))
    assert max(sizes[12:]) <= 1.1 * max(sizes[:12])
