"""Pure rules of the engine runner: back-off, addresses, expansion, identity, script, status."""

import re
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster.runner.addressing import AddressPool
from e2e.cluster.runner.backoff import CrashBackoff
from e2e.cluster.runner.files import FileEntry, write_atomically
from e2e.cluster.runner.identity import IdentityError, identity_of
from e2e.cluster.runner.images import Image, ImageTable, bare_name
from e2e.cluster.runner.references import expand, field_of
from e2e.cluster.runner.script import ContainerPlan, Mount, build_script
from e2e.cluster.runner.status import ContainerView, Terminated, build_status

IMAGE = Image(("/bin/x",), {}, (), 65532, "/", fake=False)


def test_a_crash_loop_waits_as_a_kubelet_does() -> None:
    backoff = CrashBackoff(10, 300)
    now, delays = 0.0, []
    for _ in range(8):
        delays.append(backoff.delay(now))
        now += delays[-1] + 1
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_good_run_forgets_the_crashes() -> None:
    backoff = CrashBackoff(10, 300)
    assert [backoff.delay(0), backoff.delay(1)] == [0, 10]
    assert backoff.delay(11 + 601) == 0


def test_addresses_are_given_once_and_reused_last() -> None:
    pool = AddressPool("10.0.0.0/29", taken=["10.0.0.3"])
    assert [pool.take(), pool.take()] == ["10.0.0.2", "10.0.0.4"]
    pool.give_back("10.0.0.2")
    assert [pool.take(), pool.take(), pool.take()] == ["10.0.0.5", "10.0.0.6", "10.0.0.2"]
    with pytest.raises(RuntimeError, match="no pod address is free"):
        pool.take()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("--name=$(NAME)", "--name=a"),
        ("$$(NAME)", "$(NAME)"),
        ("$(OTHER)", "$(OTHER)"),
        ("$NAME $", "$NAME $"),
        ("$$$$", "$$"),
    ],
    ids=["known", "escaped", "unknown", "shell form", "two dollars"],
)
def test_variables_expand_as_in_a_pod_spec(text: str, result: str) -> None:
    assert expand(text, {"NAME": "a"}) == result


def test_downward_fields_are_read_from_the_pod() -> None:
    pod = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "uid": "u",
            "annotations": {"x/y": "one", "b": 'with "quotes"'},
        },
        "spec": {"nodeName": "gpu-0"},
    }
    assert field_of(pod, "spec.nodeName", "") == "gpu-0"
    assert field_of(pod, "status.podIP", "10.1.1.1") == "10.1.1.1"
    assert field_of(pod, "metadata.annotations['x/y']", "") == "one"
    assert field_of(pod, "metadata.annotations", "") == 'b="with \\"quotes\\""\nx/y="one"'
    with pytest.raises(LookupError, match=r"status\.unknown"):
        field_of(pod, "status.unknown", "")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("escadre.test/vllm:1", "escadre.test/vllm"),
        (f"escadre.test/vllm@sha256:{'e' * 64}", "escadre.test/vllm"),
        ("host:5000/a/b", "host:5000/a/b"),
        ("host:5000/a/b:tag@sha256:1", "host:5000/a/b"),
    ],
)
def test_tag_and_digest_do_not_matter(reference: str, name: str) -> None:
    assert bare_name(reference) == name


def test_a_table_file_adds_and_overrides_images(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text("escadre.test/vllm: {entrypoint: [vllm, serve], user: 7}\n")
    table = ImageTable(file)
    found = table.find("escadre.test/vllm@sha256:1")
    assert found is not None
    assert (found.entrypoint, found.user) == (("vllm", "serve"), 7)
    assert table.find("escadre.test/escadre:dev") is not None
    assert table.find("other.test/x:1") is None


def _pod(pod: dict[str, Any], container: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"spec": {"securityContext": pod}}, {"name": "c", "securityContext": container}


def test_the_containers_own_security_context_wins() -> None:
    pod, container = _pod(
        {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]},
        {"runAsUser": 5, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
    )
    identity = identity_of(pod, container, IMAGE)
    assert (identity.user, identity.group, identity.groups) == (5, 2, (4, 3))
    assert identity.drop_all
    assert identity.read_only_root


def test_root_is_refused_where_the_pod_forbids_it() -> None:
    pod, container = _pod({"runAsNonRoot": True}, {"runAsUser": 0})
    with pytest.raises(IdentityError, match="image will run as root"):
        identity_of(pod, container, IMAGE)
    assert identity_of(*_pod({"runAsNonRoot": True}, {}), IMAGE).user == 65532


def test_the_script_never_leaves_the_containers_root(tmp_path: Path) -> None:
    plan = ContainerPlan(
        folder=tmp_path,
        hidden=Path("/srv/state"),
        command=("echo", "it's"),
        environment={"A": "b c"},
        working_folder="/",
        hosts="127.0.0.1\tlocalhost\n",
        mounts=(Mount(tmp_path, "/var/run/secrets", read_only=True),),
        user=65534,
        group=65534,
        read_only_root=True,
        privilege_escalation=False,
        drop_all=True,
    )
    script = build_script(plan)
    written = re.findall(r"^(?:mkdir|chmod|rm) .*$|>\S+$", script, re.MULTILINE)
    assert written
    places = [word for line in written for word in line.removeprefix(">").split()]
    assert not [place for place in places if place.startswith("/") and place != "&3"], places
    assert "'it'\"'\"'s'" in script
    assert "--bounding-set=-all " in script
    last = script.rstrip().splitlines()[-1]
    assert last.startswith("exec chroot . setpriv --reuid=65534 --regid=65534 --clear-groups")


def test_small_files_change_all_at_once(tmp_path: Path) -> None:
    entries = {"a": FileEntry(b"1"), "deep/b": FileEntry(b"2", 0o600)}
    assert write_atomically(tmp_path, entries)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "deep" / "b").stat().st_mode & 0o777 == 0o600
    assert not write_atomically(tmp_path, entries), "nothing changed"
    assert write_atomically(tmp_path, {"a": FileEntry(b"3")})
    assert (tmp_path / "a").read_bytes() == b"3"
    visible = [path.name for path in tmp_path.iterdir() if not path.name.startswith("..")]
    assert visible == ["a"]


def _status(view: ContainerView, policy: str = "Always", *, ended: bool = False) -> dict[str, Any]:
    pod = {"metadata": {"generation": 1}, "spec": {"restartPolicy": policy}}
    return build_status(
        pod,
        [],
        [view],
        address="10.244.0.2",
        host_address="10.10.1.1",
        previous={},
        ended=ended,
        now=0.0,
    )


def _conditions(status: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


@pytest.mark.parametrize(
    ("code", "policy", "ended", "phase"),
    [
        (0, "Never", False, "Succeeded"),
        (1, "Never", False, "Failed"),
        (1, "OnFailure", False, "Running"),
        (0, "OnFailure", False, "Succeeded"),
        (0, "Always", False, "Running"),
        (0, "Always", True, "Succeeded"),
        (143, "Always", True, "Failed"),
    ],
)
def test_the_phase_follows_exit_code_and_policy(
    code: int, policy: str, ended: bool, phase: str
) -> None:
    terminated = Terminated(code, "Error", "", 0.0, 1.0, "escadre://1")
    view = ContainerView("c", "i", waiting=None, terminated=terminated)
    status = _status(view, policy, ended=ended)
    assert status["phase"] == phase
    assert _conditions(status)["Ready"] == "False"


def test_a_ready_container_makes_a_ready_pod_and_keeps_its_time() -> None:
    view = ContainerView("c", "i", waiting=None, running_since=5.0, ready=True, started=True)
    status = _status(view)
    assert status["phase"] == "Running"
    assert _conditions(status) == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"), "True"
    )
