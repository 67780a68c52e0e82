"""The agent's identity, from its own token."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from escadre import reasons
from escadre.agent.identity import Identity, read_identity
from escadre.errors import Refusal


def token(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "boot_id").write_text("b-1\n")
    return tmp_path / "token", tmp_path / "boot_id"


NODE = {"kubernetes.io": {"node": {"name": "gpu-1", "uid": "u-1"}}}


def test_the_token_names_the_node(files: tuple[Path, Path]) -> None:
    files[0].write_text(token(NODE) + "\n")
    assert read_identity("gpu-1", *files) == Identity("gpu-1", "u-1", "b-1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(token({"kubernetes.io": {}}), "names no node", id="token without a node"),
        pytest.param(token([]), "names no node", id="claims that are no object"),
        pytest.param("a.b", "not a JSON web token", id="two parts"),
        pytest.param("a.!.b", "token", id="not base64"),
        pytest.param(
            token({"kubernetes.io": {"node": {"name": "gpu-2", "uid": "u"}}}),
            "NODE_NAME is 'gpu-1', but .* 'gpu-2'",
            id="another node",
        ),
    ],
)
def test_what_does_not_agree_is_refused(files: tuple[Path, Path], content: str, says: str) -> None:
    files[0].write_text(content)
    with pytest.raises(Refusal, match=says) as caught:
        read_identity("gpu-1", *files)
    assert caught.value.reason == reasons.NODE_IDENTITY_MISMATCH


def test_a_missing_token_is_named(files: tuple[Path, Path]) -> None:
    with pytest.raises(Refusal, match="No such file"):
        read_identity("gpu-1", *files)
