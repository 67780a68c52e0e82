"""An API server in memory: objects, versions, preconditions, watch log. Deterministic.

Uids and versions are counted, time stands still until `FakeServer.advance`. What it promises is
checked against the real server by tests/clients/test_kube_conformance.py. Tests use it as the
hands of everybody but the code under test (`put`, `status`, `remove`); that code gets a client
(`tests.fakes.kube.FakeApi`) with faults and a record of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.fakes.kube_merge import PatchFailed, apply_intent, clone, json_patch, merge_patch
from tests.fakes.kube_store import SERVER_OWNED, FakeStore, Key, LogEntry, api_error, key_of
from tests.fakes.kube_traits import Traits, matches_fields, matches_labels

from escadre.clients import kube
from escadre.clients.kube import Resource

__all__ = ["FakeServer", "Scope"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a list or a watch asks for."""

    namespace: str | None
    labels: str | None
    fields: str | None

    def shows(self, obj: Json) -> bool:
        """Whether the object is in it."""
        if self.namespace and obj["metadata"].get("namespace") != self.namespace:
            return False
        return matches_labels(obj, self.labels) and matches_fields(obj, self.fields)


EVERYWHERE = Scope(None, None, None)


class FakeServer(FakeStore):
    """See the module."""

    def __init__(self, extra: Mapping[Resource, Traits] | None = None) -> None:
        super().__init__(extra)
        self.allowed = True  # what a SelfSubjectAccessReview answers
        # What containers wrote, by namespace, pod, container and whether it is the run before.
        self.logs: dict[tuple[str, str, str, bool], str] = {}
        self._names = 0
        self._oldest = 0
        self._tokens: dict[str, tuple[list[Json], int]] = {}

    # -- other people's hands -------------------------------------------------------------------

    def put(self, resource: Resource, obj: Json) -> Json:
        """Create or replace an object, status and all, as some other controller or person."""
        table, key = self.table(resource), key_of(obj)
        live = table.objects.get(key)
        wanted = {"apiVersion": resource.api_version, "kind": resource.kind, **clone(obj)}
        if live is None:
            created = self.insert(resource, wanted)
            if "status" not in wanted:
                return created
            live = created
        meta = {**wanted["metadata"]} | {
            k: v for k, v in live["metadata"].items() if k in SERVER_OWNED
        }
        new = {**wanted, "metadata": meta}
        if "status" not in wanted and "status" in live:
            new["status"] = live["status"]
        return self.commit(resource, live, new)

    def status(self, resource: Resource, name: str, namespace: str, status: Json) -> Json:
        """Merge into an object's status, as its own controller would."""
        live = self.need("patch", resource, name, namespace)
        return self.commit(
            resource, live, {**live, "status": merge_patch(live.get("status"), status)}
        )

    def remove(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete as somebody else; finalizers count."""
        self.delete(resource, name, namespace=namespace)

    def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """One object, or None."""
        found = self.table(resource).objects.get((namespace, name))
        return None if found is None else clone(found)

    def all(self, resource: Resource) -> list[Json]:
        """Every object of a resource, by namespace and name."""
        objects = self.table(resource).objects
        return [clone(objects[key]) for key in sorted(objects)]

    def advance(self, seconds: float) -> None:
        """Let time pass: new timestamps are later."""
        self.now += timedelta(seconds=seconds)

    def compact(self) -> None:
        """Forget history: watches and continue tokens from before get 410."""
        self._oldest = self.version
        self._tokens.clear()

    def bookmark(self) -> None:
        """Send every watch a bookmark."""
        for table in self.tables.values():
            table.log.append(LogEntry(self.version, None, None))
        self.ring()

    def collect_garbage(self) -> None:
        """Delete, until none is left, what has owners of which none exists any more."""
        while True:
            alive = {obj["metadata"]["uid"] for _, obj in self.everything()}
            orphans = [
                (resource, obj)
                for resource, obj in self.everything()
                if (owners := obj["metadata"].get("ownerReferences"))
                and not any(owner["uid"] in alive for owner in owners)
                and "deletionTimestamp" not in obj["metadata"]
            ]
            if not orphans:
                return
            for resource, obj in orphans:
                namespace, name = key_of(obj)
                self.delete(resource, name, namespace=namespace)

    def terminate_namespace(self, name: str) -> None:
        """The namespace is being deleted: nothing new in it from now on."""
        live = self.need("delete", kube.NAMESPACES, name, "")
        meta = {**live["metadata"], "deletionTimestamp": self.stamp()}
        new = {**live, "metadata": meta, "status": {"phase": "Terminating"}}
        self.commit(kube.NAMESPACES, live, new)

    def finish_namespace(self, name: str) -> None:
        """The namespace and everything in it is gone."""
        for resource, obj in self.everything():
            if obj["metadata"].get("namespace") == name:
                self.discard(resource, obj)
        self.discard(kube.NAMESPACES, self.need("delete", kube.NAMESPACES, name, ""))

    def snapshot(self, *ignored: Resource) -> dict[str, Json]:
        """Everything but what counts up (versions, uids, times), to compare two histories."""
        plain: dict[str, Json] = {}
        for resource, obj in self.everything():
            if resource in ignored:
                continue
            meta = {k: v for k, v in obj["metadata"].items() if k not in SERVER_OWNED}
            meta["deleting"] = "deletionTimestamp" in obj["metadata"]
            text = json.dumps({**obj, "metadata": meta}, sort_keys=True)
            for uid, identity in self.identities.items():
                text = text.replace(uid, identity)
            namespace, name = key_of(obj)
            plain[resource.describe(namespace, name)] = json.loads(text)
        return dict(sorted(plain.items()))

    # -- what clients ask for ---------------------------------------------------------------------

    def read(self, resource: Resource, name: str, namespace: str | None) -> Json:
        """GET."""
        found: Json = clone(self.need("get", resource, name, namespace or ""))
        return found

    def page(self, resource: Resource, scope: Scope, limit: int, token: str) -> kube.Page:
        """LIST; later pages show the state of the first."""
        objects = self.table(resource).objects
        if not token:
            version = self.version
            items = [objects[key] for key in sorted(objects) if scope.shows(objects[key])]
        elif token in self._tokens:
            items, version = self._tokens[token]
        else:
            message = "the provided continue parameter is too old"
            raise api_error("list", resource.plural, 410, "Expired", message)
        rest = items[limit:]
        following = ""
        if rest:
            following = f"{version}-{resource.plural}-{len(rest)}"
            self._tokens[following] = (rest, version)
        # A list that selects does not tell how many are left.
        left = len(rest) if scope == EVERYWHERE else 0
        return kube.Page(clone(items[:limit]), str(version), following, left)

    def names(self, resource: Resource, limit: int, token: str) -> kube.Page:
        """LIST as PartialObjectMetadata."""
        page = self.page(resource, EVERYWHERE, limit, token)
        items = [{"metadata": one["metadata"]} for one in page.items]
        return replace(page, items=items)

    def log(self, resource: Resource, after: int) -> list[LogEntry]:
        """The resource's history, for watches."""
        if after < self._oldest:
            message = f"too old resource version: {after} ({self._oldest})"
            raise api_error("watch", resource.plural, 410, "Expired", message)
        return self.table(resource).log

    def apply(
        self,
        resource: Resource,
        body: Json,
        manager: str,
        subresource: str | None,
        create_only: bool,
    ) -> Json:
        """Server-side apply, forced, of the whole intent of ``manager``."""
        table, key, meta = self.table(resource), key_of(body), body["metadata"]
        self.check_subresource(resource, subresource)
        live = table.objects.get(key)
        described = resource.describe(*key)
        if live is None:
            if subresource is not None:
                raise api_error("apply", described, 404, "NotFound", "not found")
            if "uid" in meta or ("resourceVersion" in meta and not create_only):
                message = "the provided object has a uid or version, and no such object was found"
                raise api_error("apply", described, 409, "Conflict", message)
            base = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
            intent = _intent(body, None)
            wanted = apply_intent(
                base, {**intent, "metadata": {**_naming(key), **intent["metadata"]}}, {}
            )
            created = self.insert(resource, wanted)
            table.intents[key, manager, None] = intent
            return created
        if create_only:
            message = "an object of this name exists already"
            raise api_error("apply", described, 409, "AlreadyExists", message)
        self.check("apply", resource, live, meta.get("uid"), meta.get("resourceVersion"))
        intent = _intent(body, subresource)
        owned = (key, manager, subresource)
        new = apply_intent(live, intent, table.intents.get(owned, {}))
        done = self.update(resource, live, new, subresource)
        table.intents[owned] = intent
        return done

    def create(self, resource: Resource, body: Json, user: str, *, dry_run: bool = False) -> Json:
        """POST."""
        if resource is kube.SELF_SUBJECT_REVIEWS:
            return {**clone(body), "status": {"userInfo": {"username": user}}}
        if resource is kube.SELF_SUBJECT_ACCESS_REVIEWS:
            return {**clone(body), "status": {"allowed": self.allowed}}
        wanted = clone(body)
        meta = wanted["metadata"]
        if "name" not in meta:
            self._names += 1
            meta["name"] = f"{meta['generateName']}{self._names:05}"
        if key_of(wanted) in self.table(resource).objects:
            message = f'"{meta["name"]}" already exists'
            raise api_error(
                "create", resource.describe(*key_of(wanted)), 409, "AlreadyExists", message
            )
        return wanted if dry_run else self.insert(resource, wanted)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        namespace: str | None,
        subresource: str | None,
    ) -> Json:
        """Merge patch or JSON patch."""
        self.check_subresource(resource, subresource)
        live = self.need("patch", resource, name, namespace or "")
        try:
            new = (
                merge_patch(live, clone(patch))
                if isinstance(patch, dict)
                else json_patch(live, patch)
            )
        except PatchFailed as error:
            described = resource.describe(namespace, name)
            raise api_error("patch", described, 422, "Invalid", str(error)) from error
        meta = new["metadata"]
        self.check("patch", resource, live, meta.get("uid"), meta.get("resourceVersion"))
        return self.update(resource, live, new, subresource)

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        version: str | None = None,
        grace: int | None = None,
    ) -> Json | None:
        """DELETE; with finalizers, or a claim in use, the object only starts terminating."""
        live = self.need("delete", resource, name, namespace or "")
        self.check("delete", resource, live, uid, version)
        if "deletionTimestamp" in live["metadata"]:
            self._shorten(resource, live, grace)
            return self.get(resource, name, namespace or "")
        if resource is kube.NAMESPACES:
            self.terminate_namespace(name)
            return self.get(resource, name)
        if not self.held(resource, live):
            self.discard(resource, live)
            return None
        meta = {**live["metadata"], "deletionTimestamp": self.stamp()}
        if grace is not None:
            meta["deletionGracePeriodSeconds"] = grace
        self.commit(resource, live, {**live, "metadata": meta})
        return self.get(resource, name, namespace or "")

    def _shorten(self, resource: Resource, live: Json, grace: int | None) -> None:
        """A second DELETE may only take of the time that the first one gave."""
        given = live["metadata"].get("deletionGracePeriodSeconds")
        if grace is not None and given is not None and grace < given:
            meta = {**live["metadata"], "deletionGracePeriodSeconds": grace}
            self.commit(resource, live, {**live, "metadata": meta})


def _naming(key: Key) -> Json:
    namespace, name = key
    return {"name": name, "namespace": namespace} if namespace else {"name": name}


def _intent(body: Json, subresource: str | None) -> Json:
    if subresource == "status":
        return {"status": clone(body.get("status", {}))}
    hidden = (*SERVER_OWNED, "name", "namespace")
    meta = {key: value for key, value in body["metadata"].items() if key not in hidden}
    rest = {k: v for k, v in body.items() if k not in {"apiVersion", "kind", "metadata", "status"}}
    intent: Json = clone({**rest, "metadata": meta})
    return intent
