"""The operator as a process of its own, under the chart's ServiceAccount.

Not a pod: the benchmark starts it, reads its memory and ends it at the moment it chooses. But it
begins as one does: in the cluster's network namespace, with the files of the ServiceAccount where
a pod has them, and with the chart's settings.
"""

import json
import os
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e.bench.account import Account
from e2e.bench.builds import THIS, Build
from e2e.cluster.cluster import Cluster
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE

__all__ = ["OperatorProcess"]

Json = dict[str, Any]


class OperatorProcess:
    """Start it, listen to its log, look at its memory, stop it; again and again."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        *,
        build: Build = THIS,
        profile: Path | None = None,
    ) -> None:
        self._cluster = cluster
        self._folder = folder
        self._build = build
        self._profile = profile
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def _settings(self) -> Path:
        path = self._folder / "config.yaml"
        path.write_text(self._cluster.get("configmap", "escadre", NAMESPACE)["data"]["config.yaml"])
        return path

    def _chart_environment(self) -> dict[str, str]:
        """The literal variables of the chart's own container."""
        found = self._cluster.get("deployment", "escadre-operator", NAMESPACE)
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return {one["name"]: one["value"] for one in container["env"] if "value" in one}

    def _program(self) -> list[str]:
        """What the interpreter is given to run."""
        return [str(self._build.program)]

    @property
    def log(self) -> Path:
        """The log of the latest start."""
        return self._folder / f"operator-{self._starts}.log"

    def start(self) -> None:
        """Starts it; it need not lead yet."""
        account, settings = Account(self._folder / "account"), self._settings()
        self._starts += 1
        environment = {
            **os.environ,
            **self._chart_environment(),
            **account.issue(self._cluster, "escadre-operator", NAMESPACE),
            "POD_NAME": f"bench-{self._starts}",
        }
        environment.pop("KUBECONFIG", None)  # a pod has none
        program = account.within([str(self._build.python)])
        if self._profile is not None:
            program += ["-m", "cProfile", "-o", f"{self._profile}.{self._starts}"]
        program += self._program()
        with self.log.open("wb") as log:
            self._process = self._cluster.popen_in_netns(
                [*program, "operator", "--config", str(settings)],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def said(self, event: str) -> Json | None:
        """The first record of an event in its log."""
        for line in self.log.read_text(errors="replace").splitlines():
            if f'"{event}"' in line and line.startswith("{"):
                record: Json = json.loads(line)
                if record.get("event") == event:
                    return record
        return None

    def wait_said(self, event: str, deadline: float) -> float:
        """Until it logs an event; returns when, in seconds since the epoch."""

        def heard() -> Json | None:
            self.check()
            return self.said(event)

        record: Json = wait_for(
            heard,
            deadline,
            f"the operator to say {event!r}",
            lambda: self.log.read_text(errors="replace")[-2000:],
        )
        return datetime.fromisoformat(record["timestamp"]).timestamp()

    def check(self) -> None:
        """Raises when it does not run: what it said last says why."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the operator ended: {self.log.read_text()[-2000:]}")

    def memory(self) -> tuple[float, float]:
        """Resident memory now and at its highest, in MB."""
        found = self._proc("status").splitlines()
        sizes = dict(line.split(":", 1) for line in found if line.startswith("Vm"))
        return _megabytes(sizes["VmRSS"]), _megabytes(sizes["VmHWM"])

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _proc(self, name: str) -> str:
        self.check()
        pid = self._process.pid if self._process else 0
        return Path(f"/proc/{pid}/{name}").read_text()

    def stop(self) -> None:
        """Ends it as a kubelet does, and waits; nothing when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)
            self._process = None


def _megabytes(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) * 1024 / 1e6
