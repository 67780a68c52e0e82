"""Who watches what on the API server: each process each kind once."""

import pytest

from e2e.cases.audit import AGENT, OPERATOR, open_watches
from e2e.stage.stage import Stage
from escadre.api.kinds import KINDS

pytestmark = pytest.mark.cluster


def test_a_process_has_one_watch_of_a_kind(stage: Stage) -> None:
    found = open_watches(stage.cluster)
    ours = {who: count for who, count in found.items() if who.user in {OPERATOR, AGENT}}
    assert {who: count for who, count in ours.items() if count > 1} == {}
    watched = {who.resource for who in ours if who.user == OPERATOR}
    assert {kind.plural for kind in KINDS} <= watched
    assert {"pods", "nodes", "deployments"} <= watched
