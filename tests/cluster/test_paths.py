"""The test cluster's folder may lie anywhere: a long path, one with blanks and signs."""

import asyncio
import subprocess
from pathlib import Path

import pytest
import yaml
from e2e.cluster.addresses import host_link
from e2e.cluster.control import ControlError, call, serve
from e2e.cluster.controlplane import proxy_config
from e2e.cluster.folders import StateFolder
from e2e.cluster.network import free_place
from e2e.cluster.readable import unreadable


async def test_a_socket_answers_in_a_folder_longer_than_an_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long " * 20) / ("longer " * 20)
    folder.mkdir(parents=True)
    path = folder / "supervisor.sock"
    assert len(str(path)) > 107

    async def handle(request: dict[str, object]) -> dict[str, object]:
        return {"said": request["op"]}

    for _ in range(2):  # the second takes the place of what the first left
        server = await serve(path, handle)
        answer = await asyncio.to_thread(call, path, {"op": "status"})
        assert answer["said"] == "status"
        server.close()
        await server.wait_closed()


def test_a_socket_of_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="gone"):
        call(tmp_path / "gone" / "runner.sock", {"op": "status"})


def test_kube_proxy_reads_its_kubeconfig_whatever_the_path_holds(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "a b, #c: {d}")
    config = yaml.safe_load(proxy_config(state, "gpu-0"))
    assert config["clientConnection"]["kubeconfig"] == str(state.root / "proxy.kubeconfig")


def test_a_checkout_made_under_a_strict_umask_is_named_with_its_cure(tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    (checkout / "e2e").mkdir(parents=True)
    (checkout / "e2e" / "one.py").touch(0o644)
    (checkout / "two").touch(0o600)
    checkout.chmod(0o700)
    assert unreadable({checkout: ("e2e/one.py",)}) == [], "the container's script opens this one"
    (line,) = unreadable({checkout: ("e2e/one.py", "two")})
    assert f"{checkout}/two is closed" in line
    assert line.endswith(f"chmod -R go+rX '{checkout}'")
    (checkout / "e2e").chmod(0o700)
    (line,) = unreadable({checkout: ("e2e/one.py",)})
    assert f"{checkout}/e2e/one.py is closed" in line


def test_two_clusters_whose_names_hash_alike_get_links_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = [host_link("one", place).host_address for place in (0, 1)]
    lines = "".join(f"7: a    inet {address}/30 scope global a\n" for address in taken)
    done = subprocess.CompletedProcess(["ip"], 0, f"1: lo    inet 127.0.0.1/8 lo\n{lines}", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert free_place("one") == 2
    assert free_place("another") == 0
    third = host_link("one", 2)
    assert third.host_address not in taken
    assert third.device == host_link("one").device, "it is found again by the name alone"
