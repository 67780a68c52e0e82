"""The inputs of a replica: what it was made from, recorded on its workload object.

Only a change of these replaces a replica. How the inputs are rendered into a pod is not among
them, so a new operator version restarts no engine. Called by the view of a replica, which
reads records, and controller/intents, which makes them; knows no object of Kubernetes.

Records outlive the version that wrote them, in both directions, so these rules hold for ever:

- A record is never written anew for a replica that stands: its text and hash are those it was made
  with. What a record means is compared, not its text.
- What is unset or a default is not recorded. A field that is added later is then missing in older
  records, and missing means unset.
- A field that this version does not know, of a newer one, is kept and not compared: this version
  has no word for it.
- ``format`` is raised only when a reader of the earlier format would misread the record. Of a
  newer format only the weights count (``manifestDigest`` and ``repository`` keep their meaning in
  all formats): the replica serves what is approved, and is left alone until a version that can
  read its record is back.

Formats: none (0.1.0, which wrote null for what is unset), 2.
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from typing import Final, NotRequired, TypedDict

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from escadre.api.deployment import Layout
from escadre.core.facts.model import Wish
from escadre.core.profile import SHUTDOWN_TIMEOUT, profile_for
from escadre.settings import EngineSettings

__all__ = ["FORMAT", "ReplicaInputs", "parse_inputs", "platform_text", "wish_inputs"]

FORMAT: Final = 2

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
# Says how layouts are judged. It shapes a pod only where that version lacks a flag that engines are
# started with: then the flag is the input, and an engine that runs was started without it.
_NO_INPUTS: Final = frozenset({"version"})
_WITHOUT_FLAGS: Final = "withoutFlags"
# What earlier versions had where nothing was chosen: whoever kept their values asks for no other.
_EARLIER: Final[Mapping[str, object]] = {"drainSeconds": 300}


def wish_inputs(wish: Wish) -> dict[str, object]:
    """The wish, without what is unset."""
    return {
        to_camel(known.name): value
        for known in fields(wish)
        if (value := getattr(wish, known.name)) != known.default
    }


def platform_text(engine: EngineSettings) -> str:
    """The platform's choices as canonical JSON, made once per process."""
    chosen = engine.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude=set(_NO_INPUTS)
    )
    chosen = {key: value for key, value in chosen.items() if _EARLIER.get(key) != value}
    if not profile_for(engine.version).profile.has(SHUTDOWN_TIMEOUT):
        chosen[_WITHOUT_FLAGS] = [SHUTDOWN_TIMEOUT]
    return _canonical(chosen)


@lru_cache(maxsize=8192)
def _wish_text(wish: Wish) -> str:
    return _canonical(wish_inputs(wish))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ReplicaInputs:
    """Everything a replica is made from.

    ``text`` is the whole record as it was made, as canonical JSON: two with one text are equal.
    ``wish`` and ``platform`` are what it means to this version: without what is unset, default or
    unknown. ``layout`` is None when this version cannot read the one recorded.
    """

    text: str
    format: int
    wish: str
    platform: str
    manifest_digest: str
    repository: str
    layout: Layout | None = field(compare=False)

    @staticmethod
    def of(
        wish: Wish, platform: str, manifest_digest: str, repository: str, layout: Layout
    ) -> "ReplicaInputs":
        """The inputs for today's wish, approval, `platform_text` and layout."""
        return _read(
            {
                "format": FORMAT,
                "wish": wish_inputs(wish),
                "platform": json.loads(platform),
                "manifestDigest": manifest_digest,
                "repository": repository,
                "plan": layout.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            }
        )

    def matches(self, wish: Wish, platform: str, manifest_digest: str, repository: str) -> bool:
        """Whether a replica made from these is what today's wish asks for, whatever its layout."""
        return self.serves(wish, manifest_digest, repository) and self.follows(platform)

    def serves(self, wish: Wish, manifest_digest: str, repository: str) -> bool:
        """Whether it is what today's wish asks for, whatever the platform's part."""
        if (self.manifest_digest, self.repository) != (manifest_digest, repository):
            return False
        return self.format > FORMAT or self.wish == _wish_text(wish)

    def follows(self, platform: str) -> bool:
        """Whether the platform's part is today's `platform_text`."""
        return self.format > FORMAT or self.platform == platform

    @property
    def hash(self) -> str:
        """First 16 hex of the sha256 over the record as it was made: a label value.

        Without the format, as 0.1.0 computes it at every pass: after going back, that version
        would take a pod with another label for one that is not the replica's.
        """
        record = {key: value for key, value in json.loads(self.text).items() if key != "format"}
        return hashlib.sha256(_canonical(record).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """For the annotation on the workload object."""
        return self.text


def parse_inputs(text: str) -> ReplicaInputs | None:
    """The inputs from the annotation; None when it is missing or was damaged."""
    try:
        raw = json.loads(text)
        wish, platform, layout = raw["wish"], raw["platform"], raw["plan"]
        digest, repository, number = raw["manifestDigest"], raw["repository"], raw.get("format", 1)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(isinstance(one, dict) for one in (wish, platform, layout)):
        return None
    # Names of volumes and node labels are made from the digest.
    if not (isinstance(repository, str) and isinstance(digest, str) and _DIGEST.match(digest)):
        return None
    return _read(raw) if isinstance(number, int) else None


class _Record(TypedDict):
    """A record whose parts have the right form."""

    format: NotRequired[int]
    wish: Mapping[str, object]
    platform: Mapping[str, object]
    plan: Mapping[str, object]
    manifestDigest: str
    repository: str


def _read(raw: _Record) -> ReplicaInputs:
    """What a record that is whole means to this version."""
    wish = {to_camel(known.name): known.default for known in fields(Wish)}
    platform = _chosen(raw["platform"], _defaults(EngineSettings))
    return ReplicaInputs(
        text=_canonical(raw),
        format=raw.get("format", 1),
        # The same for many replicas that differ in the rest.
        wish=sys.intern(_canonical(_chosen(raw["wish"], wish))),
        platform=sys.intern(_canonical(platform)),
        manifest_digest=raw["manifestDigest"],
        repository=raw["repository"],
        layout=_layout(raw["plan"]),
    )


@cache
def _defaults(settings: type[EngineSettings]) -> Mapping[str, object]:
    named = {
        str(known.alias): known.get_default(call_default_factory=True)
        for name, known in settings.model_fields.items()
        if name not in _NO_INPUTS
    }
    return {**named, **_EARLIER, _WITHOUT_FLAGS: []}


def _layout(recorded: Mapping[str, object]) -> Layout | None:
    try:
        return Layout.model_validate(recorded)
    except ValidationError:
        return None


def _chosen(recorded: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """What was chosen among the fields that this version knows."""
    return {
        key: value
        for key, value in recorded.items()
        if key in defaults and value is not None and value != defaults[key]
    }


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
