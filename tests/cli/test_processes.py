"""cli/entry.py and processes.py: what pods run says what the whole program says, and is smaller."""

import subprocess
import sys
from pathlib import Path

import pytest

from escadre.cli import main, processes

_LOOK = """
import sys
sys.argv = ["escadre", *{arguments}]
from escadre.cli.entry import main
main()
import escadre.{part}.run
held = {{one.partition(".")[0] for one in sys.modules}}
held |= {{one for one in sys.modules if one.startswith("escadre.cli.")}}
sys.exit(", ".join(held & {heavy}) or 0)
"""
_HEAVY = {"kubernetes", "rich", "pygments", "urllib3", "escadre.cli.main", "escadre.cli.status"}


@pytest.mark.parametrize("command", ["operator", "agent"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--help",), id="help"),
        pytest.param(("--bogus",), id="an unknown option"),
        pytest.param(("--config",), id="an option without its value"),
        pytest.param(("--config=/nowhere.yaml",), id="a file that is not there"),
    ],
)
def test_both_entries_say_the_same(
    command: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.main([command, *arguments])
    said = capsys.readouterr()
    assert said.out or said.err
    assert processes.main([command, *arguments]) == code
    assert capsys.readouterr() == said


def test_a_wrong_settings_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("engine: 1\n")
    assert processes.main(["operator", f"--config={path}"]) == main.main(
        ["operator", f"--config={path}"]
    )
    first, second = capsys.readouterr().err.split("escadre: ")[1:]
    assert "engine" in first
    assert first == second


@pytest.mark.parametrize(("command", "part"), [("operator", "controller"), ("agent", "agent")])
def test_a_pod_loads_nothing_that_only_people_need(command: str, part: str) -> None:
    heavy = _HEAVY - ({"urllib3"} if command == "agent" else set())  # which pulls with it
    look = _LOOK.format(arguments=[command, "--help"], part=part, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("first", ["version", "--version", "--help"])
def test_people_get_all_commands(first: str) -> None:
    look = f"import sys; sys.argv = ['escadre', '{first}']\n"
    look += "from escadre.cli.entry import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "escadre" in done.stdout
