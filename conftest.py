"""How two workers share the tests: a folder whose tests share a cluster goes to one of them whole.

Elsewhere a file is the unit, since a cluster that a file starts belongs to its module. (Marks of
the scheduler `loadgroup` would say the same, but xdist 3.8 loses them with pytest 9.2.)

And how long they wait: what comes late on a busy machine is no failure.
"""

import os
from pathlib import PurePath
from typing import Any

import pytest
from e2e.cluster.wait import PATIENCE
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Folders that begin before all else, in this order: the longest first.
FIRST = ("e2e/cases", "e2e/endurance", "tests/policies", "e2e/cluster", "tests/clients")
APART = frozenset({"e2e/endurance"})  # here each file has a cluster of its own


def folder_of(path: str) -> str | None:
    """Which of `FIRST` a path in the repository is in."""
    return next((folder for folder in FIRST if path.startswith(f"{folder}/")), None)


def pytest_configure() -> None:
    """Sets the patience of this process and of all that it starts."""
    os.environ.setdefault(PATIENCE, "5")


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives each worker a whole folder that shares a cluster; elsewhere whole files."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        folder = folder_of(path)
        return path if folder is None or folder in APART else folder


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Replaces the scheduler of ``-n``; units begin in the order of the collection."""
    config.option.loadscopereorder = False
    return ByCluster(config, log)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has the long units begin before the rest; within one the random order stays."""

    def rank(item: pytest.Item) -> int:
        folder = folder_of(PurePath(item.path).relative_to(config.rootpath).as_posix())
        return len(FIRST) if folder is None else FIRST.index(folder)

    items.sort(key=rank)
