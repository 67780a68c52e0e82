"""A stage on a cluster of its own, while a ``with`` block lasts.

Called by the fixtures of the suites and by benchmarks; what is installed is theirs to say.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.cluster import Cluster
from e2e.stage.stage import CHART, PROGRAM, Stage

__all__ = ["staged"]


@contextmanager
def staged(
    cluster: Cluster, folder: Path, *, chart: Path = CHART, program: Path = PROGRAM
) -> Iterator[Stage]:
    """Starts the cluster; ends what runs beside it, then itself."""
    with cluster:
        stage = Stage(cluster, folder, chart=chart, program=program)
        try:
            yield stage
        finally:
            stage.close()
