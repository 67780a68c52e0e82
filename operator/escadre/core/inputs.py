"""The inputs of a replica: what it was made from, recorded on its workload object.

Only a change of these replaces a replica. How the inputs are rendered into a pod is not among
them, so a new operator version restarts no engine.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from escadre.api.deployment import Plan
from escadre.core.facts import Wish
from escadre.settings import EngineSettings

__all__ = ["ReplicaInputs", "parse_inputs", "platform_text", "wish_inputs"]

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")


def wish_inputs(wish: Wish) -> dict[str, int | None]:
    """The part of the wish that shapes an engine; the target of scaling does not."""
    return {
        "contextLength": wish.context_length,
        "concurrency": wish.concurrency,
        "typicalTokens": wish.typical_tokens,
    }


def platform_text(engine: EngineSettings) -> str:
    """The platform's choices as canonical JSON, made once per process.

    Defaults are left out: a field added later changes no hash.
    """
    return _canonical(engine.model_dump(mode="json", by_alias=True, exclude_defaults=True))


@lru_cache(maxsize=8192)
def _wish_text(wish: Wish) -> str:
    return _canonical(wish_inputs(wish))


@dataclass(frozen=True, slots=True)
class ReplicaInputs:
    """Everything a replica is made from, as canonical JSON texts so that it is hashable."""

    wish: str
    platform: str
    manifest_digest: str
    repository: str
    plan: str

    @staticmethod
    def of(
        wish: Wish, platform: str, manifest_digest: str, repository: str, plan: Plan
    ) -> "ReplicaInputs":
        """The inputs for today's wish, approval, `platform_text` and plan."""
        return ReplicaInputs(
            wish=_wish_text(wish),
            platform=platform,
            manifest_digest=manifest_digest,
            repository=repository,
            plan=_canonical(
                plan.model_dump(
                    mode="json", by_alias=True, exclude={"rejected", "target_queue_depth"}
                )
            ),
        )

    def matches(self, wish: Wish, platform: str, manifest_digest: str, repository: str) -> bool:
        """Whether a replica with these inputs is what today's wish asks for, whatever its plan."""
        return (
            self.wish == _wish_text(wish)
            and self.platform == platform
            and self.manifest_digest == manifest_digest
            and self.repository == repository
        )

    @property
    def hash(self) -> str:
        """First 16 hex of the sha256 over the inputs: a label value."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """For the annotation on the workload object."""
        return _canonical(
            {
                "wish": json.loads(self.wish),
                "platform": json.loads(self.platform),
                "manifestDigest": self.manifest_digest,
                "repository": self.repository,
                "plan": json.loads(self.plan),
            }
        )


def parse_inputs(text: str) -> ReplicaInputs | None:
    """The inputs from the annotation; None when it is missing or was damaged."""
    try:
        raw = json.loads(text)
        wish, platform, plan = raw["wish"], raw["platform"], raw["plan"]
        digest, repository = raw["manifestDigest"], raw["repository"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(isinstance(one, dict) for one in (wish, platform, plan)):
        return None
    # Names of volumes and node labels are made from the digest.
    if not (isinstance(repository, str) and isinstance(digest, str) and _DIGEST.match(digest)):
        return None
    return ReplicaInputs(
        wish=_canonical(wish),
        platform=_canonical(platform),
        manifest_digest=digest,
        repository=repository,
        plan=_canonical(plan),
    )


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
