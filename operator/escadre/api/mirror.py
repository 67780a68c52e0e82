"""ModelMirror: who holds the bytes. Never trusted for integrity."""

from typing import Annotated, Literal

from pydantic import Field

from escadre.api.base import Condition, Model, ObjectName, explained
from escadre.api.bounds import Entries
from escadre.api.probe import MirrorFacts

__all__ = [
    "Folder",
    "MirrorProbed",
    "MirrorType",
    "ModelMirrorSpec",
    "ModelMirrorStatus",
    "OciRegistry",
    "S3Bucket",
    "Timeouts",
]

_Url = Annotated[
    str,
    Field(
        pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/+-]*)?$",
        max_length=512,
        json_schema_extra=explained(
            "must be an http:// or https:// URL without credentials, query or fragment"
        ),
    ),
]


_Host = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$",
        max_length=261,
        json_schema_extra=explained(
            "must be a host name in lower case, or an IPv6 address in brackets, with :port if it "
            "has one"
        ),
    ),
]
_Hosts = Annotated[list[_Host], Field(max_length=16)]

MirrorType = Literal["huggingface", "http", "s3", "oci", "folder"]


class Timeouts(Model):
    """How long a mirror may be silent."""

    first_byte_seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        default=300,
        description="From the request to the first byte of its answer. A proxy that fetches a file "
        "whole before it serves the first byte needs as long as that takes.",
    )
    idle_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=60, description="Between two pieces of a body that has begun."
    )


class S3Bucket(Model):
    """Where in an S3 store the models lie."""

    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            max_length=63,
            json_schema_extra=explained("must be the name of a bucket, in lower case"),
        ),
    ] = Field(description="Name of the bucket.")
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=64)] = Field(
        default="us-east-1", description="Region that requests are signed for."
    )
    prefix: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$",
            max_length=256,
            json_schema_extra=explained(
                "must be parts of letters, digits, ., _ and -, separated by /, none beginning "
                "with a dot"
            ),
        ),
    ] = Field(
        default="",
        description="What every key begins with: <prefix>/<repository>/<revision>/<path>.",
    )
    addressing: Literal["Path", "VirtualHost"] = Field(
        default="Path",
        description="Whether the bucket stands in the path of a URL or before its host.",
    )


class OciRegistry(Model):
    """What is particular of an OCI registry."""

    auth_hosts: _Hosts = Field(
        default_factory=list,
        description="Hosts besides the registry's own that may give out tokens: they are sent the "
        "credentials.",
    )


class Folder(Model):
    """A folder that is mounted on every node."""

    name: ObjectName = Field(
        description="Name of an entry of the chart value agent.mirrorFolders, which says what is "
        "mounted."
    )


class ModelMirrorSpec(Model):
    """Where weights are fetched from and how gently."""

    type: MirrorType = Field(
        description="huggingface: the routes of a Hugging Face hub, as internal mirrors offer "
        "them; http: a static tree <url>/<repository>/<revision>/<path>; s3: an S3 bucket; oci: "
        "an OCI registry with one file a layer; folder: a mounted folder "
        "<repository>/<revision>/<path>."
    )
    url: _Url | None = Field(
        default=None,
        description="http or https URL, without credentials or query; for s3 the endpoint, for "
        "oci the registry. Required but for folder, which has none.",
    )
    s3: S3Bucket | None = Field(default=None, description="Of type s3.")
    oci: OciRegistry | None = Field(default=None, description="Of type oci; may be left out.")
    folder: Folder | None = Field(default=None, description="Of type folder.")
    manifests_url: _Url | None = Field(
        default=None,
        alias="manifestsURL",
        description="Folder with the manifests, <64 hex>.manifest; required for huggingface, "
        "<url>/escadre-manifests by default for http. s3 and folder have them in "
        "escadre-manifests beside the models, oci as artifacts of the repository.",
    )
    credentials_secret_name: ObjectName | None = Field(
        default=None,
        description="Secret in the operator's namespace with token, or username and password, or "
        "accessKeyID and secretAccessKey (and sessionToken), and tls.crt and tls.key for a "
        "certificate. The chart value agent.mirrorSecrets must list it.",
    )
    ca_bundle: Annotated[str, Field(max_length=65536, min_length=1)] | None = Field(
        default=None, description="PEM certificates that the mirror's certificate must chain to."
    )
    redirect_hosts: _Hosts = Field(
        default_factory=list,
        description="Hosts besides the mirror's own that it may send a reader to, e.g. of "
        "presigned URLs; credentials are never sent there.",
    )
    proxy_url: _Url | None = Field(
        default=None,
        alias="proxyURL",
        description="Forward proxy that every connection to the mirror goes through; the "
        "environment's proxies are not used.",
    )
    timeouts: Timeouts | None = Field(
        default=None, description="How long the mirror may be silent; the defaults when left out."
    )
    max_concurrent_pulls: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=4, description="Nodes that may pull from this mirror at the same time."
    )

    @property
    def manifests_base(self) -> str:
        """Folder with the manifests, without a trailing slash; of types with a URL."""
        return (self.manifests_url or f"{(self.url or '').rstrip('/')}/escadre-manifests").rstrip(
            "/"
        )

    @property
    def where(self) -> str:
        """Where it is, for messages."""
        return self.url or f"folder {self.folder.name if self.folder else '?'}"


class MirrorProbed(MirrorFacts):
    """What one node found, for all."""

    node: ObjectName = Field(description="Node that asked.")
    approval: ObjectName = Field(description="ModelApproval whose files were asked for.")


class ModelMirrorStatus(Model):
    """Whether the operator can use it, and what the nodes that pull from it say."""

    observed_generation: Annotated[int, Field(ge=-1, le=1 << 53)] = Field(
        default=-1, description="metadata.generation that was judged."
    )
    conditions: Annotated[list[Condition], Entries(8)] = Field(
        default_factory=list, description="Ready; Stalled while it is not."
    )
    probe: MirrorProbed | None = Field(
        default=None, description="What one node found when it asked the mirror a little."
    )
