"""Lists keep one line an object on 80 columns, whatever its name, and tell names apart."""

import io

import pytest
from rich.console import Console
from tests.cli.harness import Program
from tests.cli.test_nodes import gpunode
from tests.cli.world import GIB, approval, condition, deployment, replica, replicas, weights

from escadre.cli.shared.tables import grid
from escadre.clients.kube import GPU_NODES, MODEL_APPROVALS, MODEL_DEPLOYMENTS
from escadre.core.catalog.shelf import CATALOG, name_of

SPACE = "team-conversational-banking"
NAME = "assistant-for-retail-customers-emea"
APPROVAL = "mistral-small-3-2-24b-instruct-2506"
NODES = ("gpu-worker-17.dc1.bank.example", "gpu-worker-18.dc1.bank.example")


@pytest.fixture
def program() -> Program:
    program = Program(width=80, namespace=SPACE)
    items = [{**replica(i, "Ready", node), "name": f"{NAME}-{i}"} for i, node in enumerate(NODES)]
    for name in (NAME, "code"):
        body = deployment(name, SPACE, replicas=replicas(2, *items))
        program.server.put(MODEL_DEPLOYMENTS, body)
    for node in NODES:
        program.server.put(GPU_NODES, gpunode(node))
    ends = condition("Expiring", "True", "Expiring", "")
    holds = [condition("Approved", "True", "Approved", ""), ends]
    waits = [condition("Approved", "False", "SignaturesMissing", ""), ends]
    for name, told in ((APPROVAL, holds), (f"{APPROVAL}-95a6d26c", waits)):
        body = approval(name, conditions=told, summary="1/2")
        body["spec"]["notAfter"] = "2026-09-24T00:00:00Z"
        program.server.put(MODEL_APPROVALS, body)
    return program


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("status",), (NAME, "code")),
        (("status", "-A"), ("ers-emea", "code")),
        (("nodes",), ("gpu-worker-17…", "gpu-worker-18…")),
        (("approve", "list"), ("-2506 ", "95a6d26c")),
    ],
    ids=" ".join,
)
def test_one_line_an_object(
    program: Program, command: tuple[str, ...], told: tuple[str, str]
) -> None:
    ran = program.run(*command)
    assert ran.code == 0, ran.err
    _, *rows = ran.out.partition("\n\n")[0].splitlines()
    assert len(rows) == 2, ran.out
    for words in told:
        assert sum(words in row for row in rows) == 1, ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("width", "gone"), [(80, "LICENCE, PARAMETERS"), (120, "LICENCE"), (400, "")]
)
def test_names_of_the_catalog_can_be_copied(width: int, gone: str) -> None:
    ran = Program(width=width).run("catalog", "list")
    planned, _, others = ran.out.partition("NOT PLANNED")
    rows = [line.split() for line in planned.splitlines() if line.startswith("✓")]
    assert [words[1] for words in rows] == [name_of(one) for one in CATALOG if not one.unserved]
    refused = {line.split()[1] for line in others.splitlines() if line.startswith("✗")}
    assert refused == {name_of(one) for one in CATALOG if one.unserved}
    assert max(len(line) for line in ran.out.splitlines()) <= width
    told = f"Left out for want of room: {gone}; -o json has all.\n"
    assert (told in ran.out) == ("Left out" in ran.out) == bool(gone)


def test_so_do_the_pulls_of_one(program: Program) -> None:
    pulls = {"bytesDone": 10 * GIB, "bytesPerSecond": 31_000_000, "etaSeconds": 4000}
    told = [weights(node, "Pulling", mirror="internal", **pulls) for node in NODES]
    program.server.put(MODEL_DEPLOYMENTS, deployment(NAME, SPACE, weights=told))
    table = program.run("status", NAME).out.partition("Weights\n")[2].split("\n\n")[0]
    _, *rows = table.splitlines()
    assert [row.split()[1] for row in rows] == ["gpu-worker-17…", "gpu-worker-18…"]
    assert all(row.endswith("22 % 10.7 of 48.3 GB, 31.0 MB/s, 1h06m left") for row in rows)


def test_what_one_is_and_its_layout_break_no_word_apart(program: Program) -> None:
    out = program.run("status", "code").out
    facts = out.partition("\n\n")[0].splitlines()
    assert [line for line in facts if line.startswith(" ")] == [], "a line for each"
    replica = "  replica  2 × NVIDIA-H100-80GB-HBM3: tensor parallel 2, pipeline parallel 1\n"
    assert replica in out
    assert "2026-09-21T14:12:00Z  1 → 2  DemandUp, demand 40, 24 each\n" in out


def test_so_do_the_replicas_of_one(program: Program) -> None:
    table = program.run("status", NAME).out.partition("Replicas")[2].split("\n\n")[0]
    assert len(table.splitlines()) == 4, table
    assert "emea-0 " in table
    assert "gpu-worker-18…" in table


@pytest.mark.parametrize(
    ("width", "first"),
    [(61, "a" * 41), (60, f"{'a' * 20}…{'a' * 19}"), (30, "aaaaa…aaaa")],
)
def test_a_name_loses_no_more_of_its_middle_than_it_must(width: int, first: str) -> None:
    table = grid("A", "B", shorten=({"A": 3},))
    table.add_row("a" * 41, "b" * 18)
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(table)
    assert file.getvalue().splitlines()[1].split()[0] == first
