"""One tiny checkpoint for all tests of the engine tooling."""

from pathlib import Path

import pytest
from e2e.engine.checkpoint import write_checkpoint
from tests.engine.engines import STANDIN, VLLM, Kind, installed


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that vLLM would serve."""
    return write_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(STANDIN, id="standin"),
        pytest.param(
            VLLM,
            id="vllm",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(
                    not installed(), reason="no vLLM: python -m e2e.engine.vllm (6 GB)"
                ),
            ],
        ),
    ],
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """The stand-in, and in the slow leg vLLM itself."""
    found: Kind = request.param
    return found
