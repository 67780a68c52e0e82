"""state/agents.py: since when a node has no Ready agent, noted as the changes arrive."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.fakes.kube import FakeServer

from escadre.clients.kube import NODES, PODS
from escadre.core.fleet.belief import AgentView
from escadre.names import LABEL_COMPONENT
from escadre.state.caches import Caches

READY = AgentView(ready=True, unready_since=None)


@dataclass
class Bench:
    server: FakeServer
    caches: Caches
    now: float = 100.0

    async def at(self, now: float) -> AgentView:
        """What is seen of gpu-0's agent after the changes so far arrived at that time."""
        self.now = now
        await self.caches.nodes.refresh()
        await self.caches.pods.refresh()
        return self.caches.agents.of("gpu-0")

    def node(self, name: str = "gpu-0") -> None:
        self.server.put(NODES, {"metadata": {"name": name}})

    def agent(self, name: str = "agent-a", *, ready: bool = True, turned: str = "") -> None:
        condition: dict[str, Any] = {"type": "Ready", "status": str(ready)}
        if turned:
            condition["lastTransitionTime"] = turned
        self.server.put(
            PODS,
            {
                "metadata": {
                    "name": name,
                    "namespace": "escadre-system",
                    "labels": {LABEL_COMPONENT: "agent"},
                },
                "spec": {"nodeName": "gpu-0", "containers": []},
                "status": {"phase": "Running", "conditions": [condition]},
            },
        )


@pytest.fixture
async def bench() -> Bench:
    server = FakeServer()
    made: list[Bench] = []
    caches = Caches(server.client(), "escadre-system", lambda: made[0].now)
    made.append(Bench(server, caches))
    made[0].node()
    return made[0]


async def test_a_ready_agent(bench: Bench) -> None:
    bench.agent()
    assert await bench.at(100.0) == READY


async def test_a_node_without_an_agent_waits_for_one_since_it_was_seen(bench: Bench) -> None:
    assert await bench.at(100.0) == AgentView(ready=False, unready_since=100.0)
    assert await bench.at(130.0) == AgentView(ready=False, unready_since=100.0)


async def test_between_two_pods_of_an_upgrade_the_time_runs_from_the_first_ones_end(
    bench: Bench,
) -> None:
    bench.agent()
    await bench.at(100.0)
    bench.server.remove(PODS, "agent-a", "escadre-system")
    assert await bench.at(110.0) == AgentView(ready=False, unready_since=110.0)
    bench.agent("agent-b", ready=False)
    assert await bench.at(120.0) == AgentView(ready=False, unready_since=110.0)
    bench.agent("agent-b")
    assert await bench.at(130.0) == READY
    bench.agent("agent-b", ready=False)
    assert await bench.at(140.0) == AgentView(ready=False, unready_since=140.0)


async def test_a_pod_that_turned_before_it_was_seen_says_so_itself(bench: Bench) -> None:
    bench.agent(ready=False, turned="1970-01-01T00:00:42Z")
    assert await bench.at(100.0) == AgentView(ready=False, unready_since=42.0)


async def test_nothing_is_noted_of_a_node_that_is_gone(bench: Bench) -> None:
    await bench.at(100.0)
    bench.server.remove(NODES, "gpu-0")
    assert await bench.at(110.0) == AgentView(ready=False, unready_since=None)
    bench.node()
    assert await bench.at(500.0) == AgentView(ready=False, unready_since=500.0)


async def test_a_pod_seen_before_its_node_leaves_no_note(bench: Bench) -> None:
    bench.agent(ready=False)
    await bench.caches.pods.refresh()
    assert bench.caches.agents.of("gpu-0") == AgentView(ready=False, unready_since=None)
    assert await bench.at(200.0) == AgentView(ready=False, unready_since=200.0)
