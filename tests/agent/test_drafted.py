"""What is drafted from a hub's mirror is what an agent pulls from it."""

import threading
import time
from pathlib import Path

import pytest
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree
from tests.agent.conftest import LIMITS
from tests.clients.sources.faulty import LOCAL

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.store.store import Store
from escadre.api.mirror import ModelMirrorSpec
from escadre.cli.approve.drafting import make_draft
from escadre.cli.approve.source import mirror_repository
from escadre.cli.shared.mirroraccess import MirrorAccess
from escadre.clients.sources import errors
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.factory import open_source


@pytest.mark.parametrize("kind", ["huggingface", "http"])
def test_draft_publish_pull(tmp_path: Path, store: Store, kind: str) -> None:
    tree = Tree(tmp_path / "root")
    commit = tree.publish(write_checkpoint(tmp_path / "model"), "org/tiny")
    token = Credentials.bearer("t0k")
    with MirrorServer(tmp_path / "root", token="t0k") as server:
        spec = ModelMirrorSpec(
            type="huggingface", url=server.url, manifests_url=f"{server.url}/manifests"
        )
        source = mirror_repository("hub", MirrorAccess(spec, token, LOCAL), "org/tiny", commit)
        draft = make_draft(source, lambda *_: None)
        tree.publish_manifest(draft.digest, draft.text)
        if kind == "http":
            spec = ModelMirrorSpec(type="http", url=server.url)
        mirror = open_source(
            "m", spec, repository="org/tiny", revision=commit, credentials=token, guard=LOCAL
        )
        pull = Pull(
            digest=draft.digest,
            total=draft.manifest.total_bytes,
            mirror=mirror,
            store=store,
            meter=Meter(time.monotonic),
            stop=threading.Event(),
            limits=LIMITS,
        )
        pull.run()
        mirror.close()
    folder = store.models.path(draft.digest)
    for path in (tmp_path / "model").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_every_fault_of_a_mirror_has_a_listed_reason() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(kind.REASON.listed for kind in kinds)
