"""Makes the volumes of a pod on this machine, and keeps the ones with small files fresh.

hostPath and local volumes lie in the folder of the pod's node. Everything else lies in the pod's
own folder and goes with it. Called by the pod worker before its first container, and every few
seconds for tokens and downward files. A volume that cannot be made is ``VolumeError``.
"""

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.cluster.api import Api, ApiError
from e2e.cluster.runner.files import FileEntry, write_atomically
from e2e.cluster.runner.references import MissingReferenceError, field_of, object_data

__all__ = ["Volume", "VolumeError", "Volumes"]

_TOKEN_SECONDS: Final = 3607
_REFRESH_SHARE: Final = 0.8
_OBJECT_SECONDS: Final = 30.0
_AUTHORITY: Final = "kube-root-ca.crt"
_EMPTY_DIR_MODE: Final = 0o777


class VolumeError(RuntimeError):
    """A volume is not there yet, or never will be; the message is what a kubelet would say."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume on this machine."""

    path: Path
    read_only: bool


class Volumes:
    """The volumes of one pod."""

    def __init__(self, api: Api, pod: dict[str, Any], folder: Path, node_root: Path) -> None:
        self._api = api
        self._pod = pod
        self._folder = folder
        self._node_root = node_root
        self._namespace: str = pod["metadata"]["namespace"]
        self._tokens: dict[str, tuple[float, str]] = {}
        self._objects: dict[tuple[str, str], tuple[float, dict[str, bytes] | None]] = {}
        security = pod["spec"].get("securityContext") or {}
        self._group: int | None = security.get("fsGroup")
        self._user = _single_user(pod["spec"])
        self.made: dict[str, Volume] = {}

    async def make(self, address: str) -> None:
        """Make every volume; raises ``VolumeError`` for the first that cannot be made."""
        for spec in self._pod["spec"].get("volumes", ()):
            name = spec["name"]
            if name not in self.made:
                try:
                    self.made[name] = await self._make(name, spec, address)
                except (ApiError, MissingReferenceError) as error:
                    raise VolumeError(
                        f'MountVolume.SetUp failed for volume "{name}" : {error}'
                    ) from error

    async def refresh(self, pod: dict[str, Any], address: str) -> None:
        """Write tokens that grow old, and downward files and config maps that changed."""
        self._pod = pod
        for spec in pod["spec"].get("volumes", ()):
            if {"projected", "downwardAPI", "configMap", "secret"} & set(spec):
                await self._small_files(spec["name"], spec, address)

    async def remove(self) -> None:
        """Unmount what was mounted; the files go with the pod's folder."""
        for spec in self._pod["spec"].get("volumes", ()):
            if (spec.get("emptyDir") or {}).get("medium") == "Memory":
                volume = self.made.get(spec["name"])
                if volume is not None:
                    await _run("umount", "--lazy", str(volume.path))
        self.made.clear()

    async def _make(self, name: str, spec: dict[str, Any], address: str) -> Volume:
        if "emptyDir" in spec:
            return Volume(await self._empty_dir(name, spec["emptyDir"] or {}), read_only=False)
        if "hostPath" in spec:
            return Volume(self._host_path(name, spec["hostPath"]), read_only=False)
        if claim := spec.get("persistentVolumeClaim"):
            return await self._claim(name, claim)
        return Volume(await self._small_files(name, spec, address), read_only=True)

    async def _empty_dir(self, name: str, spec: dict[str, Any]) -> Path:
        path = self._folder / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        if spec.get("medium") == "Memory":
            limit = spec.get("sizeLimit")
            size = f",size={_bytes(limit)}" if limit else ""
            await _run("mount", "-t", "tmpfs", "-o", f"mode=0777{size}", "tmpfs", str(path))
        path.chmod(_EMPTY_DIR_MODE if self._group is None else _EMPTY_DIR_MODE | 0o2000)
        if self._group is not None:
            os.chown(path, -1, self._group)
        return path

    def _host_path(self, name: str, spec: dict[str, Any]) -> Path:
        path = self._on_node(spec["path"])
        kind = spec.get("type", "")
        if kind == "DirectoryOrCreate" or (kind == "" and not path.exists()):
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.touch()
        checks = {"Directory": path.is_dir, "File": path.is_file}
        if kind in checks and not checks[kind]():
            raise VolumeError(
                f'MountVolume.SetUp failed for volume "{name}" : hostPath type check failed: '
                f"{spec['path']} is not a {kind.lower()}"
            )
        return path

    async def _claim(self, name: str, spec: dict[str, Any]) -> Volume:
        claim_name = spec["claimName"]
        path = f"/api/v1/namespaces/{self._namespace}/persistentvolumeclaims/{claim_name}"
        claim = await self._api.get(path)
        if claim["metadata"].get("deletionTimestamp"):
            raise VolumeError(f"persistentvolumeclaim {claim_name!r} is being deleted")
        if claim.get("status", {}).get("phase") != "Bound":
            raise VolumeError(f"persistentvolumeclaim {claim_name!r} is not bound")
        volume = await self._api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
        source = volume["spec"].get("local") or volume["spec"].get("hostPath")
        if source is None:
            raise VolumeError(f"volume {volume['metadata']['name']}: neither local nor hostPath")
        folder = self._on_node(source["path"])
        if not folder.exists():
            raise VolumeError(
                f'MountVolume.NewMounter initialization failed for volume "{name}" : '
                f'path "{source["path"]}" does not exist'
            )
        read_only = "ro" in volume["spec"].get("mountOptions", ()) or spec.get("readOnly", False)
        return Volume(folder, read_only=read_only)

    def _on_node(self, path: str) -> Path:
        return self._node_root / path.lstrip("/")

    async def _small_files(self, name: str, spec: dict[str, Any], address: str) -> Path:
        sources, default_mode = _sources(spec)
        entries: dict[str, FileEntry] = {}
        for source in sources:
            entries |= await self._entries(name, source, default_mode, address)
        path = self._folder / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(path, entries)
        return path

    async def _entries(
        self, name: str, source: dict[str, Any], mode: int, address: str
    ) -> dict[str, FileEntry]:
        if token := source.get("serviceAccountToken"):
            return {token["path"]: self._token_entry(await self._token(name, token))}
        if downward := source.get("downwardAPI"):
            return {
                item["path"]: self._entry(
                    field_of(self._pod, item["fieldRef"]["fieldPath"], address).encode(),
                    item.get("mode", mode),
                )
                for item in downward.get("items", ())
            }
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if reference := source.get(field):
                return await self._object_entries(kind, reference, mode)
        raise VolumeError(f'volume "{name}": the runner does not know {sorted(source)}')

    async def _object_entries(
        self, kind: str, reference: dict[str, Any], mode: int
    ) -> dict[str, FileEntry]:
        object_name = reference.get("name") or reference.get("secretName", "")
        optional = bool(reference.get("optional"))
        data = await self._object(kind, object_name, optional=optional)
        if data is None:
            return {}
        items = reference.get("items")
        if not items:
            return {key: self._entry(value, mode) for key, value in data.items()}
        missing = [item["key"] for item in items if item["key"] not in data]
        if missing and not optional:
            raise MissingReferenceError(f"{kind} {object_name}: no key {missing[0]}")
        return {
            item["path"]: self._entry(data[item["key"]], item.get("mode", mode))
            for item in items
            if item["key"] in data
        }

    async def _object(self, kind: str, name: str, *, optional: bool) -> dict[str, bytes] | None:
        """An object's data, read again every half minute; the cluster's authority never changes."""
        fresh_until, data = self._objects.get((kind, name), (0.0, None))
        if time.monotonic() >= fresh_until:
            data = await object_data(self._api, kind, self._namespace, name, optional=optional)
            life = float("inf") if name == _AUTHORITY else _OBJECT_SECONDS
            self._objects[kind, name] = (time.monotonic() + life, data)
        return data

    def _entry(self, data: bytes, mode: int) -> FileEntry:
        shared = mode | 0o040 if self._group is not None else mode
        return FileEntry(data, shared, None, self._group)

    def _token_entry(self, token: str) -> FileEntry:
        if self._group is not None:
            return FileEntry(token.encode(), 0o640, self._user, self._group)
        if self._user is not None:
            return FileEntry(token.encode(), 0o600, self._user)
        return FileEntry(token.encode(), 0o644)

    async def _token(self, volume: str, spec: dict[str, Any]) -> str:
        """A token bound to the pod, asked for again when most of its life is over."""
        key = f"{volume}/{spec['path']}"
        renew_at, token = self._tokens.get(key, (0.0, ""))
        if time.monotonic() < renew_at:
            return token
        seconds = int(spec.get("expirationSeconds", _TOKEN_SECONDS))
        metadata = self._pod["metadata"]
        request: dict[str, Any] = {
            "expirationSeconds": seconds,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        }
        if audience := spec.get("audience"):
            request["audiences"] = [audience]
        account = self._pod["spec"].get("serviceAccountName", "default")
        answer = await self._api.create(
            f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": request},
        )
        fresh = str(answer["status"]["token"])
        self._tokens[key] = (time.monotonic() + seconds * _REFRESH_SHARE, fresh)
        return fresh


def _sources(spec: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    if projected := spec.get("projected"):
        return projected.get("sources", []), projected.get("defaultMode", 0o644)
    for field in ("downwardAPI", "configMap", "secret"):
        if field in spec:
            return [{field: spec[field]}], spec[field].get("defaultMode", 0o644)
    raise VolumeError(f'volume "{spec["name"]}": the runner does not know {sorted(spec)}')


def _single_user(spec: dict[str, Any]) -> int | None:
    """The user of all containers when it is one and the same, as a kubelet asks for tokens."""
    default = (spec.get("securityContext") or {}).get("runAsUser")
    users = {
        (container.get("securityContext") or {}).get("runAsUser", default)
        for container in (*spec.get("initContainers", ()), *spec["containers"])
    }
    return users.pop() if len(users) == 1 else None


def _bytes(quantity: str) -> int:
    factors = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9}
    for suffix, factor in factors.items():
        if quantity.endswith(suffix):
            return int(quantity.removesuffix(suffix)) * factor
    return int(quantity)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise VolumeError(f"{' '.join(command)}: {said.decode().strip()}")
