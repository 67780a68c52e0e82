"""The engine's logging config, in the standard library's own hands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from escadre.core.engines.lastwords import ended
from escadre.render.engine import LOGGING_CONFIG, TERMINATION_LOG_BYTES

_PROGRAM = """
import json, logging, logging.config, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
log = logging.getLogger(sys.argv[3])
for number in range(int(sys.argv[2])):
    log.error("Error with model error=%s %d", "x" * 200, number)
try:
    raise ValueError("a GPU fell off the bus")
except ValueError:
    log.exception("EngineCore failed.")
"""


def _config(path: Path) -> str:
    config = json.loads(LOGGING_CONFIG)
    config["handlers"]["termination"]["filename"] = str(path)
    return json.dumps(config)


@pytest.mark.parametrize("records", [0, 5000])
def test_the_log_is_bounded_and_its_file_is_the_same(tmp_path: Path, records: int) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    before = log.stat().st_ino  # the kubelet's mount: it must be written in place
    command = [sys.executable, "-c", _PROGRAM, _config(log), str(records), "vllm.v1.engine.core"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert log.stat().st_ino == before
    assert [one.name for one in tmp_path.iterdir()] == ["termination-log"]
    assert 0 < log.stat().st_size <= TERMINATION_LOG_BYTES
    message = log.read_text()[-4096:]
    now = log.stat().st_mtime
    said = ended((1, "Error", message), (now - 9, now), 1)
    assert said == "exited with 1, 1 restart: ValueError: a GPU fell off the bus"
    # An hour later it is killed by something that leaves no words: these are not its own.
    later = ended((1, "Error", message), (now - 9, now + 3600), 1)
    assert later == "exited with 1, 1 restart: Error"


def test_two_processes_of_an_engine_share_the_log(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    command = [sys.executable, "-c", _PROGRAM, _config(log), "2000", "vllm.v1.engine.core"]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(timeout=60) for one in running] == [0, 0]
    assert log.stat().st_size <= TERMINATION_LOG_BYTES + 4096


@pytest.mark.parametrize("name", ["vllm.entrypoints.openai", "vllm.logging_utils.dump_input"])
def test_what_tells_no_cause_stays_out(tmp_path: Path, name: str) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    command = [sys.executable, "-c", _PROGRAM, _config(log), "3", name]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert log.read_text() == ""
    assert done.stderr.count(b"Error with model error") == 3
