"""`escadre approve …`: who allowed which bytes. draft, sign, revoke, show and list.

Signing is a word of the person whose credentials are used: the API server lets only the caller's
own name through, and the operator counts. Nothing here decides whether an approval holds.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from escadre import reasons
from escadre.cli.approve import draft as approve_draft
from escadre.cli.approve import listing
from escadre.cli.approve.against import Against, against_of, check_reason, evidence
from escadre.cli.approve.signing import signature
from escadre.cli.approve.view import StoredApproval, content, document, view
from escadre.cli.shared import fetch
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.mirroraccess import CredentialsOption
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.session import (
    Environment,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import ClusterCommand
from escadre.cli.shared.words import time_text
from escadre.clients.kube import MODEL_SIGNATURES, SELF_SUBJECT_REVIEWS, Conflict, Json
from escadre.core.approvals.verdict import SIGNED_BEFORE
from escadre.errors import EscadreError, Refusal

__all__ = ["register"]

_JUDGED_WITHIN_SECONDS = 5.0
_LOOK_SECONDS = 0.5

Decision = Literal["Approve", "Revoke"]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="ModelApproval.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_Reason = Annotated[str | None, typer.Option(help="Why, for the record.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Draft, sign, revoke and show approvals of models.", no_args_is_help=True
    )
    approve_draft.register(group)
    group.command("sign", cls=ClusterCommand, help="Sign exactly this content, in your own name.")(
        _sign
    )
    group.command(
        "revoke", cls=ClusterCommand, help="Revoke an approval; nothing new is made from it."
    )(_revoke)
    group.command(
        "show",
        cls=ClusterCommand,
        help="Show the content, who signed, what counts, what is missing. "
        "Exits with 1 when it does not hold.",
    )(_show)
    listing.register(group)
    app.add_typer(group, name="approve")


def _show(context: typer.Context, name: _Name, output: OutputOption = Output.TABLE) -> None:
    environment = environment_of(context)

    async def work(session: Session) -> StoredApproval:
        return await _read(session, name)

    approval = run(environment, work)
    environment.answer(
        output, document=lambda: document(approval), view=lambda: view(approval, environment.now())
    )
    condition = approval.approved
    raise typer.Exit(OK if condition and condition.status == "True" else NOT_READY)


def _sign(
    context: typer.Context,
    name: _Name,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|MIRROR",
            help="Hash your own copy first and refuse any difference: a folder, written with a / "
            "(./model), or the name of a ModelMirror. What was hashed stands in the signature.",
        ),
    ] = None,
    yes: _Yes = False,
    reason: _Reason = None,
    credentials: CredentialsOption = None,
    system_namespace: Annotated[
        str | None,
        typer.Option(
            help="With --against: where the operator and the mirror's Secret are; default "
            "escadre-system.",
            callback=given_namespace,
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    own = against_of(against, credentials, system_namespace)
    if own is not None:
        check_reason(reason)
    _say(environment_of(context), _Word(name, "Approve", yes, reason, output, own))


def _revoke(
    context: typer.Context,
    name: _Name,
    yes: _Yes = False,
    reason: _Reason = None,
    output: OutputOption = Output.TABLE,
) -> None:
    _say(environment_of(context), _Word(name, "Revoke", yes, reason, output))


@dataclass(frozen=True, slots=True)
class _Word:
    """What somebody says of an approval, and what it was checked against before."""

    name: str
    decision: Decision
    yes: bool
    reason: str | None
    output: Output
    against: Against | None = None


def _say(environment: Environment, word: _Word) -> None:
    """Shows what is at stake, checks, asks, writes the signature, and says what it changed."""

    async def look(session: Session) -> tuple[StoredApproval, str]:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = await session.api.create(SELF_SUBJECT_REVIEWS, {**review, "metadata": {}})
        return await _read(session, word.name), who["status"]["userInfo"]["username"]

    approval, by = run(environment, look)
    after = ""
    if word.decision == "Approve":
        _check(approval, by, environment.now())
        after = _in_vain(approval, by)
    if word.output is Output.TABLE:
        environment.show(content(approval))
    body = signature(word.name, by, word.decision, approval.digest, word.reason, after)
    if word.against:
        run(environment, lambda session: _create(session, body, by, word.decision, dry_run=True))
        found = evidence(environment, approval, word.against)
        environment.err.print(found)
        body["spec"]["reason"] = f"{word.reason}; {found}" if word.reason else found
    if not word.yes:
        _ask(environment, approval, by, word.decision)

    async def write(session: Session) -> StoredApproval:
        await _create(session, body, by, word.decision)
        return await _judged(environment, session, word.name, body["metadata"]["name"])

    _tell(environment, run(environment, write), body, word.output)


async def _read(session: Session, name: str) -> StoredApproval:
    body = await fetch.approval(session, name)
    return StoredApproval.read(body, await fetch.signatures_of(session, name))


def _check(approval: StoredApproval, by: str, now: float) -> None:
    """Refuses a signature that can never count; the operator would only say so afterwards."""
    condition, until = approval.approved, approval.spec.not_after
    if condition and condition.reason == reasons.REVOKED:
        raise Refusal(reasons.REVOKED, f"{condition.message}; a further signature changes nothing")
    if until.timestamp() <= now:
        raise Refusal(
            reasons.EXPIRED, f"ModelApproval {approval.name} expired at {time_text(until)}"
        )
    if by == approval.spec.requested_by:
        raise EscadreError(
            f"{by} requested ModelApproval {approval.name}, and the requester's own signature "
            f"never counts: somebody else signs it with escadre approve sign {approval.name}"
        )


def _in_vain(approval: StoredApproval, by: str) -> str:
    """Their newest signature, which does not count now, "" without; who counts is refused.

    The status has room for the newest signatures only. Whether an older one counts, the word that
    was written after it tells: until there is one, another does no harm.
    """
    mine = [one for one in approval.status.signatures if one.by == by and one.decision == "Approve"]
    counts = next((one for one in mine if one.counted or one.why == SIGNED_BEFORE), None)
    if counts is not None:
        raise _already(by, "signed", counts.name)
    return mine[-1].name if mine else approval.untold_of(by)


def _already(by: str, word: str, name: str) -> EscadreError:
    return EscadreError(
        f"{by} has {word} this content already (ModelSignature {name}); one person counts once"
    )


def _ask(environment: Environment, approval: StoredApproval, by: str, decision: Decision) -> None:
    """Asks on the terminal; anything but yes is a no."""
    verb = "Sign" if decision == "Approve" else "Revoke"
    environment.err.print(f"{verb} {approval.name} as {by}? [y/N] ", end="")
    try:
        answer = environment.read_line()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise EscadreError(f"nothing was written: not confirmed (--yes {verb.lower()}s unasked)")


async def _create(
    session: Session, body: Json, by: str, decision: Decision, *, dry_run: bool = False
) -> None:
    """Write the signature; a dry run hears what the API server has against it, before hashing."""
    try:
        await session.api.create(MODEL_SIGNATURES, body, dry_run=dry_run)
    except Conflict as error:
        if not error.already_exists:
            raise
        word = "signed" if decision == "Approve" else "revoked"
        raise _already(by, word, body["metadata"]["name"]) from error


async def _judged(
    environment: Environment, session: Session, name: str, written: str
) -> StoredApproval:
    """The approval once the operator has looked at the signature, or as it is after a while."""
    waited = 0.0
    while True:
        approval = await _read(session, name)
        seen = any(record.name == written for record in approval.status.signatures)
        if seen or waited >= _JUDGED_WITHIN_SECONDS:
            return approval
        await environment.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS


def _tell(environment: Environment, approval: StoredApproval, body: Json, output: Output) -> None:
    written, spec = body["metadata"]["name"], body["spec"]
    record = next((one for one in approval.status.signatures if one.name == written), None)
    condition = approval.approved
    if output is not Output.TABLE:
        environment.print_document(
            {"signature": written, **spec, "approval": document(approval)}, output
        )
        return
    word = "signed" if spec["decision"] == "Approve" else "revoked"
    environment.out.print(f"{spec['by']} {word} {approval.name} (ModelSignature {written}).")
    if record is None:
        environment.out.print(
            f"The operator has not looked at it yet; escadre approve show {approval.name}"
        )
        return
    if not record.counted and spec["decision"] == "Approve":
        environment.out.print(f"It does not count: {record.why}.")
    if condition:
        summary = f" ({approval.status.summary})" if approval.status.summary else ""
        environment.out.print(
            f"Approved: {condition.status}  {condition.reason}{summary}: {condition.message}"
        )
