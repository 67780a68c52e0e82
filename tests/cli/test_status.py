"""What `escadre status` shows, word for word."""

import json
from copy import deepcopy
from typing import Any

import pytest
import yaml
from tests.cli.harness import Program, check_golden
from tests.cli.world import (
    GIB,
    UNSEEN,
    condition,
    deployment,
    replica,
    replicas,
    weights,
    with_conditions,
)

from escadre.clients.kube import MODEL_DEPLOYMENTS, Forbidden, Page, Resource, Selection

PULLING = deployment(
    "pulling",
    weights=[
        weights(
            "gpu-0",
            "Pulling",
            bytesDone=18 * GIB,
            bytesPerSecond=GIB // 2,
            etaSeconds=54,
            mirror="internal",
        ),
        weights("gpu-1", "Queued", message="waits for a free pull of mirror internal"),
    ],
    replicas=replicas(0),
    lastScale=None,
    url=None,
    conditions=with_conditions(
        condition("Ready", "False", "Pulling", "node gpu-0 pulled 18 of 45 GiB"),
        condition("Reconciling", "True", "Progressing", "Pulling"),
        condition("WeightsReady", "False", "Pulling", "node gpu-0 pulled 18 of 45 GiB"),
        condition("Scheduled", "Unknown", "NoReplicas", "no replica exists yet"),
        condition("Serving", "False", "NoReplicas", "0 of 1 replicas ready"),
        condition("Scaling", "Unknown", "NotScaling", "no demand was read yet"),
    ),
)
EMPTY = deployment(
    "unseen",
    observedGeneration=-1,
    url=None,
    approval=None,
    plan=None,
    weights=[],
    replicas=None,
    lastScale=None,
    conditions=list(UNSEEN),
)


def cluster(*bodies: dict[str, Any]) -> Program:
    program = Program()
    for body in bodies:
        program.server.put(MODEL_DEPLOYMENTS, body)
    return program


def test_one_line_for_each_deployment() -> None:
    other = deployment("other", "search")
    ran = cluster(deployment(), PULLING, EMPTY, other).run("status")
    assert ran.code == 0
    check_golden("status-namespace", ran.out)
    check_golden("status-all", cluster(deployment(), PULLING, other).run("status", "-A").out)


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        pytest.param("serving", deployment(), 0, id="a serving deployment"),
        pytest.param("pulling", PULLING, 1, id="weights being pulled, with a bar"),
        pytest.param("unseen", EMPTY, 1, id="one that nobody visited"),
        pytest.param(
            "failing",
            deployment(
                replicas=replicas(
                    0,
                    replica(0, "Failing", "gpu-0", "exited with 1: maximum model length is 20000"),
                ),
                conditions=with_conditions(
                    condition("Ready", "False", "EngineFailing", "assistant-0 exited with 1"),
                    condition("Serving", "False", "EngineFailing", "assistant-0 exited with 1"),
                ),
            ),
            1,
            id="an engine that exits at start",
        ),
    ],
)
def test_everything_about_one(name: str, body: dict[str, Any], code: int) -> None:
    ran = cluster(body).run("status", body["metadata"]["name"])
    assert (ran.code, ran.err) == (code, "")
    check_golden(f"status-{name}", ran.out)


def test_what_waits_for_another_condition_has_one_mark() -> None:
    body = deployment(
        conditions=with_conditions(
            condition("Approved", "False", "SignaturesMissing", "1 of 2 signatures"),
            condition("Planned", "Unknown", "SignaturesMissing", "waits for an approval"),
            condition("WeightsReady", "Unknown", "WeightsWaiting", "no node is planned yet"),
            condition("Scaling", "Unknown", "NotScaling", "no demand was read yet"),
        )
    )
    lines = cluster(body).run("status", "assistant").out.splitlines()
    marks = {line.split()[1]: line[0] for line in lines if "Unknown" in line}
    assert marks == {"Planned": "·", "WeightsReady": "·", "Scaling": "·"}


def test_headers_stay_whole_on_60_columns() -> None:
    program = cluster(deployment(), PULLING, deployment("other", "search"))
    program.width = 60
    lines = program.run("status", "-A").out.splitlines()
    titles = ["NAMESPACE", "NAME", "READY", "MODEL", "LAYOUT", "REPLICAS", "REASON"]
    assert lines[0].split() == titles
    assert max(len(line) for line in lines) <= 60


def test_nothing_is_cut_on_60_columns() -> None:
    url = f"https://mirror.internal.example/mistralai/{'ab' * 32}.manifest"
    failed = weights("gpu-0", "Failed", reason="NotFound", message=f"HTTP 404 for {url}")
    program = cluster(deployment(weights=[failed]))
    program.width = 60
    ran = program.run("status", "assistant")
    assert max(len(line) for line in ran.out.splitlines()) <= 60
    table = ran.out.partition("\nWeights\n")[2].partition("\n\n")[0]
    assert "…" not in table
    assert url in "".join(table.split())


def test_no_deployment_at_all_says_where_one_is_to_try() -> None:
    ran = cluster().run("status")
    assert ran.code == 0
    assert ran.out.startswith(
        "No ModelDeployment in chat or any other namespace; examples/quickstart has one to try.\n"
    )
    assert "in any namespace; examples/quickstart" in cluster().run("status", "-A").out


def test_an_empty_namespace_names_the_way_to_the_others() -> None:
    program = cluster(deployment("one", "search"), deployment("two", "search"))
    says = "No ModelDeployment in chat; 2 in other namespaces: escadre status -A\n"
    assert program.run("status").out.startswith(says)


def test_who_may_not_list_all_namespaces_is_told_of_them_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = cluster(deployment("one", "search"))
    program.api = api = program.server.client("bob")
    whole = api.list_page

    async def list_page(resource: Resource, selection: Selection, **more: Any) -> Page:
        if selection.namespace is None:
            raise Forbidden(method="list", object=resource.plural, status=403)
        return await whole(resource, selection, **more)

    monkeypatch.setattr(api, "list_page", list_page)
    ran = program.run("status")
    assert ran.code == 0
    assert ran.out.startswith(
        "No ModelDeployment in chat; those of all namespaces, if you may list them: "
        "escadre status -A\n"
    )


def test_json_has_the_whole_status() -> None:
    program = cluster(deployment(), PULLING)
    one = json.loads(program.run("status", "assistant", "-o", "json").out)
    assert one["ready"] is True
    assert one["status"]["lastScale"]["from"] == 1
    items = json.loads(program.run("status", "-o", "json").out)["items"]
    assert [(each["name"], each["reason"]) for each in items] == [
        ("assistant", "Ready"),
        ("pulling", "Pulling"),
    ]


def test_a_status_of_an_older_spec_is_not_ready() -> None:
    body = deployment()
    program = cluster(body)
    live = program.server.get(MODEL_DEPLOYMENTS, "assistant", "chat")
    assert live is not None
    program.server.put(
        MODEL_DEPLOYMENTS, {**live, "spec": {**live["spec"], "contextLength": 16384}}
    )
    ran = program.run("status", "assistant")
    assert ran.code == 1
    assert "generation 2, the operator saw 1" in ran.out
    assert "Unknown" in program.run("status").out


def test_of_a_spec_that_cannot_be_read_nothing_is_told_as_if_it_were() -> None:
    body = deepcopy(deployment())
    body["spec"]["scaling"]["schedules"] = [
        {"cron": "0 8 31 2 *", "timeZone": "UTC", "duration": "9h", "minReplicas": 2}
    ]
    message = "the number stays as it is, and no queue is read: the spec cannot be read"
    one = next(each for each in body["status"]["conditions"] if each["type"] == "Scaling")
    one.update(status="Unknown", reason="InvalidSpec", message=message)
    body["status"]["scaling"] = {"signal": "Unknown", "limits": [], "history": []}
    for each in body["status"]["replicas"]["items"]:
        each["current"] = False
    out = cluster(body).run("status", "assistant").out
    assert "  demand   no queue is read: the spec cannot be read\n" in out
    assert " old" not in out


def test_the_next_step_stands_below_what_blocks() -> None:
    told = condition("Ready", "False", "Revoked", "carla revoked it", "Deploy another model.")
    lines = cluster(deployment(conditions=[told])).run("status", "assistant").out.splitlines()
    at = next(number for number, line in enumerate(lines) if "carla revoked it" in line)
    assert lines[at + 1].strip() == "next: Deploy another model."


def test_watch_prints_each_change_until_it_is_interrupted() -> None:
    program = cluster(PULLING)
    changes = [deployment("pulling"), None, KeyboardInterrupt]

    def later() -> None:
        change = changes.pop(0)
        if change is KeyboardInterrupt:
            raise KeyboardInterrupt
        if isinstance(change, dict):
            program.server.put(MODEL_DEPLOYMENTS, change)

    program.on_sleep = later
    ran = program.run("status", "--watch", "-o", "json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["ready"] for line in lines] == [False, True]


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_watch_says_that_there_is_none(output: str) -> None:
    program = cluster()

    def interrupted() -> None:
        raise KeyboardInterrupt

    program.on_sleep = interrupted
    ran = program.run("status", "--watch", "-o", output)
    (document,) = yaml.safe_load_all(ran.out)  # JSON is YAML as well
    assert document["items"] == []
    assert "leads" in document["operator"]


def test_watch_shows_in_place_on_a_terminal() -> None:
    program = cluster(PULLING)
    program.terminal = True
    rounds = [None, KeyboardInterrupt]

    def later() -> None:
        if rounds.pop(0) is KeyboardInterrupt:
            raise KeyboardInterrupt

    program.on_sleep = later
    ran = program.run("status", "pulling", "--watch")
    assert "40 %" in ran.out
    assert "\x1b[" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("status", "asistant"), "near it: assistant", id="a typing mistake"),
        pytest.param(
            ("status", "assistant", "-n", "search"),
            "one of that name is in: chat (-n)",
            id="another namespace",
        ),
        pytest.param(("why", "xyz"), "there are: assistant", id="nothing like it"),
    ],
)
def test_an_unknown_name_is_answered_with_what_there_is(
    arguments: tuple[str, ...], words: str
) -> None:
    ran = cluster(deployment()).run(*arguments)
    assert ran.code == 3
    assert words in ran.err


def test_a_status_of_a_newer_operator_is_shown_as_far_as_it_is_understood() -> None:
    body = deployment(
        replicas=replicas(1, {**replica(0, "Ready", "gpu-0", ""), "state": "Warming"})
    )
    ran = cluster(body).run("status", body["metadata"]["name"])
    assert ran.code == 0, "it is ready, whatever else this version does not understand"
    assert "status.replicas.items[0].state: " in ran.out
    assert "Replicas  1/1" in ran.out


def test_one_line_for_each_deployment_on_80_columns() -> None:
    program = cluster(deployment(), PULLING, EMPTY, deployment("other", "search"))
    program.width = 80
    for arguments, lines in ((("status",), 4), (("status", "-A"), 5)):
        table = program.run(*arguments).out.partition("\n\n")[0].splitlines()
        assert len(table) == lines
        assert max(len(line) for line in table) <= 80


def test_a_selector_shows_only_what_it_selects() -> None:
    labelled = deployment("labelled")
    labelled["metadata"]["labels"] = {"team": "a"}
    program = cluster(deployment(), labelled)
    items = json.loads(program.run("status", "-l", "team=a", "-o", "json").out)["items"]
    assert [each["name"] for each in items] == ["labelled"]
    assert "with the labels team=b in chat" in program.run("status", "-l", "team=b").out
    assert program.run("status", "assistant", "-l", "team=a").code == 2


def test_a_message_stands_once() -> None:
    words = "asks 200000, the model has 131072"
    told = [condition(type_, "False", "ContextTooLong", words) for type_ in ("Ready", "Planned")]
    told.append(condition("Stalled", "True", "ContextTooLong", words))
    program = cluster(deployment(conditions=told))
    for command in ("status", "why"):
        assert program.run(command, "assistant").out.count(words) == 1
