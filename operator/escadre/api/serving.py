"""What answers a ModelDeployment's Service, as its status tells it."""

from typing import Annotated

from pydantic import Field

from escadre.api.base import Commit, Digest, Model, ObjectName, Repository
from escadre.api.bounds import Entries, Text

__all__ = ["ServedApproval", "ServedModel", "ServingStatus"]

_Tokens = Annotated[int, Field(ge=1, le=1 << 31)]


class ServedApproval(Model):
    """The approval that the current inputs rest on."""

    name: ObjectName = Field(description="Name of the ModelApproval.")
    uid: Annotated[str, Field(max_length=64)] = Field(description="Its UID.")
    repository: Repository = Field(description="organisation/model.")
    revision: Commit = Field(description="Commit.")
    manifest_digest: Digest = Field(description="Identity of the weights.")


class ServedModel(Model):
    """A model that answers, as the replicas that serve it were made."""

    repository: Repository = Field(description="organisation/model.")
    manifest_digest: Digest = Field(description="Identity of the weights.")
    approval: ObjectName | None = Field(
        default=None, description="A ModelApproval of these weights, when there is one."
    )
    revision: Commit | None = Field(default=None, description="Commit that it approves.")
    max_model_len: _Tokens | None = Field(default=None, description="--max-model-len.")
    layout: Annotated[str, Field(max_length=64)] = Field(default="", description="E.g. 2×H100 tp2.")
    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(description="Replicas that answer.")


class ServingStatus(Model):
    """What answers the Service now, whatever the spec asks for."""

    summary: Annotated[str, Text(256)] = Field(description="The models, by repository.")
    models: Annotated[list[ServedModel], Entries(16)] = Field(
        description="Each model and way it is served, the one with most replicas first."
    )
