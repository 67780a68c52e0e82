"""Who watches what on the API server: each process each kind once."""

import pytest

from e2e.cluster.audit import AGENT, OPERATOR
from e2e.stage.stage import Stage
from escadre.api.kinds import KINDS

pytestmark = pytest.mark.cluster


def test_a_process_has_one_watch_of_a_kind(stage: Stage) -> None:
    found = stage.cluster.audit.open_watches(stage.cluster.server_began)
    ours = {who: count for who, count in found.items() if who.user in {OPERATOR, AGENT}}
    assert {who: count for who, count in ours.items() if count > 1} == {}
    watched = {who.target for who in ours if who.user == OPERATOR}
    assert {kind.plural for kind in KINDS} <= watched
    assert {"pods", "nodes", "deployments"} <= watched
