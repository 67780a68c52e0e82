"""Base classes and bounded types of the API models.

The models are the one source of the CRDs, the reference documentation and the parsing of objects.
Reading is lenient (unknown fields are ignored: the API server prunes and warns, and CRD and
operator may differ in version during an upgrade); bounds are strict.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from escadre.api.bounds import Text
from escadre.api.reason import reason_as_name
from escadre.reasons import Reason

__all__ = [
    "GIT_COMMIT",
    "MESSAGE_KEY",
    "NOT_BLANK",
    "Bytes",
    "Commit",
    "Condition",
    "Digest",
    "Model",
    "Named",
    "NodeName",
    "ObjectName",
    "Person",
    "PrinterColumn",
    "Repository",
    "Sha256",
    "explained",
]

GIT_COMMIT = r"^[0-9a-f]{40}$"
MESSAGE_KEY = "x-escadre-message"


def explained(message: str) -> JsonDict:
    """Extra of a field with a pattern: what the API server says when the pattern does not match."""
    return {MESSAGE_KEY: message}


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
ObjectName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        min_length=1,
        max_length=253,
        json_schema_extra=explained(
            "must be a name of Kubernetes: lower-case letters, digits, - and . only, with a letter "
            "or digit at both ends"
        ),
    ),
]
NodeName = ObjectName
# Longer than a commit, so that a long branch name is answered with the message too.
Commit = Annotated[
    str,
    Field(
        pattern=GIT_COMMIT,
        max_length=253,
        json_schema_extra=explained(
            "must be a commit, 40 lower-case hex characters, never a branch or a tag: those move"
        ),
    ),
]
# organisation/model as on a hub: no dot-only segment can climb out of a URL or a folder.
Repository = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*/[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$",
        min_length=3,
        max_length=200,
        json_schema_extra=explained("must be organisation/model, as on a hub"),
    ),
]
Person = Annotated[str, Field(min_length=1, max_length=253)]
# Read by auditors: who accepts or asks, and under which contract. Blank ones are refused when they
# are written; where one is stored it is read, for what runs with it goes on.
NOT_BLANK = "must not be blank"
Named = Annotated[
    str,
    Field(
        min_length=1, max_length=253, json_schema_extra={"pattern": r"\S", **explained(NOT_BLANK)}
    ),
]
Bytes = Annotated[int, Field(ge=0, le=1 << 50)]


class Model(BaseModel):
    """A part of an object: camelCase on the wire, frozen in memory."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
    )


class Condition(Model):
    """One aspect of an object's state, after the Kubernetes API conventions."""

    type: Annotated[str, Field(max_length=316, min_length=1)] = Field(
        description="Which aspect this is about, in CamelCase."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: Annotated[Reason, reason_as_name(min_length=1, pattern=r"^[A-Za-z]+$")] = Field(
        description="One word, stable, from the list of reasons in docs/reference/reasons.md."
    )
    message: Annotated[str, Text(2048)] = Field(description="What blocks, with object and numbers.")
    next_step: Annotated[str, Text(512)] | None = Field(
        default=None,
        description="What its reader can do about it; missing where there is nothing to do.",
    )
    observed_generation: Annotated[int, Field(ge=0, le=1 << 53)] = Field(
        default=0, description="metadata.generation of the object that was judged."
    )
    last_transition_time: datetime = Field(
        description="When status last changed from one value to another."
    )


class PrinterColumn(Model):
    """A column that `kubectl get` shows."""

    name: str
    json_path: str
    type: Literal["string", "integer", "date", "boolean", "number"] = "string"
    description: str = ""
    priority: int = 0
