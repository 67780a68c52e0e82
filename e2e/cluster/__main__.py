"""Command line of the test cluster: binaries, up, down, status, env, exec, kubectl.

``python -m e2e.cluster --help``. Everything it does is in the modules beside it.
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import time
from pathlib import Path

from e2e.cluster.binaries import provide_programs
from e2e.cluster.build import BuildError
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.folders import state_folder
from e2e.cluster.launch import StartError, is_running, refuse_second, remove_cluster
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.prerequisites import missing_prerequisites
from e2e.cluster.programs import Tier, cache_folder
from e2e.cluster.toolchain import NoToolchainError

__all__ = ["main"]


def _binaries(_: argparse.Namespace) -> int:
    found = provide_programs(print, Tier.TEST)
    print(f"{'program':26}{'version wanted':16}{'from':20}path")
    for name, one in found.items():
        print(f"{name:26}{one.program.version:16}{one.origin:20}{one.path}")
    print(f"all of them under {cache_folder() / 'bin'}")
    return 0


def _up(arguments: argparse.Namespace) -> int:
    nodes = [NodeSpec(f"gpu-{index}") for index in range(arguments.nodes)]
    nodes.append(NodeSpec("cpu-0", gpus=0, cpus=32, memory_gib=128))
    runner = RunnerConfig(images=arguments.images, fake_all=arguments.fake_all)
    cluster = Cluster(arguments.name, nodes, runner, detached=arguments.keep)
    refuse_second(arguments.name)
    began = time.monotonic()
    cluster.start()
    for step, seconds in cluster.ready_seconds.items():
        print(f"{seconds:6.2f} s  {step}")
    print(f"cluster {arguments.name} is up after {time.monotonic() - began:.1f} s")
    _print_environment(cluster)
    if arguments.keep:
        print(f"end it with: python -m e2e.cluster down --name {arguments.name}")
        return 0
    print("it ends with this command: press Ctrl-C", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    cluster.stop()
    return 0


def _down(arguments: argparse.Namespace) -> int:
    removed = remove_cluster(arguments.name)
    print(f"cluster {arguments.name}: {'removed' if removed else 'there was none'}")
    return 0


def _status(_: argparse.Namespace) -> int:
    folders = sorted(state_folder("x").root.parent.glob("escadre-cluster-*/"))
    for folder in folders:
        name = folder.name.removeprefix("escadre-cluster-")
        if not is_running(state_folder(name)):
            print(f"{name}: does not run, its folder {folder} is left; down removes it")
            continue
        print(f"{name}: runs, {folder}")
        for component, state in Cluster.attach(name).components().items():
            print(f"  {component:26}pid {state['pid']!s:8}starts {state['starts']}")
    if not folders:
        print("no cluster")
    return 0


def _print_environment(cluster: Cluster) -> None:
    path = f"{Path(sys.executable).parent}:{cache_folder() / 'bin'}"
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    print(f'export PATH={shlex.quote(path)}:"$PATH"')
    print(f"# inside its network (Services, pods): {' '.join(cluster.in_netns(['COMMAND']))}")


def _env(arguments: argparse.Namespace) -> int:
    _print_environment(Cluster.attach(arguments.name))
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    cluster = Cluster.attach(arguments.name)
    command = [one for one in arguments.command if one != "--"] or ["bash"]
    inside = cluster.in_netns(command)
    environment = cluster.environment()
    mine = os.environ.get("KUBECONFIG", "")
    if Path(mine).is_relative_to(cluster.state.root):  # of a person of this cluster
        environment["KUBECONFIG"] = mine
    os.execvpe(inside[0], inside, environment)  # noqa: S606 - becomes the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        return one

    command("binaries", _binaries, "find or build every program and print where it is")
    command("status", _status, "print the clusters of this machine")
    up = command("up", _up, "start a cluster")
    up.add_argument("--nodes", type=int, default=2, help="nodes with 8 GPUs (default 2)")
    up.add_argument("--keep", action="store_true", help="leave it running until 'down'")
    up.add_argument("--images", help="image table of the runner (YAML), see runner/images.py")
    up.add_argument("--fake-all", action="store_true", help="pods are Ready without a process")
    down = command("down", _down, "end a cluster and remove what it left")
    env = command("env", _env, "print the variables for a shell")
    run = command("exec", _exec, "run a command inside the network namespace")
    for one in (up, down, env, run):
        one.add_argument("--name", default="dev", help="name of the cluster (default dev)")
    run.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND ARGUMENTS")
    return parser


def main() -> int:
    """Run one command; expected failures are one line and status 1."""
    arguments = _parser().parse_args()
    needs_root = arguments.run is not _binaries
    if missing := missing_prerequisites(root=needs_root):
        print("\n".join(missing), file=sys.stderr)
        return 1
    try:
        code: int = arguments.run(arguments)
    except (BuildError, NoToolchainError, StartError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
