"""Each command exits as its help says: every code of every command, and no other claim."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Program, lease
from tests.cli.test_main import COMMANDS, PROCESSES, WISH
from tests.cli.test_nodes import gpunode
from tests.cli.world import approval, condition, deployment, with_conditions
from tests.core.weights.test_architecture import SMALL_3
from typer.main import get_command

from escadre.cli.main import app
from escadre.clients.kube import (
    GPU_NODES,
    LEASES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    Forbidden,
    Unauthorized,
)

Json = dict[str, Any]
Setting = Callable[[Program], None]
HOLDS = condition("Approved", "True", "Approved", "signed")
ENDED = condition("Approved", "False", "Expired", "it ended")
LOADS = with_conditions(condition("Ready", "False", "Loading", "engines load"))


def ready(program: Program) -> None:
    program.server.put(MODEL_DEPLOYMENTS, deployment())


def loading(program: Program) -> None:
    program.server.put(MODEL_DEPLOYMENTS, deployment(conditions=LOADS))


def stale(program: Program) -> None:
    program.server.put(MODEL_DEPLOYMENTS, deployment(observedGeneration=0))


def leaderless(program: Program) -> None:
    ready(program)
    program.server.put(LEASES, lease(age=600.0))


def approved(program: Program) -> None:
    program.server.put(MODEL_APPROVALS, approval(conditions=[HOLDS]))


def ended(program: Program) -> None:
    program.server.put(MODEL_APPROVALS, approval(conditions=[ENDED]))


def unseen(program: Program) -> None:
    program.server.put(MODEL_APPROVALS, approval())


def shut(program: Program) -> None:
    """A mirror behind a port on which nothing listens."""
    approved(program)
    spec = {"type": "http", "url": "http://127.0.0.1:1"}
    program.server.put(MODEL_MIRRORS, {"metadata": {"name": "internal"}, "spec": spec})


def ill(program: Program) -> None:
    program.server.put(GPU_NODES, gpunode("gpu-0", dead=1))


def nothing(_: Program) -> None:
    pass


def no_right(program: Program) -> None:
    program.api = api = program.server.client("bob")
    refused = Forbidden(method="list", object="x", status=403, message="bob may not")
    for kind in ("ModelDeployment", "ModelApproval", "ModelMirror", "GPUNode"):
        for verb in ("get", "list"):
            api.refuse(verb, kind, lambda: refused)


def no_login(program: Program) -> None:
    program.api = api = program.server.client("bob")
    refused = Unauthorized(method="list", object="x", status=401)
    for kind in ("ModelDeployment", "ModelApproval", "GPUNode", "Version", "SelfSubjectReview"):
        for verb in ("get", "list", "create"):
            api.refuse(verb, kind, lambda: refused)


FLAGS = "--tensor-parallel 1 --max-model-len 8192 --max-num-seqs 8 --gpu-memory-utilization 0.9"
SMALL = "mistral-small-3-2-24b-instruct-2506"
CASES: list[tuple[str, Setting, int]] = [
    ("status", loading, 0),
    ("status", leaderless, 0),
    ("status", no_right, 4),
    ("status", no_login, 4),
    ("status assistant", ready, 0),
    ("status assistant", loading, 1),
    ("status assistant", stale, 1),
    ("status assistant", leaderless, 1),
    ("status nobody", ready, 3),
    ("status assistant", no_right, 4),
    ("why assistant", ready, 0),
    ("why assistant", loading, 1),
    ("why assistant", leaderless, 1),
    ("why nobody", ready, 3),
    ("why assistant", no_right, 4),
    ("why assistant", no_login, 4),
    ("logs assistant", ready, 1),
    ("logs nobody", ready, 3),
    ("logs assistant", no_right, 4),
    ("nodes", nothing, 0),
    ("nodes", ill, 0),
    ("nodes", no_right, 4),
    ("plan -f WISH", nothing, 1),
    ("plan -f nowhere.yaml", nothing, 3),
    ("plan -f WISH", no_right, 4),
    ("layout legal --config MODEL --tensor-parallel 1,2", nothing, 0),
    ("layout legal --config MODEL --tensor-parallel 1..3", nothing, 1),
    ("layout legal --config MODEL --tensor-parallel 0", nothing, 2),
    ("layout legal --config MODEL --tensor-parallel 1 --gpu Voodoo", nothing, 2),
    ("layout legal --config nowhere.json --tensor-parallel 1", nothing, 3),
    (f"layout estimate --config WISH {FLAGS} --gpu L4 --weights-bytes 1", nothing, 3),
    ("plan -f WISH --nodes nowhere.yaml", nothing, 3),
    ("plan -f WISH --nodes 3xVoodoo", nothing, 2),
    (f"layout estimate --config MODEL {FLAGS} --gpu H200 --weights-bytes 48000000000", nothing, 0),
    (f"layout estimate --config MODEL {FLAGS} --gpu L4 --weights-bytes 48000000000", nothing, 1),
    (f"layout estimate --config MODEL {FLAGS} --gpu L4", nothing, 2),
    ("simulate --users 1", nothing, 2),
    ("simulate --users 1 --profile nobody", nothing, 2),
    ("simulate --users 1 --deployment nowhere.yaml", nothing, 3),
    ("simulate --users 1 --deployment MODEL", nothing, 3),
    (f"simulate --trace nowhere.csv --profile {SMALL}", nothing, 3),
    (f"simulate --trace MODEL --profile {SMALL}", nothing, 3),
    ("approve show small", approved, 0),
    ("approve show small", ended, 1),
    ("approve show small", unseen, 1),
    ("approve show nobody", approved, 3),
    ("approve show small", no_right, 4),
    ("mirror test internal", shut, 1),
    ("mirror test nobody", shut, 3),
    ("mirror test internal --approval nobody", shut, 3),
    ("mirror test internal --repository nobody", shut, 2),
    ("mirror test internal --credentials nowhere", shut, 3),
    ("mirror test internal", no_right, 4),
    ("approve list", ended, 0),
    ("approve list", no_right, 4),
    ("approve sign small --yes", unseen, 0),
    ("approve sign small", unseen, 3),
    ("approve sign small --yes --against ./nowhere", unseen, 3),
    ("approve sign small --yes --credentials MODEL", unseen, 2),
    ("approve sign nobody --yes", unseen, 3),
    ("approve sign small --yes", no_login, 4),
    ("approve revoke small --yes", approved, 0),
    ("approve revoke small", approved, 3),
    ("approve revoke small --yes", no_login, 4),
    ("version", nothing, 0),
    ("version --frobnicate", nothing, 2),
    ("support-bundle -o OUT", no_right, 1),
    ("support-bundle -o TAKEN", ready, 3),
    ("support-bundle -o OUT", no_login, 4),
]


@pytest.mark.parametrize(
    ("line", "setting", "code"),
    [pytest.param(*case, id=f"{case[0]}-{case[1].__name__}-{case[2]}") for case in CASES],
)
def test_a_command_exits_as_its_help_says(
    line: str, setting: Setting, code: int, tmp_path: Path
) -> None:
    program = Program()
    setting(program)
    taken = tmp_path / "taken"
    taken.touch()
    model = tmp_path / "params.json"
    model.write_text(json.dumps(SMALL_3))
    places = {"WISH": str(WISH), "OUT": str(tmp_path / "out"), "TAKEN": str(taken)}
    places["MODEL"] = str(model)
    ran = program.run(*(places.get(word, word) for word in line.split()))
    assert ran.code == code, ran.err or ran.out
    assert code > 1 or not ran.err


def _help(command: tuple[str, ...]) -> str:
    found: Any = get_command(app)
    for name in command:
        found = found.commands[name]
    return str(found.help)


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each not in PROCESSES], ids=" ".join
)
def test_who_exits_with_1_says_when(command: tuple[str, ...]) -> None:
    words = " ".join(command)
    with_one = any(line.startswith(words) and code == 1 for line, _, code in CASES)
    assert ("xits with 1" in _help(command)) == with_one


@pytest.mark.parametrize("name", ["../x", "a?b", "Chat"])
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("why",), "ModelDeployment"),
        (("approve", "show"), "ModelApproval"),
        (("mirror", "test"), "ModelMirror"),
    ],
)
def test_what_is_no_name_is_asked_of_no_server(
    command: tuple[str, ...], kind: str, name: str
) -> None:
    ran = Program().run(*command, name)
    assert (ran.code, f"{kind} {name!r}: a name has lower-case letters" in ran.err) == (2, True)
