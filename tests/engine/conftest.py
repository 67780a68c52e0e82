"""One tiny checkpoint for all tests of the engine tooling."""

from pathlib import Path

import pytest
from e2e.engine.checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that vLLM would serve."""
    return write_checkpoint(tmp_path_factory.mktemp("models") / "tiny")
