"""The mirror against the hub's own client, huggingface_hub 2.4.0, in a process of its own.

The client reads its settings from the environment when it is imported: hence the process.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from e2e.engine.mirror.server import MirrorServer

REPOSITORY: Final = "mistralai/Tiny"


@pytest.fixture
def mirror(model: Path, tmp_path: Path) -> Iterator[MirrorServer]:
    with MirrorServer(tmp_path / "mirror", token="hf_secret", page_size=2) as server:
        server.tree.publish(model, REPOSITORY)
        yield server


def _client(mirror: MirrorServer, home: Path, script: str, token: str | None = None) -> Any:
    """Run ``script`` with the hub's client pointed at the mirror; the JSON it prints."""
    environment = os.environ | {
        "HF_ENDPOINT": mirror.url,
        "HF_HOME": str(home),
        "HF_TOKEN": token or "hf_secret",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0",  # the drafting tool of this process sets it
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", f"import json\nfrom huggingface_hub import *\n{script}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_snapshot_has_the_folders_bytes(
    mirror: MirrorServer, model: Path, tmp_path: Path
) -> None:
    script = f"print(json.dumps(snapshot_download({REPOSITORY!r})))"
    snapshot = Path(_client(mirror, tmp_path / "home", script))
    for file in model.iterdir():
        assert (snapshot / file.name).read_bytes() == file.read_bytes()
    assert all(seen.authorized for seen in mirror.seen if "/mistralai/" in seen.path)


def test_metadata_names_commit_sizes_and_digests(
    mirror: MirrorServer, model: Path, tmp_path: Path
) -> None:
    script = f"""
info = HfApi().model_info({REPOSITORY!r}, revision="main", files_metadata=True)
tree = list(HfApi().list_repo_tree({REPOSITORY!r}, revision=info.sha, recursive=True))
print(json.dumps({{
    "sha": info.sha,
    "sizes": {{s.rfilename: s.size for s in info.siblings}},
    "lfs": {{f.path: f.lfs.sha256 for f in tree if f.lfs}},
    "files": sorted(f.path for f in tree),
}}))"""
    found = _client(mirror, tmp_path / "home", script)
    weights = model / "consolidated.safetensors"
    assert found["sha"] == mirror.tree.commit(REPOSITORY, "main")
    assert found["sizes"] == {file.name: file.stat().st_size for file in model.iterdir()}
    assert found["lfs"] == {weights.name: hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert found["files"] == sorted(file.name for file in model.iterdir())  # two pages


def test_what_is_missing_is_named_as_the_hub_names_it(mirror: MirrorServer, tmp_path: Path) -> None:
    script = """
from huggingface_hub.errors import HfHubHTTPError
def kind(call, *args, **more):
    try:
        call(*args, **more)
    except HfHubHTTPError as error:
        return type(error).__name__
print(json.dumps([
    kind(HfApi().model_info, "mistralai/None"),
    kind(HfApi().model_info, "mistralai/Tiny", revision="0" * 40),
    kind(hf_hub_download, "mistralai/Tiny", "none.json"),
]))"""
    kinds = _client(mirror, tmp_path / "home", script)
    assert kinds == ["RepositoryNotFoundError", "RevisionNotFoundError", "RemoteEntryNotFoundError"]


def test_a_wrong_token_is_refused(mirror: MirrorServer, tmp_path: Path) -> None:
    script = """
from huggingface_hub.errors import HfHubHTTPError
try:
    HfApi().model_info("mistralai/Tiny")
except HfHubHTTPError as error:
    print(error.response.status_code)"""
    assert _client(mirror, tmp_path / "home", script, token="hf_other") == 401


def test_the_clients_own_check_lets_a_flipped_byte_pass(
    mirror: MirrorServer, model: Path, tmp_path: Path
) -> None:
    mirror.faults.add("flip", "*/consolidated.safetensors", after=5_000_000)
    script = f"print(json.dumps(hf_hub_download({REPOSITORY!r}, 'consolidated.safetensors')))"
    got = Path(_client(mirror, tmp_path / "home", script)).read_bytes()
    good = (model / "consolidated.safetensors").read_bytes()
    assert [index for index in range(len(good)) if got[index] != good[index]] == [5_000_000]
