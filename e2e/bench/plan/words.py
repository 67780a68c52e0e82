"""Words of planning, wherever a build has them: the same fleet is made for this one and 0.1.0."""

from importlib import import_module
from typing import Any, Final

__all__ = ["word"]

# Every name that 0.1.0 has under another module.
_MODULES: Final = {
    "ApprovedModel": ("escadre.core.facts.model", "escadre.core.facts"),
    "DeploymentFacts": ("escadre.core.facts.deployment", "escadre.core.facts"),
    "DeploymentKey": ("escadre.core.facts.deployment", "escadre.core.facts"),
    "FleetSnapshot": ("escadre.core.facts.fleet", "escadre.core.facts"),
    "NodeFacts": ("escadre.core.facts.node", "escadre.core.facts"),
    "ReplicaFacts": ("escadre.core.facts.deployment", "escadre.core.facts"),
    "Wish": ("escadre.core.facts.model", "escadre.core.facts"),
    "replan": ("escadre.core.fleet.plan",),
    "plan_fleet": ("escadre.core.fleet.plan", "escadre.core.fleet"),
}


def word(name: str) -> Any:
    """The class or function of that name in the build that runs."""
    for module in _MODULES[name]:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"this build has no {name}")
