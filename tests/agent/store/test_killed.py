"""A pull that ends anywhere, and bytes that change before a model is published."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def told(what: str, folder: Path, every: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.agent.store.killed", what, str(folder), str(every)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_no_end_of_a_pull_withdraws_a_model_that_shares_a_file(disk: Path) -> None:
    # The second model's pull ends before each of its writes, the next look before some of its own.
    found = told("ends", disk, 7)
    assert found["steps"] > 40
    assert found["ends"] > found["steps"]
    assert found["withdrawn"] == []
    assert found["unfinished"] == []


def test_a_disk_that_takes_no_new_file_withdraws_nothing(disk: Path) -> None:
    found = told("full", disk, 1)
    assert found["refused"] > 10
    assert found["withdrawn"] == []
    assert found["unfinished"] == []


def test_no_change_before_a_model_is_published_ends_verified(disk: Path) -> None:
    found = told("changes", disk, 4)
    assert found["changes"] > 100
    assert found["believed"] == []
