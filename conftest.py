"""How two workers share the tests: a folder whose tests share a cluster goes to one of them whole.

Elsewhere a file is the unit, since a cluster that a file starts belongs to its module. (Marks of
the scheduler `loadgroup` would say the same, but xdist 3.8 loses them with pytest 9.2.)
"""

from pathlib import PurePath
from typing import Any

import pytest
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Folders whose conftest starts a cluster, in the order in which they begin: the longest first.
SHARED = ("e2e/cases", "tests/policies", "e2e/cluster", "tests/clients")
# Files that take long by themselves; they begin next.
LONG = ("e2e/endurance",)


def unit_of(path: str) -> str:
    """The folder or file that stays in one worker, of a path in the repository."""
    return next((folder for folder in SHARED if path.startswith(f"{folder}/")), path)


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives each worker whole units, see `unit_of`."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid.split("::", 1)[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Replaces the scheduler of ``-n``; units begin in the order of the collection."""
    config.option.loadscopereorder = False
    return ByCluster(config, log)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has the long units begin before the rest; within one the random order stays."""
    first = (*SHARED[:1], *LONG, *SHARED[1:])

    def rank(item: pytest.Item) -> int:
        path = PurePath(item.path).relative_to(config.rootpath).as_posix()
        return next(
            (place for place, folder in enumerate(first) if path.startswith(f"{folder}/")),
            len(first),
        )

    items.sort(key=rank)
