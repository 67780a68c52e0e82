"""core/replicas/relief.py: whose leaving helps planning, and how much."""

from dataclasses import replace

import pytest
from tests.core.fleets import TWO_GPUS, deployment, node, nodes_of, running, snapshot
from tests.core.shapes import L40S

from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.plan import FleetPlan, plan_fleet
from escadre.core.replicas.relief import NO_RELIEF, Relief, relief_of

OPEN = (node("n1", 3), node("n2", 2), node("n3", 2))
CHAT = (running("n1"), running("n1", slot=1), running("n2", slot=2), running("n3", slot=3))
SEATS = {one.slot: one.seats for one in CHAT}


def planned(*nodes: NodeFacts, waits: bool = True) -> FleetPlan:
    """Chat has two GPUs of n1, one of n2, which others use too, and one of n3.

    Another replica waits for two on one node.
    """
    others = deployment("others", replicas=(running("n3", slot=0),))
    chat = deployment("chat", desired=4, minimum=4, replicas=CHAT)
    big = (deployment("big", wish=TWO_GPUS, created=1.0),) if waits else ()
    plan = plan_fleet(snapshot((chat, others, *big), nodes))
    assert not waits or nodes_of(plan, "big") == [None]
    return plan


FOREIGN = replace(OPEN[1], gpus_foreign=1)
CLOSED = replace(OPEN[1], blocked="is cordoned")


@pytest.mark.parametrize(
    ("plan", "relief"),
    [
        pytest.param(
            planned(OPEN[0], FOREIGN, OPEN[2]),
            [Relief(gpus=2), Relief(gpus=2), NO_RELIEF, NO_RELIEF],
            id="where two GPUs come together",
        ),
        pytest.param(
            planned(OPEN[0], FOREIGN, OPEN[2], waits=False), [NO_RELIEF] * 4, id="nobody waits"
        ),
        pytest.param(
            planned(OPEN[0], CLOSED, OPEN[2]),
            [Relief(gpus=2), Relief(gpus=2), Relief(closed=True), NO_RELIEF],
            id="a closed node gives room to nobody",
        ),
        pytest.param(
            planned(OPEN[0], CLOSED, OPEN[2], waits=False),
            [NO_RELIEF, NO_RELIEF, Relief(closed=True), NO_RELIEF],
            id="a closed node empties also while nobody waits",
        ),
        pytest.param(
            planned(replace(OPEN[0], gpus_foreign=1), FOREIGN, OPEN[2]),
            [NO_RELIEF] * 4,
            id="one GPU alone is no room for two",
        ),
        pytest.param(
            planned(*(node(one.name, one.gpus, L40S) for one in OPEN)),
            [NO_RELIEF] * 4,
            id="of another product",
        ),
        pytest.param(
            planned(OPEN[0], FOREIGN), [*[Relief(gpus=2)] * 2, *[NO_RELIEF] * 2], id="n3 is gone"
        ),
        pytest.param(None, [NO_RELIEF] * 4, id="before the first plan"),
    ],
)
def test_what_it_would_bring_if_a_replica_left(
    plan: FleetPlan | None, relief: list[Relief]
) -> None:
    assert relief_of(plan, SEATS.values()) == relief
    assert relief_of(plan, [None]) == [NO_RELIEF]
