"""How tests share the machine: two workers, and each real cluster belongs to one of them.

Tests of one group run in one worker, one after the other, so that what they share (a cluster, the
installed chart) is started once. Tests without a cluster go wherever there is room.
"""

from pathlib import PurePath

import pytest

# Folder -> group; the first that fits. The longest comes first, so that it begins at once.
GROUPS = {
    "e2e/cases": "cases",
    "e2e/cluster": "runner",
    "e2e": "programs",
    "tests/policies": "policies",
    "tests": "api",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks what needs a cluster with its group, before the workers read the groups."""
    group = _group(item)
    if group:
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the groups begin before the rest; within one the random order stays as it was made."""
    order = {name: number for number, name in enumerate(GROUPS.values())}
    ranks = {item: order.get(_group(item), len(order)) for item in items}
    items.sort(key=lambda item: ranks[item])


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("cluster") is None:
        return ""
    path = PurePath(item.path).relative_to(item.config.rootpath).as_posix()
    return next(name for folder, name in GROUPS.items() if path.startswith(f"{folder}/"))
