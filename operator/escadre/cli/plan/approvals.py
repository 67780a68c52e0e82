"""The approvals that wishes name: of the cluster, of the files, or taken from the catalog. Pure.

Whoever plans without a cluster has no approval yet, and mostly no files of the model: then the
catalog's published facts stand for it, and what they rest on is said.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from escadre import reasons
from escadre.api.approval import Architecture, ModelApprovalSpec
from escadre.cli.catalog.named import doubts
from escadre.cli.plan.wishes import ApprovalWish, DeploymentWish
from escadre.cli.shared.words import bytes_text, count
from escadre.core.approvals.verdict import allows_namespace, iso
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import CATALOG, find, like, name_of, spelled_like
from escadre.core.facts.model import ApprovedModel
from escadre.core.listing import listed
from escadre.core.profile import EngineProfile
from escadre.reasons import Reason

__all__ = ["KnownApproval", "catalog_notes", "from_catalog", "from_files", "unknown_model"]

_NO_COMMIT: Final = "0" * 40
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class KnownApproval:
    """An approval of the cluster; of a file, which nobody signed yet; or none: the catalog's facts.

    ``spec`` is None for the catalog's.
    """

    name: str
    model: ApprovedModel
    spec: ModelApprovalSpec | None
    holds: bool
    reason: Reason
    message: str

    def refuses(self, namespace: str) -> str:
        """Why deployments of this namespace may not use it, "" where they may."""
        return allows_namespace(self.name, self.spec, namespace) if self.spec else ""


def from_files(
    wishes: Mapping[str, ApprovalWish], known: Container[str], now: float
) -> dict[str, KnownApproval]:
    """Those of the files that are not known otherwise."""
    return {
        name: KnownApproval(
            name,
            ApprovedModel.of(name, f"file/{name}", wish.spec),
            wish.spec,
            False,
            *_unsigned(name, wish.spec, now),
        )
        for name, wish in wishes.items()
        if name not in known
    }


def _unsigned(name: str, spec: ModelApprovalSpec, now: float) -> tuple[Reason, str]:
    """What stands in the way of one that was not applied yet, and which signatures do not heal."""
    expires = spec.not_after.timestamp()
    if now >= expires:
        return reasons.EXPIRED, (
            f"ModelApproval {name} of the file expired at {iso(expires)}; draft a new one"
        )
    return reasons.SIGNATURES_MISSING, (
        f"ModelApproval {name} is in the file and not on the cluster yet; once applied "
        f"it needs {count(spec.required_approvals, 'signature')} or more"
    )


def from_catalog(
    wishes: Iterable[DeploymentWish], known: Container[str], profile: EngineProfile
) -> dict[str, KnownApproval]:
    """For the approvals that nobody knows but whose name is that of a model that is served."""
    found = {}
    for name in {wish.spec.approval for wish in wishes if wish.spec.approval not in known}:
        entry = find(name)
        told = entry.architecture if entry else None
        if entry is not None and told is not None and not entry.unserved_by(profile):
            found[name] = _of(name, entry, told)
    return found


def _of(name: str, entry: Entry, told: Architecture) -> KnownApproval:
    model = ApprovedModel(
        approval=name,
        approval_uid=f"catalog/{name}",
        repository=entry.repository,
        revision=_NO_COMMIT,
        manifest_digest=f"sha256:{sha256(entry.repository.encode()).hexdigest()}",
        file_bytes=told.weight_bytes,
        architecture=told,
        mirrors=(),
    )
    message = (
        f"ModelApproval {name} is not in the files; {entry.repository} is taken as the catalog "
        "describes it, and its files may say otherwise"
    )
    return KnownApproval(name, model, None, False, reasons.APPROVAL_NOT_FOUND, message)


def unknown_model(name: str, profile: EngineProfile) -> str:
    """Why an approval of this name cannot be planned without a cluster, and what to name."""
    missing = f"ModelApproval {name} is not in the files"
    entry = find(name)
    if entry is not None:
        why = entry.unserved_by(profile)
        return f"{missing}, and no layout is planned for {entry.family}: {why}"
    able = [one for one in CATALOG if not one.unserved_by(profile)]
    near = [name_of(one) for one in like(name) if one in able] or spelled_like(name, able)
    told = f"near it: {listed(near, _NAMED)}" if near else "escadre catalog list has all"
    return f"{missing}, and no model of the catalog is called so; {told}"


def catalog_notes(wishes: Iterable[DeploymentWish], taken: Container[str]) -> tuple[str, ...]:
    """What to know of the catalog's facts that were taken; each is said once."""
    notes: dict[str, None] = {}
    for wish in wishes:
        entry = find(wish.spec.approval) if wish.spec.approval in taken else None
        if entry is None:
            continue
        for note in doubts(entry):
            notes[f"{entry.repository}: {note}"] = None
        if wish.spec.text_only and entry.encoder_bytes:
            notes[
                f"{wish.namespace}/{wish.name}: textOnly leaves {bytes_text(entry.encoder_bytes)} "
                "of the encoder's weights counted, for only a model's files say them for certain"
            ] = None
        asked = wish.spec.context_length
        if entry.documented and asked > entry.documented:
            notes[
                f"{wish.namespace}/{wish.name}: contextLength {asked:,} is more than the "
                f"{entry.documented:,} tokens that Mistral documents for {entry.family}"
            ] = None
    return tuple(notes)
