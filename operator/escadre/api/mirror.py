"""ModelMirror: who holds the bytes. Never trusted for integrity."""

from typing import Annotated, Literal

from pydantic import Field

from escadre.api.base import Condition, Model, ObjectName, explained
from escadre.api.bounds import Entries

__all__ = ["ModelMirrorSpec", "ModelMirrorStatus"]

_Url = Annotated[
    str,
    Field(
        pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%/+-]*)?$",
        max_length=512,
        json_schema_extra=explained(
            "must be an http:// or https:// URL without credentials, query or fragment"
        ),
    ),
]


class ModelMirrorSpec(Model):
    """Where weights are fetched from and how gently."""

    type: Literal["huggingface", "http"] = Field(
        description="huggingface: the routes of a Hugging Face hub, as internal mirrors offer "
        "them; http: a static tree <url>/<repository>/<revision>/<path>."
    )
    url: _Url = Field(description="http or https URL, without credentials or query.")
    manifests_url: _Url | None = Field(
        default=None,
        alias="manifestsURL",
        description="Folder with the manifests, <64 hex>.manifest; required for huggingface, "
        "<url>/escadre-manifests by default for http.",
    )
    credentials_secret_name: ObjectName | None = Field(
        default=None,
        description="Secret in the operator's namespace with token, or username and password. "
        "The chart value agent.mirrorSecrets must list it.",
    )
    ca_bundle: Annotated[str, Field(max_length=65536, min_length=1)] | None = Field(
        default=None, description="PEM certificates that the mirror's certificate must chain to."
    )
    max_concurrent_pulls: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=4, description="Nodes that may pull from this mirror at the same time."
    )

    @property
    def manifests_base(self) -> str:
        """Folder with the manifests, without a trailing slash."""
        return (self.manifests_url or f"{self.url.rstrip('/')}/escadre-manifests").rstrip("/")


class ModelMirrorStatus(Model):
    """Whether the operator can use it, and what the nodes that pull from it say."""

    observed_generation: Annotated[int, Field(ge=-1, le=1 << 53)] = Field(
        default=-1, description="metadata.generation that was judged."
    )
    conditions: Annotated[list[Condition], Entries(8)] = Field(
        default_factory=list, description="Ready; Stalled while it is not."
    )
