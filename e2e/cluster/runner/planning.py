"""From a container's spec to the plan of one start: command, variables, mounts, identity.

Asks the API server only for config maps and secrets that variables name. Called by the container
worker before each start, so that a changed config map counts from the next start on.
"""

from pathlib import Path
from typing import Any

from e2e.cluster.addresses import SERVICE_API_ADDRESS
from e2e.cluster.runner.context import Context
from e2e.cluster.runner.identity import identity_of
from e2e.cluster.runner.images import Image
from e2e.cluster.runner.references import container_environment, expand
from e2e.cluster.runner.script import ContainerPlan, Mount
from e2e.cluster.runner.volumes import Volume

__all__ = ["plan_container"]


def _command(container: dict[str, Any], image: Image, variables: dict[str, str]) -> tuple[str, ...]:
    given = container.get("command")
    words = [*(given or image.entrypoint), *container.get("args", ())]
    own = {entry["name"] for entry in container.get("env", ())}
    known = {key: value for key, value in variables.items() if key in own}
    return tuple(expand(word, known | variables) for word in words)


def _mounts(
    container: dict[str, Any], volumes: dict[str, Volume], variables: dict[str, str]
) -> list[Mount]:
    mounts = []
    for spec in container.get("volumeMounts", ()):
        volume = volumes[spec["name"]]
        part = expand(spec.get("subPathExpr", ""), variables) or spec.get("subPath", "")
        source = volume.path / part if part else volume.path
        if part and not source.exists() and not volume.read_only:
            source.mkdir(parents=True)
        read_only = volume.read_only or bool(spec.get("readOnly", False))
        mounts.append(Mount(source, spec["mountPath"].rstrip("/") or "/", read_only))
    return mounts


def _hosts(pod: dict[str, Any], address: str) -> str:
    name = pod["spec"].get("hostname") or pod["metadata"]["name"]
    lines = [
        "127.0.0.1\tlocalhost",
        f"{SERVICE_API_ADDRESS}\tkubernetes.default.svc kubernetes.default",
        f"{address}\t{name}",
    ]
    aliases = pod["spec"].get("hostAliases", ())
    lines += [f"{alias['ip']}\t{' '.join(alias.get('hostnames', ()))}" for alias in aliases]
    return "\n".join(lines) + "\n"


async def plan_container(
    context: Context,
    pod: dict[str, Any],
    container: dict[str, Any],
    image: Image,
    volumes: dict[str, Volume],
    folder: Path,
    address: str,
) -> ContainerPlan:
    """The plan; raises MissingReferenceError, IdentityError or ApiError when it cannot be made."""
    identity = identity_of(pod, container, image)
    # A container runtime sets HOME from the image's passwd file, "/" for a user it does not list.
    home = {"HOME": "/root" if identity.user == 0 else "/"}
    variables = await container_environment(
        context.api, pod, container, home | image.environment, address
    )
    node = pod["spec"]["nodeName"]
    message_path = container.get("terminationMessagePath", "/dev/termination-log")
    mounts = _mounts(container, volumes, variables)
    mounts += [
        Mount(folder / "termination-log", message_path),
        Mount(context.state.boot_id(node), "/proc/sys/kernel/random/boot_id", read_only=True),
    ]
    return ContainerPlan(
        folder=folder,
        hidden=context.state.root,
        command=_command(container, image, variables),
        environment=variables,
        working_folder=container.get("workingDir") or image.folder,
        hosts=_hosts(pod, address),
        binds=image.binds,
        mounts=tuple(mounts),
        user=identity.user,
        group=identity.group,
        groups=identity.groups,
        read_only_root=identity.read_only_root,
        privilege_escalation=identity.privilege_escalation,
        drop_all=identity.drop_all,
        added_capabilities=identity.added_capabilities,
    )
