"""Resolves what a pod spec refers to: fields of the pod, keys of config maps and secrets.

Called for environment variables and for volumes. A missing object is ``MissingReferenceError``,
which a kubelet shows as CreateContainerConfigError or a failed mount.
"""

import base64
import re
from typing import Any, Final

from e2e.cluster.addresses import SERVICE_API_ADDRESS
from e2e.cluster.api import Api, ApiError

__all__ = ["MissingReferenceError", "container_environment", "expand", "field_of", "object_data"]

_VARIABLE: Final = re.compile(r"\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


class MissingReferenceError(LookupError):
    """An object or key that a pod names does not exist."""


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace ``$(NAME)``; unknown names stay as they are, ``$$`` is one dollar sign."""

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _VARIABLE.sub(replaced, text)


def field_of(pod: dict[str, Any], path: str, address: str) -> str:
    """The value of a downward ``fieldPath``."""
    metadata, spec = pod["metadata"], pod["spec"]
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": pod.get("status", {}).get("hostIP", ""),
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        pairs: dict[str, str] = metadata.get(path.removeprefix("metadata."), {})
        return "\n".join(f'{key}="{_escaped(pairs[key])}"' for key in sorted(pairs))
    if match := _SUBSCRIPT.fullmatch(path):
        return str(metadata.get(match[1], {}).get(match[2], ""))
    raise MissingReferenceError(f"the runner does not know the field {path}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


async def object_data(
    api: Api, kind: str, namespace: str, name: str, *, optional: bool
) -> dict[str, bytes] | None:
    """All keys of a ConfigMap or Secret; None when it may be absent and is."""
    plural = {"ConfigMap": "configmaps", "Secret": "secrets"}[kind]
    try:
        found = await api.get(f"/api/v1/namespaces/{namespace}/{plural}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        if optional:
            return None
        raise MissingReferenceError(f'{kind.lower()} "{name}" not found') from error
    encoded: dict[str, str] = found.get("binaryData") or {}
    plain: dict[str, str] = found.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in plain.items()}
    data = {key: value.encode() for key, value in plain.items()}
    return data | {key: base64.b64decode(value) for key, value in encoded.items()}


async def _key(api: Api, kind: str, namespace: str, selector: dict[str, Any]) -> str | None:
    name, key = selector.get("name", ""), selector["key"]
    optional = bool(selector.get("optional"))
    data = await object_data(api, kind, namespace, name, optional=optional)
    if data is None or key not in data:
        if optional:
            return None
        raise MissingReferenceError(f"couldn't find key {key} in {kind} {namespace}/{name}")
    return data[key].decode()


async def _from_objects(
    api: Api, container: dict[str, Any], namespace: str, variables: dict[str, str]
) -> None:
    for source in container.get("envFrom", ()):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if reference := source.get(field):
                optional = bool(reference.get("optional"))
                name = reference.get("name", "")
                data = await object_data(api, kind, namespace, name, optional=optional)
                prefix = source.get("prefix", "")
                variables |= {prefix + key: value.decode() for key, value in (data or {}).items()}


async def _value(api: Api, pod: dict[str, Any], source: dict[str, Any], address: str) -> str | None:
    namespace = pod["metadata"]["namespace"]
    if field := source.get("fieldRef"):
        return field_of(pod, field["fieldPath"], address)
    if selector := source.get("configMapKeyRef"):
        return await _key(api, "ConfigMap", namespace, selector)
    if selector := source.get("secretKeyRef"):
        return await _key(api, "Secret", namespace, selector)
    raise MissingReferenceError(f"the runner does not know the source {sorted(source)}")


async def container_environment(
    api: Api,
    pod: dict[str, Any],
    container: dict[str, Any],
    image_environment: dict[str, str],
    address: str,
) -> dict[str, str]:
    """The whole environment of a container: image, cluster, then the pod's own variables."""
    variables = image_environment | {
        "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": SERVICE_API_ADDRESS,
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": f"tcp://{SERVICE_API_ADDRESS}:443",
    }
    await _from_objects(api, container, pod["metadata"]["namespace"], variables)
    for entry in container.get("env", ()):
        source = entry.get("valueFrom")
        if source is None:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
            continue
        value = await _value(api, pod, source, address)
        if value is not None:
            variables[entry["name"]] = value
    return variables
