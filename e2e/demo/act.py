"""The demo itself: from an empty cluster to a revoked approval, each step seen to hold."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from e2e.cluster.cluster import Cluster, CommandError
from e2e.cluster.config import REPOSITORY
from e2e.cluster.podstates import refuse_hopeless
from e2e.cluster.wait import wait_for
from e2e.demo.recorder import Recorder
from e2e.demo.standstill import Standstill
from e2e.engine.checkpoint import Shape, padded
from e2e.engine.load.request import Ask
from e2e.engine.load.run import Load, Summary, run_load
from e2e.engine.mirror.tree import flip_byte
from e2e.stage.stage import TEAM, Stage

__all__ = ["Act"]

Json = dict[str, Any]
QUICKSTART = REPOSITORY / "examples" / "quickstart"
REPOSITORY_NAME = "mistralai/tiny-mistral"
WEIGHTS_MIB = 192
PULL_RATE = 12_000_000  # bytes per second and connection: a pull one can watch
CLIENTS = 12


class Act:
    """The steps, in order. ``stage`` is a running cluster with nothing in it yet."""

    def __init__(self, stage: Stage, recorder: Recorder, *, real_engine: bool) -> None:
        self.stage = stage
        self.cluster: Cluster = stage.cluster
        self.recorder = recorder
        self.real_engine = real_engine
        self._standstill = Standstill()

    def play(self) -> None:
        """All of it."""
        step = self.recorder.step
        with step("install the chart: operator, agents, policies"):
            self.stage.install(**self._values())
            self.stage.wait_installed(90)
            self.recorder.say(self.cluster.kubectl("get", "pods,gpunodes", "-n", "escadre-system"))
        with step("a mirror holds the weights of two models"):
            self._publish("tiny-mistral", 1, WEIGHTS_MIB)
            self._publish("tiny-mistral-2", 2, 0)
            self.stage.start_mirror(rate=PULL_RATE)
        with step("rita drafts an approval, anna and bruno sign it"):
            self._people()
            self._approve("tiny-mistral")
        with step("rita cannot approve what she asked for"):
            self._self_approval()
        with step("apply examples/quickstart"):
            self.recorder.say(self.cluster.kubectl("apply", "-f", str(QUICKSTART)))
        with step("weights are pulled and verified"):
            self._watch_pull()
        with step("the plan is explained and drawn: who has which GPU"):
            self._plan()
        with step("ready"):
            self._wait_ready()
            self.recorder.say(self._escadre("status", "assistant", "-n", TEAM))
        with step("a chat request through the Service is answered"):
            asyncio.run(self._chat())
        if not self.real_engine:
            with step("load raises the queue: replicas go up, then down; no request is lost"):
                asyncio.run(self._load())
        with step("one byte flipped on the mirror: refused and explained"):
            self._tamper()
        with step("the approval is revoked: explained, and still serving"):
            self._revoke()

    # -- parts ------------------------------------------------------------------------------------

    def _values(self) -> Json:
        if not self.real_engine:
            return {}
        return {
            "engine": {
                "memory": "6Gi",
                "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
                "startupBaseSeconds": 600,
            }
        }

    def _publish(self, name: str, seed: int, mib: int) -> None:
        big = mib and not self.real_engine
        self.stage.publish(name, seed, padded(Shape(), mib) if big else Shape())

    def _people(self) -> None:
        self.stage.everybody()
        self.stage.kubectl("paul", "apply", "-f", str(QUICKSTART / "1-mirror.yaml"))

    def _approve(self, name: str) -> None:
        """Draft as rita, publish the manifest, create the approval, sign twice."""
        self.stage.approve(name)
        self.recorder.say(self.stage.said)
        self.recorder.say(self._escadre("approve", "show", name))

    def _self_approval(self) -> None:
        done = self.stage.escadre(
            "approve", "sign", "tiny-mistral", "--yes", who="rita", check=False
        )
        assert done.returncode != 0, "rita signed her own request"
        self.recorder.say(done.stderr or done.stdout)
        signature = {
            "apiVersion": "escadre.dev/v1alpha1",
            "kind": "ModelSignature",
            "metadata": {"name": "forged"},
            "spec": {
                "approval": "tiny-mistral",
                "contentDigest": "sha256:" + "0" * 64,
                "decision": "Approve",
                "by": "anna",
            },
        }
        try:
            self.stage.kubectl("rita", "create", "-f", "-", stdin=json.dumps(signature))
        except CommandError as error:
            self.recorder.say(error.stderr)
        else:
            raise AssertionError("rita signed in anna's name")

    def _watch_pull(self) -> None:
        """On a terminal the live view with its bars; elsewhere each line of progress once."""
        live = sys.stdout.isatty()
        log = self.stage.folder / "watch.log"
        with log.open("wb") as file:
            watch = self.cluster.popen_in_netns(
                self.stage.command("status", "assistant", "-n", TEAM, "--watch"),
                stdout=None if live else file,
                stderr=subprocess.DEVNULL,
            )
            try:
                wait_for(self._verified, 120, "the weights to be verified")
            finally:
                watch.terminate()
                watch.wait(timeout=10)
        if live:
            return
        lines = [line.strip() for line in log.read_text().splitlines() if "MB/s" in line]
        for line in dict.fromkeys(lines):
            self.recorder.say(line)

    def _verified(self) -> bool:
        return self._has_come("WeightsReady")

    def _plan(self) -> None:
        said = self._escadre("plan", "-f", str(QUICKSTART / "2-deployment.yaml"))
        self.recorder.say(said)
        picture = said.partition("\nGPUs\n")[2]
        nodes = [spec.name for spec in self.cluster.config.nodes if spec.gpus]
        assert any(line.startswith(tuple(nodes)) for line in picture.splitlines()), said

    def _wait_ready(self) -> None:
        def ready() -> bool:
            refuse_hopeless(self.cluster.list("pods", "-n", TEAM))
            return self._has_come("Ready")

        wait_for(ready, 900 if self.real_engine else 60, "assistant to be Ready")

    async def _chat(self) -> None:
        url = f"http://{self._service_address()}/v1/chat/completions"
        body = {
            "model": "assistant",
            "messages": [{"role": "user", "content": "Bonjour ! Qui es-tu ?"}],
            "max_tokens": 24,
        }
        async with (
            aiohttp.ClientSession(connector=self.cluster.connector()) as session,
            session.post(url, json=body) as answer,
        ):
            said = await answer.json()
            assert answer.status == 200, said
        choice = said["choices"][0]
        assert choice["finish_reason"] in {"stop", "length"}, said
        assert said["usage"]["completion_tokens"] > 0, said
        tokens = said["usage"]["completion_tokens"]
        self.recorder.say(f"{said['model']} ({tokens} tokens): {choice['message']['content']}")

    async def _load(self) -> None:
        stop = asyncio.Event()
        ask = Ask(f"http://{self._service_address()}", "assistant", max_tokens=96)
        load = asyncio.create_task(self._run_load(Load(ask, clients=CLIENTS), stop))
        began = time.monotonic()
        await self._until(lambda: self._ready_replicas() == 3, 90, "3 ready replicas")
        self.recorder.say(f"3 replicas ready after {time.monotonic() - began:.1f} s of load")
        stop.set()
        summary = await load
        self._tell("load", summary)
        # A trickle goes on while the replicas leave: it must not notice.
        stop = asyncio.Event()
        trickle = asyncio.create_task(
            self._run_load(Load(Ask(ask.url, ask.model, max_tokens=8), rate=4), stop)
        )
        await self._until(lambda: self._replica_count() == 1, 120, "1 replica again")
        stop.set()
        quiet = await trickle
        self._tell("trickle while replicas leave", quiet)
        assert summary.lost == 0, summary
        assert quiet.lost == 0, quiet
        last = self.stage.mdep("assistant")["status"]["lastScale"]
        self.recorder.say(
            f"last scaling: {last['from']} → {last['to']} replicas, {last['reason']}: demand "
            f"{last['demand']}, target {last['target']} per replica"
        )

    def _tell(self, what: str, found: Summary) -> None:
        latency = f"{found.latency_p50:.1f} s" if found.latency_p50 is not None else "unknown"
        self.recorder.say(
            f"{what}: {found.answered} of {found.sent} requests answered, {found.lost} lost, "
            f"half of them within {latency}"
        )

    async def _run_load(self, load: Load, stop: asyncio.Event) -> Summary:
        return await run_load(
            load, stop, connector=self.cluster.connector(force_close=True, limit=0)
        )

    async def _until(self, seen: Callable[[], bool], seconds: float, what: str) -> None:
        await asyncio.to_thread(wait_for, seen, seconds, what)

    def _tamper(self) -> None:
        self._approve("tiny-mistral-2")
        commit = self.stage.commits["tiny-mistral-2"]
        file = self.stage.tree.root / "mistralai/tiny-mistral-2" / commit
        flip_byte(file / "consolidated.safetensors")
        deployment = {
            "apiVersion": "escadre.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "tampered", "namespace": TEAM},
            "spec": {"approval": "tiny-mistral-2", "contextLength": 2048},
        }
        self.cluster.apply(deployment)
        wait_for(
            lambda: self.stage.condition("tampered", "WeightsReady")["reason"] == "DigestMismatch",
            60,
            "tampered to be refused for its digest",
        )
        done = self.stage.escadre("why", "tampered", "-n", TEAM, check=False)
        assert done.returncode == 1, done
        assert "DigestMismatch" in done.stdout, done.stdout
        self.recorder.say(done.stdout)

    def _revoke(self) -> None:
        self._escadre("approve", "revoke", "tiny-mistral", "--yes", "--reason", "incident 42",
                      who="bruno")  # fmt: skip
        wait_for(
            lambda: self.stage.condition("assistant", "Approved")["reason"] == "Revoked",
            30,
            "assistant to say that its approval is revoked",
        )
        done = self.stage.escadre("why", "assistant", "-n", TEAM, check=False)
        self.recorder.say(done.stdout)
        assert "bruno" in done.stdout, done.stdout
        assert self.stage.condition("assistant", "Available")["status"] == "True"
        asyncio.run(self._chat())

    def _has_come(self, type_: str) -> bool:
        """Whether the assistant has the condition; what waits for somebody will never come."""
        found = self.stage.condition("assistant", type_)
        self._standstill.refuse(found)
        return bool(found["status"] == "True")

    # -- looking ----------------------------------------------------------------------------------

    def _escadre(self, *arguments: str, who: str = "") -> str:
        return self.stage.escadre(*arguments, who=who).stdout

    def _ready_replicas(self) -> int:
        return int(self.stage.mdep("assistant")["status"]["replicas"]["ready"])

    def _replica_count(self) -> int:
        return len(
            self.cluster.list("deployments", "-n", TEAM, "-l", "escadre.dev/deployment=assistant")
        )

    def _service_address(self) -> str:
        return str(self.cluster.get("service", "assistant", TEAM)["spec"]["clusterIP"])


def report_path() -> Path:
    """Where the report goes."""
    return REPOSITORY / "build" / "demo" / "report.json"
