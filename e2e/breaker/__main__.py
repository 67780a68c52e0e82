"""``make breaker``: breaks a running installation, case by case, and sees each named and healed.

CASES=name,name picks some; KEEP=1 leaves the cluster running. The exit status is 1 when a case
was not named within 15 s, did not heal as it says, or cost more requests than it may.
"""

import os
import sys
from dataclasses import replace

from e2e.breaker.case import SERVED, Case, Result
from e2e.breaker.judge import judge
from e2e.breaker.show import line, table
from e2e.breaker.table import chosen
from e2e.cases.faulting import ready
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.launch import refuse_second
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import PATIENCE
from e2e.stage.stage import Stage

CLUSTER = "breaker"
NODES = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))


def main() -> int:
    """Runs the chosen cases; the exit status says whether all held."""
    os.environ.setdefault(PATIENCE, "2")  # for healing; 15 s to be named stay 15 s
    try:
        cases = chosen(os.environ.get("CASES", ""))
        refuse_second(CLUSTER)
    except (ValueError, RuntimeError) as error:
        print(error)
        return 2
    keep = os.environ.get("KEEP", "") not in {"", "0", "no"}
    runner = RunnerConfig(backoff_seconds=1, backoff_limit_seconds=8)
    cluster = Cluster(CLUSTER, nodes=NODES, runner=runner, detached=keep)
    stage = Stage(cluster, cluster.state.root / "breaker")
    results: list[Result] = []
    try:
        cluster.start()
        _furnish(stage)
        results.extend(_one(case, stage) for case in cases)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        _end(stage, keep=keep)
    print(f"\n{table(results)}")
    return 0 if len(results) == len(cases) and all(one.held for one in results) else 1


def _furnish(stage: Stage) -> None:
    stage.folder.mkdir()
    # An engine loads for longer than a look takes, as a real one does.
    engine = {"drainSeconds": 15, "env": {"STANDIN_STARTUP_SECONDS": "10"}}
    stage.install(engine=engine, scaling={"staleSeconds": 6})
    stage.wait_installed(90)
    stage.furnish()
    stage.approve("base", options={"--name": SERVED})
    stage.deploy(SERVED, SERVED, scaling={"minReplicas": 2, "maxReplicas": 2})
    ready(stage, SERVED, deadline=180)


def _one(case: Case, stage: Stage) -> Result:
    """One case, told when it ends; whatever it left is put right for the next one."""
    result = judge(case, stage, SERVED)
    try:
        if case.after:
            case.after(stage)
        ready(stage, SERVED, deadline=180)
    except AssertionError as error:
        left = f"not whole again for the next case: {' '.join(str(error).split())}"
        result = replace(result, failure=f"{result.failure}; {left}".removeprefix("; "))
    print(line(result), flush=True)
    return result


def _end(stage: Stage, *, keep: bool) -> None:
    if keep:
        print(f"the cluster goes on: python -m e2e.cluster down --name {CLUSTER} ends it")
        return
    stage.close()
    stage.cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
