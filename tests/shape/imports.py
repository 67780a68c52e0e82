"""Circles among the modules of the package, from its imports.

Upward imports are the business of the contracts in pyproject.toml, which `make lint` checks.
"""

from graphlib import CycleError, TopologicalSorter

import grimp

__all__ = ["circle"]


def circle(package: str) -> list[str]:
    """The modules of one circle of imports, empty when there is none."""
    graph = grimp.build_graph(package)
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    try:
        order.prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []
