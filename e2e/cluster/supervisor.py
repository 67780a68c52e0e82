"""Process 1 of a cluster's namespaces: starts every component, keeps it up, and ends it all.

Started by ``launch`` as ``python -m e2e.cluster.supervisor STATE`` in new network, mount and PID
namespaces. Being process 1 is the guarantee: when it ends, however it ends, the kernel ends every
other process and takes devices, routes and mounts away. It ends when told so, or when its standard
input closes because whoever started the cluster is gone.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from e2e.cluster import controlplane
from e2e.cluster.addresses import (
    API_PORT,
    CLUSTER_ADDRESS,
    SERVICE_API_ADDRESS,
    host_link,
    node_address,
)
from e2e.cluster.api import Api, ApiError
from e2e.cluster.certificates import write_certificates
from e2e.cluster.config import REPOSITORY, ClusterConfig, python_environment
from e2e.cluster.control import ControlError, serve
from e2e.cluster.folders import StateFolder
from e2e.cluster.kubeconfig import write_kubeconfig
from e2e.cluster.network import prepare_network
from e2e.cluster.nodes import build_node, new_boot_id
from e2e.cluster.processes import Supervised
from e2e.cluster.wait import patience

__all__ = ["Supervisor", "main"]

_STAGES = Path(__file__).parent / "kwok-stages.yaml"
_READY_TIMEOUT = 90.0
_STOP_GRACE = 2.0  # an API server would wait a minute for its watches to end


class Supervisor:
    """The components of one cluster, in the order they start."""

    def __init__(self, state: StateFolder, config: ClusterConfig) -> None:
        self._state = state
        self._config = config
        self._began = time.monotonic()
        self._steps: dict[str, float] = {}
        self._components: dict[str, Supervised] = {}
        self._done = asyncio.Event()

    def _step(self, name: str) -> None:
        self._steps[name] = round(time.monotonic() - self._began, 2)
        print(f"{self._steps[name]:6.2f} s  {name}", flush=True)

    async def run(self) -> None:
        """Start everything, serve control requests, return when it is time to end."""
        link = host_link(self._config.name, self._config.place)
        write_certificates(self._state.certificates, link.cluster_address)
        server = f"https://{link.cluster_address}:{API_PORT}"
        for user in controlplane.COMPONENT_USERS:
            inner = f"https://{CLUSTER_ADDRESS}:{API_PORT}"
            path = self._state.root / f"{user}.kubeconfig"
            address = server if user == "admin" else inner
            write_kubeconfig(path, self._state.certificates, user, address)
        prepare_network(len(self._config.nodes))
        self._step("network and certificates")
        control = await serve(self._state.supervisor_socket, self._handle)
        lifeline = asyncio.create_task(self._follow_lifeline())
        try:
            if await self._started():
                self._state.ready.write_text(json.dumps({"steps": self._steps}) + "\n")
                await self._done.wait()
        finally:
            lifeline.cancel()
            control.close()
            runner = self._components.get("runner")
            if runner is not None:
                await runner.stop(grace=3)

    async def _started(self) -> bool:
        """Start everything; False when the owner goes away meanwhile."""
        starting = asyncio.create_task(asyncio.wait_for(self._start(), _READY_TIMEOUT * patience()))
        ending = asyncio.create_task(self._done.wait())
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not starting.done():
            starting.cancel()
            return False
        await starting
        return True

    async def _follow_lifeline(self) -> None:
        """Standard input is a pipe whose other end the owner holds: its end is our end."""
        if self._config.detached:
            return
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        print("the owner of this cluster is gone: ending it", flush=True)
        self._done.set()

    def _add(self, name: str, command: list[str], **options: Any) -> Supervised:
        log = self._state.logs / f"{name}.log"
        self._components[name] = component = Supervised(name, command, log, **options)
        return component

    def _binary(self, name: str) -> Path:
        return Path(self._config.programs[name])

    async def _start(self) -> None:
        state = self._state
        (state.root / "audit-policy.yaml").write_text(controlplane.AUDIT_POLICY)
        await self._add("etcd", controlplane.etcd(self._binary("etcd"), state)).start()
        command = controlplane.api_server(self._binary("kube-apiserver"), state)
        await self._add("kube-apiserver", command).start()
        async with Api(f"https://{CLUSTER_ADDRESS}:{API_PORT}", state.certificates, "admin") as api:
            await api.until_ready()
            self._step("API server ready")
            await self._start_controllers()
            await self._create_nodes(api)
            self._step("nodes created")
            if self._config.nodes:
                await self._start_proxy(self._config.nodes[-1].name)
            await self._start_runner()
            await self._until_usable(api)
        self._step("nodes ready, Services answer")

    async def _start_controllers(self) -> None:
        state = self._state
        for name, command in {
            "kube-controller-manager": controlplane.controller_manager(
                self._binary("kube-controller-manager"), state
            ),
            "kube-scheduler": controlplane.scheduler(self._binary("kube-scheduler"), state),
            "kwok": controlplane.kwok(self._binary("kwok"), state, _STAGES),
        }.items():
            await self._add(name, command).start()

    async def _start_proxy(self, node: str) -> None:
        """Start kube-proxy, which asks for the Node it belongs to: without one it never serves."""
        config = controlplane.proxy_config(self._state, node)
        (self._state.root / "proxy.yaml").write_text(config)
        command = controlplane.proxy(self._binary("kube-proxy"), self._state)
        await self._add("kube-proxy", command).start()

    async def _start_runner(self) -> None:
        # Its own mount namespace: what it mounts for pods is gone when it is.
        command = [
            "unshare",
            "--mount",
            "--propagation=private",
            self._config.python,
            "-m",
            "e2e.cluster.runner",
            str(self._state.root),
        ]
        await self._add(
            "runner", command, folder=REPOSITORY, environment=python_environment()
        ).start()

    async def _create_nodes(self, api: Api) -> None:
        for index, spec in enumerate(self._config.nodes):
            boot_id = new_boot_id()
            self._state.node_root(spec.name).mkdir(parents=True, exist_ok=True)
            self._state.boot_id(spec.name).write_text(boot_id + "\n")
            node = build_node(spec, node_address(index), boot_id)
            await api.create("/api/v1/nodes", node)

    async def _until_usable(self, api: Api) -> None:
        """Nodes Ready, the default account there, a Service address answering."""
        address = SERVICE_API_ADDRESS if self._config.nodes else f"{CLUSTER_ADDRESS}:{API_PORT}"
        service = f"https://{address}"
        async with Api(service, self._state.certificates, "admin") as through_service:
            while not (  # noqa: ASYNC110 - other processes get ready, not this one
                await _nodes_ready(api) and await _account(api) and await through_service.ready()
            ):
                await asyncio.sleep(0.05)

    async def _handle(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request["op"]
        if operation == "shutdown":
            self._done.set()
            return {}
        if operation == "status":
            return {
                "components": {
                    name: {"pid": one.pid, "starts": one.starts}
                    for name, one in self._components.items()
                }
            }
        component = self._components.get(request.get("component", ""))
        if component is None:
            known = ", ".join(self._components)
            raise ControlError(f"no component {request.get('component')!r}; there are {known}")
        if operation == "stop":
            await component.stop(_STOP_GRACE)
        elif operation == "start":
            await component.start()
        elif operation == "signal":
            component.signal(request["signal"])
        else:
            raise ControlError(f"no operation {operation!r}")
        return {"pid": component.pid, "starts": component.starts}


async def _nodes_ready(api: Api) -> bool:
    nodes = (await api.get("/api/v1/nodes", resourceVersion="0"))["items"]
    return all(
        any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in node["status"].get("conditions", ())
        )
        and not node["spec"].get("taints")
        for node in nodes
    )


async def _account(api: Api) -> bool:
    try:
        await api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except ApiError:
        return False
    return True


def _end_everything(state: StateFolder) -> None:
    """Kill every other process of the namespace and remove the cluster's folder."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    keep = os.environ.get("ESCADRE_KEEP_LOGS")
    if keep:
        target = Path(keep) / state.root.name
        shutil.rmtree(target, ignore_errors=True)
        for folder in (state.logs, state.pods):
            if folder.exists():
                shutil.copytree(folder, target / folder.name, symlinks=True, dirs_exist_ok=True)
        if state.audit_log.exists():
            shutil.copy(state.audit_log, target)
    shutil.rmtree(state.root, ignore_errors=True)


def main() -> None:
    """Entry point; refuses to run outside a PID namespace, where killing all would be unkind."""
    if os.getpid() != 1:
        sys.exit("the supervisor runs as process 1 of a cluster's namespaces; see e2e.cluster up")
    state = StateFolder(Path(sys.argv[1]))
    config = ClusterConfig.load(state)

    async def supervise() -> None:
        supervisor = Supervisor(state, config)
        task = asyncio.ensure_future(supervisor.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    try:
        asyncio.run(supervise())
    except Exception:  # noqa: BLE001 - the last place that can say why; whoever waits reads the log
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)  # the folder stays, with its logs; the kernel ends everything else
    _end_everything(state)


if __name__ == "__main__":
    main()
