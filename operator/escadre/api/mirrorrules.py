"""Which members go with which type of ModelMirror: one table, for the API server and for us.

The CRD has each rule in CEL; where an object is read that no such CRD judged (an older one, a file)
``broken_rule`` says the same words. Reading itself stays lenient. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, get_args
from urllib.parse import urlsplit

from escadre.api.mirror import MirrorType, ModelMirrorSpec

__all__ = ["MIRROR_RULES", "MirrorRule", "broken_rule"]


@dataclass(frozen=True, slots=True)
class MirrorRule:
    """A rule over several members.

    Args:
        cel: what holds, of ``self``, the spec.
        holds: the same.
        message: what to say where it does not.
    """

    cel: str
    holds: Callable[[ModelMirrorSpec], bool]
    message: str


_ALL: Final[tuple[MirrorType, ...]] = get_args(MirrorType)
_CONNECTED: Final[tuple[MirrorType, ...]] = tuple(one for one in _ALL if one != "folder")


def _members(
    names: tuple[str, ...],
    taken: tuple[MirrorType, ...],
    message: str,
    needed: tuple[MirrorType, ...] = (),
) -> MirrorRule:
    """The members by their names in YAML: which types may have them, and which must."""
    given = " || ".join(_given(name) for name in names)
    parts = []
    if set(taken) != set(_ALL):
        parts.append(f"({_is(taken)} || !({given}))")
    if needed:
        parts.append(f"(!({_is(needed)}) || {given})")

    def holds(spec: ModelMirrorSpec) -> bool:
        has = any(getattr(spec, _FIELDS[name]) for name in names)
        return (spec.type in taken or not has) and (spec.type not in needed or has)

    return MirrorRule(" && ".join(parts), holds, message)


def _is(types: tuple[MirrorType, ...]) -> str:
    return f"self.type in [{', '.join(repr(one) for one in types)}]"


def _given(name: str) -> str:
    """Whether a member says anything; an empty list says nothing."""
    return f"has(self.{name})" + (f" && size(self.{name}) > 0" if name in _LISTS else "")


_FIELDS: Final = {field.alias or name: name for name, field in ModelMirrorSpec.model_fields.items()}
_LISTS: Final = frozenset(
    field.alias or name
    for name, field in ModelMirrorSpec.model_fields.items()
    if field.default_factory is list
)


def _has_name(spec: ModelMirrorSpec) -> bool:
    """Whether a bucket can stand before the host: before an address nothing can."""
    if spec.s3 is None or spec.s3.addressing != "VirtualHost" or spec.url is None:
        return True
    try:
        ip_address(urlsplit(spec.url).hostname or "")
    except ValueError:
        return True
    return False


MIRROR_RULES: Final = (
    _members(
        ("manifestsURL",),
        ("huggingface", "http"),
        "manifestsURL is required for type huggingface (a pinned commit cannot take one more "
        "file), allowed for http, and for no other: those hold the manifests themselves",
        needed=("huggingface",),
    ),
    _members(
        ("url",),
        _CONNECTED,
        "url is required, but for type folder, which has none",
        needed=_CONNECTED,
    ),
    _members(
        ("s3",),
        ("s3",),
        "s3 is required for type s3, which has its bucket there, and for no other type",
        needed=("s3",),
    ),
    _members(("oci",), ("oci",), "oci is for type oci only"),
    _members(
        ("folder",),
        ("folder",),
        "folder is required for type folder, which has its name there, and for no other type",
        needed=("folder",),
    ),
    _members(
        ("credentialsSecretName", "caBundle", "redirectHosts", "proxyURL", "timeouts"),
        _CONNECTED,
        "a folder takes no credentialsSecretName, caBundle, redirectHosts, proxyURL or timeouts: "
        "nothing is connected to",
    ),
    MirrorRule(
        "!has(self.s3) || !has(self.s3.addressing) || self.s3.addressing != 'VirtualHost' || "
        r"!has(self.url) || !self.url.matches('^https?://([0-9.]+|\\[.*\\])(:[0-9]+)?(/.*)?$')",
        _has_name,
        "s3.addressing VirtualHost puts the bucket before the host of url, which must be a name "
        "then, and not an address",
    ),
)


def broken_rule(spec: ModelMirrorSpec) -> str:
    """What the first rule that the spec breaks says; "" when it breaks none."""
    return next((one.message for one in MIRROR_RULES if not one.holds(spec)), "")
