"""state/served.py: what a replica was made from, and that nobody looks through all approvals."""

from typing import Any, NoReturn

import pytest
from tests.controller.world import approval_spec
from tests.fakes.kube import FakeServer
from tests.state.test_observe import INPUTS, MODEL, Bench, pod_of, workload

from escadre.clients.kube import MODEL_APPROVALS
from escadre.core.facts.model import ApprovedModel
from escadre.state.caches import Caches
from escadre.state.served import made_of


def approval(name: str, **spec: Any) -> dict[str, Any]:
    """An approval of the replica's weights, unless said otherwise; nobody has signed it."""
    digest = spec.pop("digest", INPUTS.manifest_digest)
    body = approval_spec(digest, **{"repository": INPUTS.repository, **spec})
    return {"metadata": {"name": name}, "spec": body}


@pytest.mark.parametrize(
    ("wished", "approvals", "found"),
    [
        pytest.param(MODEL, ["other"], "small", id="the wished one, if it is of these weights"),
        pytest.param(None, ["two", "one"], "one", id="else the first by name"),
        pytest.param(None, [], "", id="none is left"),
    ],
)
async def test_the_approval_of_what_serves(
    monkeypatch: pytest.MonkeyPatch,
    wished: ApprovedModel | None,
    approvals: list[str],
    found: str,
) -> None:
    server = FakeServer()
    for name in approvals:
        server.put(MODEL_APPROVALS, approval(name))
    server.put(MODEL_APPROVALS, approval("a-other-weights", digest="sha256:" + "0" * 64))
    server.put(MODEL_APPROVALS, approval("a-other-place", repository="mistralai/elsewhere"))
    bench = Bench(server, Caches(server.client(), "escadre-system"))
    await bench.caches.approvals.refresh()
    made = workload()
    (one,) = await bench.look(made, pod_of(made))

    def everywhere() -> NoReturn:
        raise AssertionError("all approvals are looked through for one replica")

    monkeypatch.setattr(bench.caches.approvals, "values", everywhere)
    told = made_of(one, wished, bench.caches.approvals)
    assert told is not None
    assert (told.repository, told.approval) == (INPUTS.repository, found)
