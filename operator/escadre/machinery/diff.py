"""Whether a live object holds an intent, and what a foreign hand added that apply leaves there.

Server-side apply mends the fields we own. It does not remove a container, an environment variable
or a second volume source that somebody else added, and it cannot always: a volume with two sources
is refused. ``corrections`` are the JSON patch steps that put such parts right first. Used by
controller/children for each child, and by state/judge to compare admission policies.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

__all__ = ["adds", "corrections", "holds"]

# Lists that the API server merges by a key, and that key; all others are one value.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port", "protocol"),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
_DEFAULTS: Final = {"protocol": "TCP"}

# Where the API server adds nothing by itself, so that whatever is there beyond the intent is
# foreign: maps, and the items of lists.
_COMPLETE: Final = frozenset(
    {
        "affinity",
        "capabilities",
        "egress",
        "env",
        "envFrom",
        "imagePullSecrets",
        "ingress",
        "lifecycle",
        "limits",
        "matchLabels",
        "nodeSelector",
        "podSelector",
        "securityContext",
        "selector",
        "strategy",
        "tolerations",
        "volumeMounts",
    }
)
_COMPLETE_KEYS: Final = frozenset({"volumes"})  # the sources of a volume have defaults inside

# Fields that the API server never sets by itself.
_NEVER_DEFAULTED: Final = frozenset(
    {
        "command",
        "dnsConfig",
        "envFrom",
        "exec",
        "externalIPs",
        "grpc",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostPort",
        "hostUsers",
        "hostname",
        "initContainers",
        "lifecycle",
        "livenessProbe",
        "minReadySeconds",
        "nodeName",
        "nodeSelector",
        "paused",
        "priorityClassName",
        "publishNotReadyAddresses",
        "readinessProbe",
        "runtimeClassName",
        "serviceAccount",
        "serviceAccountName",
        "shareProcessNamespace",
        "startupProbe",
        "stdin",
        "subdomain",
        "tcpSocket",
        "tolerations",
        "topologySpreadConstraints",
        "tty",
        "volumeDevices",
        "workingDir",
    }
)
_QUANTITIES: Final = frozenset({"requests", "limits", "capacity"})
_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE](-?\d+))?")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def holds(intent: Any, live: Any, field: str = "") -> bool:
    """Whether ``live`` has everything ``intent`` says; more in ``live`` (defaults) is fine.

    Lists merged by a key are matched by it; other lists must be equal in length and order.

    Args:
        intent: the value as it should be.
        live: the value as it is.
        field: name of the field it is the value of, which says how to read it.
    """
    # Most of an object is equal, and that is found many times faster than what differs.
    if intent == live:
        return True
    if isinstance(intent, Mapping):
        inner = "quantity" if field in _QUANTITIES else ""
        return isinstance(live, Mapping) and all(
            _holds_field(value, live.get(key), inner or key) for key, value in intent.items()
        )
    if isinstance(intent, list):
        return isinstance(live, list) and _holds_list(intent, live, field)
    if field in {"quantity", "sizeLimit", "storage"}:
        return _quantity(intent) == _quantity(live) is not None
    return False


def _holds_field(value: Any, live: Any, field: str) -> bool:
    # The API server drops empty maps, lists and strings of optional fields.
    if live is None and (value is None or value in ({}, [], "")):
        return True
    return holds(value, live, field)


def _holds_list(intent: Sequence[Any], live: Sequence[Any], field: str) -> bool:
    by_key = _by_key(live, field)
    if by_key is None or not intent:
        return len(intent) == len(live) and all(
            holds(one, other) for one, other in zip(intent, live, strict=True)
        )
    return all(
        (found := by_key.get(_key(item, field))) is not None and holds(item, found)
        for item in intent
    )


def _key(item: Mapping[str, Any], field: str) -> tuple[Any, ...]:
    return tuple(item.get(key, _DEFAULTS.get(key)) for key in _KEYS[field])


def _by_key(items: Sequence[Any], field: str) -> dict[tuple[Any, ...], Any] | None:
    """The items by their merge key; None when the list is one value."""
    if field not in _KEYS or not all(isinstance(item, Mapping) for item in items):
        return None
    return {_key(item, field): item for item in items}


def _quantity(text: Any) -> Fraction | None:
    """The number that a quantity like ``500m`` or ``1Gi`` stands for."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        return None
    number, unit, exponent = match.groups()
    if unit and unit.endswith("i"):
        return Fraction(number) * (1 << (10 * "_KMGTPE".index(unit[0])))
    power = int(exponent or 0) + _DECIMAL.get(unit or "", 0)
    return Fraction(f"{number}e{power}")


def adds(field: str, intent: Any, live: Any, *, complete: bool = False) -> bool:
    """Whether ``live`` has something that neither the intent nor the API server put there.

    Args:
        field: name of the field whose value this is.
        intent: the value as it should be.
        live: the value as it is.
        complete: whether the API server adds nothing of its own in here.
    """
    if intent == live:
        return False
    complete = complete or field in _COMPLETE
    if isinstance(intent, Mapping) and isinstance(live, Mapping):
        return any(
            adds(key, intent[key], value, complete=complete)
            if key in intent
            else value is not None and (complete or key in _NEVER_DEFAULTED)
            for key, value in live.items()
        )
    if isinstance(intent, list) and isinstance(live, list):
        return _adds_items(field, intent, live, complete)
    return False


def _adds_items(field: str, intent: Sequence[Any], live: Sequence[Any], complete: bool) -> bool:
    wanted = _by_key(intent, field)
    if wanted is None or _by_key(live, field) is None:
        pairs = zip(intent, live, strict=False)  # another length is a difference: see holds
        return any(adds("", one, other, complete=complete) for one, other in pairs)
    if len(live) > len(wanted):
        return True  # foreign, or one of ours twice: the last of two would win
    for item in live:
        ours = wanted.get(_key(item, field))
        if ours is None or (field in _COMPLETE_KEYS and not set(item) <= set(ours)):
            return True
        if adds("", ours, item, complete=complete):
            return True
    return False


def corrections(
    intent: Mapping[str, Any], live: Mapping[str, Any], at: str
) -> list[dict[str, Any]]:
    """JSON patch steps that take away what a foreign hand added.

    A field with something foreign in it is replaced whole by the intent, in one step with every
    other change of it, so that a pod template changes only once.

    Args:
        intent: a map as it should be, e.g. the spec of a Deployment.
        live: the map as it is.
        at: pointer of the map in its object, e.g. ``/spec``.
    """
    steps: list[dict[str, Any]] = []
    for key, value in live.items():
        if key in intent:
            if adds(key, intent[key], value):
                steps.append({"op": "replace", "path": f"{at}/{key}", "value": intent[key]})
        elif key in _NEVER_DEFAULTED:
            steps.append({"op": "remove", "path": f"{at}/{key}"})
    return steps
