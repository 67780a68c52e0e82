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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what needs a cluster with its group, and has the groups begin before the rest.

    Last of all hooks: within a group the random order stays as it was made.
    """
    order = {name: number for number, name in enumerate(GROUPS.values())}
    ranks = {}
    for item in items:
        group = _group(config, item)
        ranks[item] = order.get(group, len(order))
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: ranks[item])


def _group(config: pytest.Config, item: pytest.Item) -> str:
    if item.get_closest_marker("cluster") is None:
        return ""
    path = PurePath(item.path).relative_to(config.rootpath).as_posix()
    return next(name for folder, name in GROUPS.items() if path.startswith(f"{folder}/"))
