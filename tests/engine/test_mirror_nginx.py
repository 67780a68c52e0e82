"""A real nginx over the same folder."""

from pathlib import Path

import pytest
from e2e.engine.mirror.nginx import nginx_mirror, why_missing
from e2e.engine.mirror.tree import Tree
from tests.engine.fetching import fetch

pytestmark = pytest.mark.skipif(why_missing() is not None, reason=why_missing() or "")


def test_files_ranges_and_manifests_are_where_the_http_adapter_looks(
    model: Path, tmp_path: Path
) -> None:
    tree = Tree(tmp_path)
    commit = tree.publish(model, "org/Tiny")
    tree.publish_manifest("a" * 64, b"escadre-manifest/v1\n")
    with nginx_mirror(tmp_path) as url:
        part = fetch(url, f"/org/Tiny/{commit}/params.json", "2-5")
        manifest = fetch(url, f"/escadre-manifests/{'a' * 64}.manifest")
    assert (part.status, part.body) == (206, (model / "params.json").read_bytes()[2:6])
    assert manifest.body == b"escadre-manifest/v1\n"


def test_a_token_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with nginx_mirror(tmp_path, token="secret") as url:
        assert fetch(url, "/file").status == 401
        assert fetch(url, "/file", token="secret").body == b"x"
