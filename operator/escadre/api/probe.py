"""The probe of a mirror: what one node is asked to find out, and what it found."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from escadre.api.base import Bytes, Commit, Digest, Model, ObjectName, Repository, Sha256
from escadre.api.bounds import Text
from escadre.api.reason import no_reason_as_null
from escadre.reasons import Reason

__all__ = ["MirrorFacts", "MirrorProbe", "ProbedMirror", "SampleFile", "about"]

_Generation = Annotated[int, Field(ge=0, le=1 << 53)]


class SampleFile(Model):
    """A file of the approval that is read."""

    path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="Its path.")
    size: Bytes = Field(description="Its bytes.")
    sha256: Sha256 = Field(description="Its approved digest.")


class MirrorProbe(Model):
    """A mirror that this node is to ask a little, for all others; of which model."""

    mirror: ObjectName = Field(description="Name of the ModelMirror.")
    generation: _Generation = Field(description="metadata.generation of the ModelMirror.")
    approval: ObjectName = Field(description="ModelApproval whose files are asked for.")
    repository: Repository = Field(description="organisation/model on the mirror.")
    revision: Commit = Field(description="Commit of the repository.")
    manifest_digest: Digest = Field(description="Manifest that the mirror should have.")
    large: SampleFile = Field(description="File of which a range is read.")
    small: SampleFile = Field(description="File that is read whole, if it is small enough.")
    doubted_at: datetime | None = Field(
        default=None,
        description="When a pull from it began to fail: what was found before does not count.",
    )


class MirrorFacts(Model):
    """What a probe found; figures are told anew when they are off by a factor of four."""

    reason: Annotated[Reason | None, no_reason_as_null(pattern=r"^[A-Za-z]*$")] = Field(
        default=None, description="Why it failed; missing when nothing did."
    )
    message: Annotated[str, Text(1024)] = Field(
        default="", description="What failed; empty when nothing did."
    )
    ranges: bool | None = Field(
        default=None, description="Whether byte ranges are served; missing when not found out."
    )
    first_byte_milliseconds: Annotated[int, Field(ge=0, le=1 << 31)] | None = Field(
        default=None, description="From a request for a range to its first byte."
    )
    bytes_per_second: Bytes | None = Field(
        default=None, description="Of that range, over one connection."
    )
    since: datetime = Field(description="When this was first found so.")


class ProbedMirror(MirrorFacts):
    """What this node found of a mirror."""

    mirror: ObjectName = Field(description="Name of the ModelMirror.")
    generation: _Generation = Field(description="metadata.generation that was probed.")
    approval: ObjectName = Field(description="ModelApproval whose files were asked for.")
    doubted_at: datetime | None = Field(
        default=None, description="When a pull from it had begun to fail before."
    )


def about(one: MirrorProbe | ProbedMirror) -> tuple[str, int, str, datetime | None]:
    """What an answer must agree in with the question."""
    return one.mirror, one.generation, one.approval, one.doubted_at
