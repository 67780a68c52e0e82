"""What the drafting person decides beside the bytes, held against the rules of the API.

Judged before the first byte is read: nobody should wait for hundreds of gigabytes to be hashed and
then be told that an option is wrong. Pure, but for a look at the folder that --out names. Called by
cli/approve/draft.py.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.base import NOT_BLANK
from escadre.cli.shared.patterns import rule_of
from escadre.cli.shared.words import time_text
from escadre.errors import EscadreError
from escadre.fieldfaults import shown, words_of

__all__ = ["Terms", "check_out", "check_terms", "parse_end"]

_OPTIONS: Final = {
    "requestedBy": "--requested-by",
    "repository": "--repository",
    "revision": "--revision",
    "mirrors": "--mirror",
    "licence.spdx": "--licence",
    "licence.acceptedBy": "--accepted-by",
    "licence.contract": "--contract",
    "namespaces": "--allow",
    "requiredApprovals": "--required-approvals",
}
_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class Terms:
    """The options of a draft; ``requested_by`` None means the caller, whom the cluster names."""

    name: str
    repository: str
    revision: str
    mirrors: list[str]
    namespaces: list[str]
    licence: str
    accepted_by: str
    contract: str | None
    not_after: datetime
    required_approvals: int
    requested_by: str | None

    def spec(self) -> dict[str, Any]:
        """The part of the ModelApproval's spec that they make up."""
        requester = {"requestedBy": self.requested_by} if self.requested_by else {}
        contract = {"contract": self.contract} if self.contract else {}
        return {
            **requester,
            "repository": self.repository,
            "revision": self.revision,
            "mirrors": self.mirrors,
            "licence": {"spdx": self.licence, "acceptedBy": self.accepted_by, **contract},
            "namespaces": self.namespaces,
            "notAfter": time_text(self.not_after),
            "requiredApprovals": self.required_approvals,
        }


def parse_end(text: str) -> datetime:
    """The time that --not-after names; without a zone it is UTC.

    Raises:
        BadParameter: it names none.
    """
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{shown(text)} is no time; write a date like 2027-06-30, which means 00:00 UTC at the "
            "start of that day, or a time like 2027-06-30T18:00:00Z",
            param_hint="--not-after",
        ) from None
    return end if end.tzinfo else end.replace(tzinfo=UTC)


def check_terms(terms: Terms, now: float) -> None:
    """Refuses what the API server would refuse, or what could never hold.

    Raises:
        BadParameter: naming the option, its value and the rule.
    """
    if len(terms.name) > _LONGEST_NAME or not _NAME.fullmatch(terms.name):
        raise typer.BadParameter(
            f"{shown(terms.name)} is no name of an object: lower-case letters, digits, - and . "
            f"only, a letter or digit at both ends and beside each ., {_LONGEST_NAME} characters "
            "at most",
            param_hint="--name",
        )
    if terms.not_after.timestamp() <= now:
        raise typer.BadParameter(
            f"{time_text(terms.not_after)} is past, it is "
            f"{time_text(datetime.fromtimestamp(now, UTC))} now; give a later end",
            param_hint="--not-after",
        )
    _check_names(terms)
    _check_fields(terms.spec())
    _check_licence(terms.licence)


def _check_names(terms: Terms) -> None:
    named = {
        "requestedBy": terms.requested_by,
        "licence.acceptedBy": terms.accepted_by,
        "licence.contract": terms.contract,
    }
    for field, name in named.items():
        if name is not None and not name.strip():
            raise typer.BadParameter(f"{shown(name)}: {NOT_BLANK}", param_hint=_OPTIONS[field])


def _check_licence(spdx: str) -> None:
    """By the list of SPDX: a licence that does not exist would be signed as if somebody knew it."""
    try:
        known = canonicalize_license_expression(spdx)
    except InvalidLicenseExpression:
        raise typer.BadParameter(
            f"{shown(spdx)} is no identifier of the SPDX licence list; terms that have none are "
            f"LicenseRef-NAME, with --contract if there is one",
            param_hint="--licence",
        ) from None
    if known != spdx:
        raise typer.BadParameter(f"{shown(spdx)}: SPDX writes it {known}", param_hint="--licence")


def _check_fields(spec: dict[str, Any]) -> None:
    """By the API's own model; what only the bytes can tell is missing and not asked for yet."""
    try:
        ModelApprovalSpec.model_validate(spec)
    except ValidationError as error:
        first = next((each for each in error.errors() if each["type"] != "missing"), None)
        if first is None:
            return
        where = ".".join(part for part in first["loc"] if isinstance(part, str))
        rule = rule_of(ModelApprovalSpec, first)
        words = f"{shown(first['input'])}: {rule}" if rule else words_of(first)
        raise typer.BadParameter(words, param_hint=_OPTIONS[where]) from None


def check_out(out: Path) -> None:
    """Refuses a folder that could not be written to once everything is hashed.

    Raises:
        EscadreError: naming the folder that is in the way.
    """
    path = out.absolute()
    place = next(each for each in (path, *path.parents) if each.exists())
    if not place.is_dir():
        raise EscadreError(f"--out {out}: {place} is a file, not a folder")
    if not os.access(place, os.W_OK):
        raise EscadreError(f"--out {out}: you may not write to {place}")
