"""Applying children: created only if absent, changed only if they differ, never a foreign object.

The first apply is create-only (resourceVersion "1"), later ones carry the uid: forced apply would
otherwise take over a foreign object or re-create one that somebody deleted meanwhile.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from escadre import reasons
from escadre.api.bounds import Text
from escadre.clients.kube import Api, Conflict, Forbidden, Invalid, NotFound, Resource, resource_of
from escadre.core.replicas.steps import Problem
from escadre.errors import Retryable
from escadre.machinery.compact import Compact
from escadre.machinery.diff import corrections, holds
from escadre.machinery.informer import Informer
from escadre.machinery.matched import Matched
from escadre.machinery.packing import digest_of
from escadre.names import ANNOTATION_NODE, GROUP, LABEL_OWNER_NAME, LABEL_OWNER_UID
from escadre.reasons import Reason

__all__ = ["Applier"]

Json = dict[str, Any]
_WORDS: Final = Text(1024)  # of the API server: they stand in Ready beside others


@dataclass(slots=True)
class Applier:
    """Writes the children of one owner and collects what stood in the way.

    ``changed`` lists what was written, as ``created|mended|replanned Kind name``; ``matched`` is
    kept from pass to pass.
    """

    api: Api
    owner_uid: str
    matched: Matched = field(default_factory=Matched)
    problems: list[Problem] = field(default_factory=list)
    changed: list[tuple[str, str, str]] = field(default_factory=list)

    def remakes(self, intent: Json, cache: Informer[Compact], *, told: bool) -> bool:
        """Whether a child is missing that was there before, as far as is known.

        ``told``: its owner has a status; this process may have begun after that was written.
        """
        meta = intent["metadata"]
        if cache.get(meta["name"], meta.get("namespace", "")) is not None:
            return False
        if not self.matched.knows(self.owner_uid):
            return told
        return self.matched.knew(self.owner_uid, _child(intent))

    def stands(self, kind: str, live: Compact, source: Hashable) -> bool:
        """Whether a child was found to be what ``source`` asks for: nothing need be rendered."""
        return self.matched.has(self.owner_uid, f"{kind}/{live.name}", live, source)

    async def apply(
        self, intent: Json, cache: Informer[Compact], source: Hashable | None = None
    ) -> bool:
        """Brings one child to its intent. False when it could not be done now.

        ``source`` is all that the intent is made from beside the live object, if that is known.
        """
        resource = resource_of(intent)
        meta = intent["metadata"]
        live = cache.get(meta["name"], meta.get("namespace", ""))
        try:
            if live is None:
                return await self._create(resource, intent, cache)
            if live.terminating:
                return False  # comes again when it is gone
            if not self._owns(live):
                return self._taken(resource, intent, live.load())
            return await self._mend(intent, live, cache, source or digest_of(dict(intent)))
        except Forbidden as error:
            reason = (
                reasons.NAMESPACE_TERMINATING
                if error.namespace_terminating
                else reasons.WRITE_REFUSED
            )
            self._refused(reason, resource, intent, error.message, missing=live is None)
        except Invalid as error:
            self._refused(
                reasons.WRITE_REFUSED, resource, intent, error.message, missing=live is None
            )
        return False

    def _refused(
        self, reason: Reason, resource: Resource, intent: Json, message: str, *, missing: bool
    ) -> None:
        words = f"applying {resource.kind} {intent['metadata']['name']}: {message}"
        # One that is there goes on as it is.
        self.problems.append(Problem(reason, _WORDS.cut(words), resource.kind if missing else ""))

    async def _create(self, resource: Resource, intent: Json, cache: Informer[Compact]) -> bool:
        meta = intent["metadata"]
        try:
            result = await self.api.apply(resource, intent, create_only=True)
        except Conflict as error:
            if not error.already_exists:
                raise
        else:
            cache.note_write(result)
            self.changed.append(("created", resource.kind, meta["name"]))
            return True
        # Exists, yet not in our cache: foreign, stripped of its label, or the cache lags.
        try:
            found = await self.api.get(resource, meta["name"], namespace=meta.get("namespace"))
        except NotFound as error:
            raise Retryable(f"creating {resource.kind} {meta['name']}: it came and went") from error
        if not self._owns_json(found):
            return self._taken(resource, intent, found)
        if "deletionTimestamp" in found["metadata"]:
            return False  # comes again when it is gone
        await self._write(resource, intent, found["metadata"]["uid"], cache, "mended")
        return True

    async def _mend(
        self, intent: Json, live: Compact, cache: Informer[Compact], source: Hashable
    ) -> bool:
        if self.matched.has(self.owner_uid, _child(intent), live, source):
            return True
        resource, whole = resource_of(intent), live.load()
        steps = corrections(intent["spec"], whole.get("spec") or {}, "/spec")
        steps += _strays(intent["metadata"], whole["metadata"])
        if steps:
            # Apply does not remove what others added, nor does it see what is there beyond the
            # intent: a drain that is over, say.
            meta = intent["metadata"]
            whole = await self.api.patch(
                resource,
                meta["name"],
                [{"op": "test", "path": "/metadata/uid", "value": live.uid}, *steps],
                namespace=meta.get("namespace"),
            )
            cache.note_write(whole)
        body = {key: value for key, value in intent.items() if key not in {"apiVersion", "kind"}}
        if not holds(body, whole):
            how = "replanned" if holds(_planned_as(body, whole), whole) else "mended"
            await self._write(resource, intent, live.uid, cache, how)
        elif steps:
            self.changed.append(("mended", resource.kind, intent["metadata"]["name"]))
        else:
            self.matched.note(self.owner_uid, _child(intent), live, source)
        return True

    async def _write(
        self, resource: Resource, intent: Json, uid: str, cache: Informer[Compact], how: str
    ) -> None:
        body = {**intent, "metadata": {**intent["metadata"], "uid": uid}}
        cache.note_write(await self.api.apply(resource, body))
        self.changed.append((how, resource.kind, intent["metadata"]["name"]))

    def _owns(self, live: Compact) -> bool:
        return self.owner_uid in {live.controller_uid, live.labels.get(LABEL_OWNER_UID)}

    def _owns_json(self, live: Mapping[str, Any]) -> bool:
        meta = live["metadata"]
        owners = [one["uid"] for one in meta.get("ownerReferences") or [] if one.get("controller")]
        return self.owner_uid in owners or self.owner_uid == (meta.get("labels") or {}).get(
            LABEL_OWNER_UID
        )

    def _taken(self, resource: Resource, intent: Json, live: Mapping[str, Any]) -> bool:
        meta = live["metadata"]
        owners = meta.get("ownerReferences") or []
        if any(one["kind"] == "ModelDeployment" for one in owners):
            raise Retryable(
                f"{resource.kind} {meta['name']} belongs to an earlier ModelDeployment of this "
                "name and is being collected",
                delay=2,
            )
        where = f"{resource.kind} {meta.get('namespace', '')}/{meta['name']}".replace(" /", " ")
        self.problems.append(
            Problem(
                reasons.NAME_TAKEN,
                f"{where} exists since {meta.get('creationTimestamp', 'some time')} and is not "
                f"escadre's; it was left alone. Rename or delete it, or rename the "
                f"ModelDeployment {_owner_name(intent['metadata'])}",
                resource.kind,
            )
        )
        return False


def _planned_as(body: Json, live: Json) -> Json:
    """The intent with the node that is planned for the live object: that we change ourselves."""
    notes = body["metadata"].get("annotations") or {}
    planned = (live["metadata"].get("annotations") or {}).get(ANNOTATION_NODE)
    if planned is None or ANNOTATION_NODE not in notes:
        return body
    return body | {
        "metadata": body["metadata"] | {"annotations": notes | {ANNOTATION_NODE: planned}}
    }


def _child(intent: Mapping[str, Any]) -> str:
    return f"{intent['kind']}/{intent['metadata']['name']}"


def _strays(intent: Mapping[str, Any], live: Mapping[str, Any]) -> list[Json]:
    """Steps that take away labels and annotations under our prefix that are not intended."""
    return [
        {"op": "remove", "path": f"/metadata/{field}/{key.replace('/', '~1')}"}
        for field in ("labels", "annotations")
        for key in live.get(field) or {}
        if key.startswith(f"{GROUP}/") and key not in (intent.get(field) or {})
    ]


def _owner_name(meta: Mapping[str, Any]) -> str:
    for owner in meta.get("ownerReferences") or []:
        return str(owner["name"])
    return str((meta.get("labels") or {}).get(LABEL_OWNER_NAME, ""))
