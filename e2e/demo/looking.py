"""How to look around in a cluster that the demo left running, and how to end it.

Called by the demo at its end; every command is one to copy, in a shell in the checkout.
"""

from e2e.cluster.cluster import Cluster
from e2e.cluster.control import ControlError
from e2e.stage.stage import TEAM

__all__ = ["how_to_look"]


def how_to_look(cluster: Cluster, *, failed: bool) -> str:
    """The commands; after a failure those that show what is wrong."""
    tool = f".venv/bin/python -m e2e.cluster {{}} --name {cluster.name}"
    parts = [
        "",
        "The cluster goes on. In a shell here, for kubectl and escadre:",
        f'  eval "$({tool.format("env")})"',
        *(_what_is_wrong(cluster) if failed else _what_there_is()),
        *_ask(cluster, tool.format("exec")),
        "End it:",
        f"  {tool.format('down')}",
    ]
    return "\n".join(parts)


def _what_there_is() -> list[str]:
    return [
        "  kubectl get mdep,mapp,msig,gpun -A",
        "  escadre status -A",
        f"  escadre why tampered -n {TEAM}",
    ]


def _what_is_wrong(cluster: Cluster) -> list[str]:
    return [
        "  kubectl get pods -A",
        "  kubectl get events -A --sort-by=.lastTimestamp",
        "  escadre status -A",
        f"Logs of components: {cluster.state.logs}",
        f"Logs of pods:       {cluster.state.pods}",
    ]


def _ask(cluster: Cluster, execute: str) -> list[str]:
    """How to ask the model, once there is an address."""
    try:
        address = cluster.get("service", "assistant", TEAM)["spec"]["clusterIP"]
    except (AssertionError, ControlError, OSError, LookupError):
        return []  # a step before it failed
    return [
        "Pods and Services are in a network of their own; to ask the model, and for what reads",
        "the mirror:",
        f"  {execute} -- curl -s http://{address}/v1/chat/completions \\",
        "    -H 'content-type: application/json' \\",
        """    -d '{"model": "assistant", "messages": [{"role": "user", "content": "Bonjour"}]}'""",
    ]
