"""The probe of a mirror: what one node is asked to find out, and what it found."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from escadre.api.base import Bytes, Commit, Digest, Model, ObjectName, Repository, Sha256
from escadre.api.bounds import Text
from escadre.api.reason import no_reason_as_null
from escadre.reasons import Reason

__all__ = [
    "MOST_HOST",
    "MOST_HOSTS",
    "MirrorFacts",
    "MirrorProbe",
    "ProbedMirror",
    "SampleFile",
    "about",
]

MOST_HOSTS: Final = 16  # that are told
MOST_HOST: Final = 261  # characters of one, with its port

_Generation = Annotated[int, Field(ge=0, le=1 << 53)]
_Uid = Annotated[str, Field(max_length=128)]
_Hosts = Annotated[list[Annotated[str, Field(max_length=MOST_HOST)]], Field(max_length=MOST_HOSTS)]


class SampleFile(Model):
    """A file of the approval that is read."""

    path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="Its path.")
    size: Bytes = Field(description="Its bytes.")
    sha256: Sha256 = Field(description="Its approved digest.")


class MirrorProbe(Model):
    """A mirror that this node is to ask a little, for all others; of which model."""

    mirror: ObjectName = Field(description="Name of the ModelMirror.")
    mirror_uid: _Uid = Field(
        default="",
        alias="mirrorUID",
        description="metadata.uid of the ModelMirror: one that was made anew is asked anew.",
    )
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
    redirect_hosts: _Hosts | None = Field(
        default=None,
        description="Hosts of others that it sent the reader to, as spec.redirectHosts lists them; "
        "of one that is not listed there, the message says so. Missing when it sent it nowhere.",
    )
    since: datetime = Field(description="When this was first found so.")


class ProbedMirror(MirrorFacts):
    """What this node found of a mirror."""

    mirror: ObjectName = Field(description="Name of the ModelMirror.")
    mirror_uid: _Uid = Field(
        default="", alias="mirrorUID", description="metadata.uid that was probed."
    )
    generation: _Generation = Field(description="metadata.generation that was probed.")
    approval: ObjectName = Field(description="ModelApproval whose files were asked for.")
    doubted_at: datetime | None = Field(
        default=None, description="When a pull from it had begun to fail before."
    )


def about(one: MirrorProbe | ProbedMirror) -> tuple[str, str, int, str, datetime | None]:
    """What an answer must agree in with the question."""
    return one.mirror, one.mirror_uid, one.generation, one.approval, one.doubted_at
