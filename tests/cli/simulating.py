"""What the tests of `escadre simulate` give it: logs, deployments."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from tests.cli.harness import Program, Ran
from tests.cli.world import deployment

MODEL = "mistral-small-3-2-24b-instruct-2506"
PAGE = Path(__file__).parents[2] / "docs" / "use" / "simulate.md"
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def simulate(*arguments: str, width: int = 400) -> Ran:
    program = Program(width=width)
    ran = program.run("simulate", *arguments)
    assert program.targets == [], "no cluster is asked"
    return ran


def log(folder: Path, *lines: str, header: str = HEADER) -> str:
    path = folder / "log.csv"
    path.write_text("\r\n".join([header, *lines]))
    return str(path)


def busy(folder: Path) -> str:
    """Five minutes of four requests a second, then 15 of one in ten seconds."""
    times = [*(number / 4 for number in range(1200)), *(300 + 10 * n for n in range(90))]
    return log(
        folder, *(f"{at},1155,211" for at in times), header="time,prompt_tokens,completion_tokens"
    )


def wish(folder: Path, *names: str, **spec: Any) -> str:
    path = folder / "wish.yaml"
    bodies = [deployment(name) for name in names]
    for body in bodies:
        del body["status"]
        body["spec"] |= {"approval": MODEL, **spec}
    path.write_text(yaml.safe_dump_all(bodies))
    return str(path)


def check_page(*arguments: str) -> Ran:
    """What the command prints before its notes is what docs/use/simulate.md shows below it.

    ESCADRE_UPDATE_GOLDEN=1 writes it there.
    """
    ran = simulate(*arguments)
    assert (ran.code, ran.err) == (0, "")
    page = PAGE.read_text(encoding="utf-8")
    command = f"$ escadre simulate {' '.join(arguments)}\n"
    shown = rf"({re.escape(command)}).*?(?=…\n```)"
    said = ran.out.partition("Note:")[0]
    renewed, found = re.subn(shown, lambda match: match[1] + said, page, flags=re.DOTALL)
    assert found == 1, command
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        PAGE.write_text(renewed, encoding="utf-8")
    assert renewed == PAGE.read_text(encoding="utf-8"), (
        "ESCADRE_UPDATE_GOLDEN=1 .venv/bin/pytest -q tests/cli -k simulate renews the page"
    )
    return ran
