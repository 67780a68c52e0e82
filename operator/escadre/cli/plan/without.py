"""The fleet of `escadre plan --nodes`: no cluster, and every GPU free. Pure."""

from typing import Final

from escadre.cli.plan.approvals import catalog_notes, from_catalog
from escadre.cli.plan.nodelist import Nodes
from escadre.cli.plan.platform import Platform
from escadre.cli.plan.prospect import Fleet
from escadre.cli.plan.wishes import Wishes
from escadre.core.profile import EngineProfile

__all__ = ["fleet_of"]

_PLATFORM: Final = Platform()


def fleet_of(nodes: Nodes, wishes: Wishes, profile: EngineProfile) -> Fleet:
    """The nodes, and what the catalog knows of the models that the files do not describe."""
    percent = _PLATFORM.gpu_memory_utilization_percent
    taken = from_catalog(wishes.deployments, wishes.approvals, profile)
    assumed = (
        "No cluster was asked: every GPU counts as free, approvals as if they held, and "
        f"at most {percent} % of a GPU's memory is for the engine."
    )
    return Fleet(
        deployments=(),
        approvals=taken,
        mirrors={},
        nodes=nodes.nodes,
        gpu_memory_utilization_percent=percent,
        profile=profile,
        notes=(assumed, *nodes.notes, *catalog_notes(wishes.deployments, taken)),
        assumed=True,
    )
