"""Reads objects for the commands, with an answer for each way in which they can be missing."""

from escadre.cli.shared.deployed import near
from escadre.cli.shared.failures import BadInput, is_kind_missing
from escadre.cli.shared.naming import object_fault
from escadre.cli.shared.session import Session
from escadre.clients.kube import (
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    MODEL_SIGNATURES,
    ApiError,
    Forbidden,
    Json,
    NotFound,
    Resource,
    Selection,
    list_all,
)
from escadre.errors import EscadreError

__all__ = [
    "approval",
    "deployment",
    "deployments",
    "deployments_anywhere",
    "mirror",
    "signatures_of",
]


async def deployment(session: Session, namespace: str, name: str) -> Json:
    """One ModelDeployment; an unknown name is answered with those that are near."""
    _check(MODEL_DEPLOYMENTS, name)
    try:
        return await session.api.get(MODEL_DEPLOYMENTS, name, namespace=namespace)
    except NotFound as error:
        if is_kind_missing(error):
            raise
        raise EscadreError(await _missing_deployment(session, namespace, name)) from error


async def _missing_deployment(session: Session, namespace: str, name: str) -> str:
    here = await list_all(session.api, MODEL_DEPLOYMENTS, Selection(namespace))
    message = (
        f"ModelDeployment {namespace}/{name} does not exist; "
        f"in this namespace {near(name, _names(here))}"
    )
    try:
        everywhere = await list_all(session.api, MODEL_DEPLOYMENTS)
    except ApiError:  # a user of one namespace may not look at the others
        return message
    other = sorted(
        each["metadata"]["namespace"] for each in everywhere if each["metadata"]["name"] == name
    )
    return f"{message}; one of that name is in: {', '.join(other)} (-n)" if other else message


async def deployments(session: Session, chosen: Selection) -> list[Json]:
    """The chosen ModelDeployments, sorted."""
    found = await list_all(session.api, MODEL_DEPLOYMENTS, chosen)
    return sorted(found, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))


async def deployments_anywhere(session: Session) -> int | None:
    """How many ModelDeployments there are at all; None when the user may not look everywhere."""
    try:
        return len(await list_all(session.api, MODEL_DEPLOYMENTS))
    except Forbidden:
        return None


async def approval(session: Session, name: str) -> Json:
    """One ModelApproval; an unknown name is answered with those that are near."""
    return await _named(session, MODEL_APPROVALS, name)


async def mirror(session: Session, name: str) -> Json:
    """One ModelMirror; an unknown name is answered with those that are near."""
    return await _named(session, MODEL_MIRRORS, name)


def _check(resource: Resource, name: str) -> None:
    """Raises BadInput for what is no name: the API server would answer one of "" with a list."""
    if fault := object_fault(name):
        raise BadInput(f"{resource.kind} {name!r}: {fault}")


async def _named(session: Session, resource: Resource, name: str) -> Json:
    _check(resource, name)
    try:
        return await session.api.get(resource, name)
    except NotFound as error:
        if is_kind_missing(error):
            raise
        known = await list_all(session.api, resource)
        raise EscadreError(
            f"{resource.kind} {name} does not exist; {near(name, _names(known))}"
        ) from error


async def signatures_of(session: Session, name: str) -> list[Json]:
    """The ModelSignatures on one approval, oldest first."""
    found = await list_all(session.api, MODEL_SIGNATURES)
    mine = [each for each in found if each["spec"].get("approval") == name]
    return sorted(
        mine,
        key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]),
    )


def _names(objects: list[Json]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]
