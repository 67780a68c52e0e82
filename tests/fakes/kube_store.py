"""The fake API server's memory: objects, versions, generations, finalizers, the watch log.

Private to `tests.fakes.kube_server`, which answers requests with it. Uids and versions are counted
and time stands still, so that two runs of a test are the same.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.kube_merge import clone
from tests.fakes.kube_traits import TRAITS, Traits

from escadre.clients import kube
from escadre.clients.kube import Resource
from escadre.clients.kube.errors import error_from_status

__all__ = ["SERVER_OWNED", "FakeStore", "Key", "LogEntry", "Table", "api_error", "key_of"]

Json = dict[str, Any]
Key = tuple[str, str]
SERVER_OWNED = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "deletionTimestamp",
)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One change; ``old`` is None for a creation, ``new`` for a removal, both for a bookmark.

    ``last`` is a removed object as its deletion is told.
    """

    version: int
    old: Json | None
    new: Json | None
    last: Json | None = None


@dataclass(slots=True)
class Table:
    traits: Traits
    objects: dict[Key, Json] = field(default_factory=dict)
    intents: dict[tuple[Key, str, str | None], Json] = field(default_factory=dict)
    log: list[LogEntry] = field(default_factory=list)


class FakeStore:
    """See the module; mutators return copies, what is stored is never changed in place."""

    def __init__(self, extra: Mapping[Resource, Traits] | None = None) -> None:
        kinds = {**TRAITS, **(extra or {})}
        self.tables = {each: Table(traits) for each, traits in kinds.items()}
        self.version = 100
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.deletions: list[str] = []  # what was really removed, in order
        self.changed: set[asyncio.Event] = set()  # the watchers' bells
        self.identities: dict[str, str] = {}  # uid -> which object it was
        self.uids_given = 0

    def table(self, resource: Resource) -> Table:
        if resource not in self.tables:
            raise AssertionError(f"the fake API knows no {resource.plural}.{resource.group}")
        return self.tables[resource]

    def everything(self) -> list[tuple[Resource, Json]]:
        return [(res, obj) for res, table in self.tables.items() for obj in table.objects.values()]

    def need(self, verb: str, resource: Resource, name: str, namespace: str) -> Json:
        if resource.namespaced != bool(namespace):
            raise AssertionError(f"{verb} {resource.kind} {name}: wrong namespace {namespace!r}")
        found = self.table(resource).objects.get((namespace, name))
        if found is None:
            described = resource.describe(namespace, name)
            raise api_error(
                verb, described, 404, "NotFound", f'{resource.plural} "{name}" not found'
            )
        return found

    def check(
        self, verb: str, resource: Resource, live: Json, uid: str | None, version: str | None
    ) -> None:
        meta, described = live["metadata"], resource.describe(*key_of(live))
        if uid is not None and uid != meta["uid"]:
            code, reason = (422, "Invalid") if verb == "apply" else (409, "Conflict")
            raise api_error(verb, described, code, reason, f"uid is {meta['uid']}, not {uid}")
        if version is not None and version != meta["resourceVersion"]:
            message = (
                "the object has been modified; please apply your changes to the latest version"
            )
            raise api_error(verb, described, 409, "Conflict", message)

    def check_subresource(self, resource: Resource, subresource: str | None) -> None:
        if subresource is None:
            return
        if subresource != "status" or not self.table(resource).traits.status:
            message = "the server could not find the requested resource"
            raise api_error("patch", f"{subresource} of {resource.kind}", 404, "NotFound", message)

    def insert(self, resource: Resource, wanted: Json) -> Json:
        table = self.table(resource)
        self._refuse_terminating(resource, wanted)
        self.version += 1
        self.uids_given += 1
        uid = f"00000000-0000-4000-8000-{self.uids_given:012x}"
        self.identities[uid] = resource.describe(*key_of(wanted))
        meta = {k: v for k, v in wanted["metadata"].items() if k not in SERVER_OWNED}
        meta |= {
            "uid": uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": self.stamp(),
        }
        if table.traits.generation:
            meta["generation"] = 1
        if table.traits.finalizers:
            meta["finalizers"] = [*meta.get("finalizers", ()), *table.traits.finalizers]
        new = {**wanted, "metadata": meta}
        if table.traits.status:
            new.pop("status", None)
        table.traits.default(new)
        return self._store(resource, None, new)

    def _refuse_terminating(self, resource: Resource, wanted: Json) -> None:
        namespace = wanted["metadata"].get("namespace", "")
        home = self.table(kube.NAMESPACES).objects.get(("", namespace))
        if home is not None and "deletionTimestamp" in home["metadata"]:
            raise error_from_status(
                method="create",
                object=resource.describe(*key_of(wanted)),
                code=403,
                status={
                    "reason": "Forbidden",
                    "message": f"namespace {namespace} is being terminated",
                    "details": {"causes": [{"reason": "NamespaceTerminating"}]},
                },
            )

    def update(self, resource: Resource, live: Json, new: Json, subresource: str | None) -> Json:
        traits = self.table(resource).traits
        if subresource == "status":
            return self.commit(resource, live, {**live, "status": new.get("status", {})})
        if traits.status:
            new = {key: value for key, value in new.items() if key != "status"}
            if "status" in live:
                new["status"] = live["status"]
        for path in traits.immutable:
            before, after = _at(live, path), _at(new, path)
            if before is not None and before != after:
                described = resource.describe(*key_of(live))
                raise api_error("patch", described, 422, "Invalid", f"{path}: field is immutable")
        return self.commit(resource, live, new)

    def commit(self, resource: Resource, live: Json, new: Json) -> Json:
        """Store a change with a new version; none, if nothing differs."""
        before = live["metadata"]
        owned = {each: before[each] for each in SERVER_OWNED if each in before}
        meta = {**new["metadata"], **owned}
        changed = {**new, "metadata": meta}
        if changed == live:
            found: Json = clone(live)
            return found
        dying = "deletionTimestamp" in meta and "deletionTimestamp" not in before
        if "generation" in meta and (dying or _counted(changed) != _counted(live)):
            meta["generation"] += 1
        if "deletionTimestamp" in meta and not self.held(resource, changed):
            return self.discard(resource, changed)  # its last finalizer went: one event, DELETED
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        return self._store(resource, live, changed)

    def _store(self, resource: Resource, live: Json | None, new: Json) -> Json:
        table = self.table(resource)
        kept = clone(new)
        table.objects[key_of(new)] = kept
        table.log.append(LogEntry(self.version, live, kept))
        self.ring()
        answer: Json = clone(kept)
        return answer

    def discard(self, resource: Resource, last: Json) -> Json:
        """Remove an object; ``last`` is how its deletion is told."""
        table, key = self.table(resource), key_of(last)
        self.version += 1
        before = table.objects.pop(key)
        for owned in [each for each in table.intents if each[0] == key]:
            del table.intents[owned]
        last = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.version)}}
        table.log.append(LogEntry(self.version, before, None, last))
        self.deletions.append(resource.describe(*key))
        self.ring()
        if resource in {kube.PODS, kube.PERSISTENT_VOLUME_CLAIMS}:
            self._release_storage()
        return last

    def _release_storage(self) -> None:
        for resource in (kube.PERSISTENT_VOLUME_CLAIMS, kube.PERSISTENT_VOLUMES):
            for obj in list(self.table(resource).objects.values()):
                if "deletionTimestamp" in obj["metadata"] and not self.held(resource, obj):
                    self.discard(resource, obj)

    def held(self, resource: Resource, obj: Json) -> bool:
        """Whether finalizers keep a deleted object; storage's own hold only what is in use."""
        if resource is kube.NAMESPACES:
            return True  # until FakeServer.finish_namespace
        own = self.table(resource).traits.finalizers
        held_by = obj["metadata"].get("finalizers") or ()
        if any(each not in own for each in held_by):
            return True
        if not held_by:
            return False
        if resource is kube.PERSISTENT_VOLUME_CLAIMS:
            namespace, name = key_of(obj)
            return any(
                (volume.get("persistentVolumeClaim") or {}).get("claimName") == name
                for (home, _), pod in self.table(kube.PODS).objects.items()
                if home == namespace and pod["spec"].get("nodeName")
                for volume in (pod.get("spec") or {}).get("volumes") or ()
            )
        if resource is kube.PERSISTENT_VOLUMES:
            return bool((obj.get("status") or {}).get("phase") == "Bound")
        return False

    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def ring(self) -> None:
        for bell in self.changed:
            bell.set()


def key_of(obj: Json) -> Key:
    """Namespace (empty if cluster-scoped) and name."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _counted(obj: Json) -> Json:
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}}


def _at(obj: Json, path: str) -> Any:
    found: Any = obj
    for part in path.split("."):
        found = (found or {}).get(part)
    return found


def api_error(verb: str, described: str, code: int, reason: str, message: str) -> kube.ApiError:
    status = {"reason": reason, "message": message}
    return error_from_status(method=verb, object=described, code=code, status=status)
