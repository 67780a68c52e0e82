"""ModelApproval: which bytes may run, under which licence, for whom, until when.

The spec carries no schema defaults, ever: contentDigest covers the spec as stored, and a default
added by a later version would change what people signed.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from escadre.api.base import (
    Bytes,
    Commit,
    Condition,
    Digest,
    Model,
    Named,
    ObjectName,
    Person,
    Repository,
    Sha256,
    explained,
)
from escadre.api.bounds import Entries, Text

__all__ = [
    "SIGNATURES",
    "ApprovedFile",
    "Architecture",
    "Experts",
    "LatentAttention",
    "Licence",
    "ModelApprovalSpec",
    "ModelApprovalStatus",
    "Quantization",
    "SignatureRecord",
    "SlidingWindow",
    "TensorBytes",
    "VisionEncoder",
]

_Count = Annotated[int, Field(ge=1, le=1 << 24)]
SIGNATURES: Final = Entries(64, kept="last")


class ApprovedFile(Model):
    """One file of the approved weights."""

    path: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="Path relative to the model's folder, NFC, with / between segments."
    )
    size: Bytes = Field(description="Size in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the whole file, lower-case hex.")


class LatentAttention(Model):
    """Multi-head latent attention (MLA): the key-value cache holds one latent per token."""

    kv_lora_rank: _Count = Field(description="Rank of the compressed key-value latent.")
    rope_head_dimension: _Count = Field(description="Dimension of the rotary part of the key.")
    query_rank: _Count | None = Field(
        default=None, description="Rank of the compressed query, when it is compressed."
    )
    value_head_dimension: _Count | None = Field(
        default=None, description="Dimension of one head's value; as headDimension where not set."
    )


class SlidingWindow(Model):
    """Layers that see the last tokens only; which ones repeats from layer to layer."""

    tokens: _Count = Field(description="Tokens that such a layer sees.")
    pattern_layers: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Layers after which the kinds of layers repeat; 1: all are alike."
    )
    full_layers: Annotated[int, Field(ge=0, le=4096)] = Field(
        description="Of those, the layers without a window."
    )


class Experts(Model):
    """Mixture of experts."""

    routed: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Number of routed experts per layer."
    )
    per_token: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Routed experts active for one token."
    )
    shared: Annotated[int, Field(ge=0, le=4096)] = Field(description="Experts every token uses.")
    intermediate_size: _Count = Field(description="Feed-forward width of one expert.")


class VisionEncoder(Model):
    """Encoder of images: a transformer of its own before the text model."""

    hidden_size: _Count = Field(description="Width of its residual stream.")
    intermediate_size: _Count = Field(description="Feed-forward width.")
    image_size: _Count = Field(description="Pixels along the longest side of an image.")
    patch_size: _Count = Field(description="Pixels along the side of a patch.")
    merge_size: _Count = Field(
        description="Patches along the side of the square that makes one token of the text model."
    )


class Quantization(Model):
    """How the weights are quantised, as the tool that did it wrote down."""

    method: Annotated[
        str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    ] = Field(description="Method as vLLM calls it, e.g. fp8, awq, gptq or compressed-tensors.")
    group_size: _Count | None = Field(
        default=None, description="Weights along the input that share a scale, when in groups."
    )
    block: Annotated[tuple[_Count, ...], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Rows and columns that share a scale, when in blocks."
    )


class TensorBytes(Model):
    """Bytes of the tensors by where an engine puts them on the GPUs of one replica."""

    sharded: Bytes = Field(description="Split over the GPUs: projections of the layers.")
    replicated: Bytes = Field(
        description="Whole on every GPU: norms, scales, router, projections to latents."
    )
    embedding: Bytes = Field(description="Token embedding and output head; split.")
    experts: Bytes = Field(description="Routed experts; split.")
    encoder_sharded: Bytes = Field(description="Of the encoder of images or sound; split.")
    encoder_replicated: Bytes = Field(
        description="Of that encoder and the projector behind it; whole on every GPU."
    )


class Architecture(Model):
    """Facts the planner needs, read at drafting from params.json or config.json and headers."""

    format: Literal["mistral", "huggingface"] = Field(
        description="Layout of the files: consolidated*.safetensors with params.json, or "
        "model*.safetensors with config.json."
    )
    tokenizer: Literal["mistral", "huggingface"] = Field(
        description="Tokenizer files: tekken.json or tokenizer.model.v*, or tokenizer.json."
    )
    dtype: Literal["bfloat16", "float16", "float32", "float8", "float4", "int8", "int4"] = Field(
        description="Type of most weights: what they are quantised to, not what they are stored in."
    )
    weight_bytes: Annotated[int, Field(ge=1, le=1 << 50)] = Field(
        description="Bytes of all tensors, summed over the safetensors headers."
    )
    hidden_size: _Count = Field(description="Width of the residual stream.")
    intermediate_size: _Count = Field(description="Feed-forward width of a dense layer.")
    layers: Annotated[int, Field(ge=1, le=4096)] = Field(description="Number of layers.")
    attention_heads: Annotated[int, Field(ge=1, le=4096)] = Field(description="Query heads.")
    key_value_heads: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Key-value heads (grouped-query attention)."
    )
    head_dimension: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Dimension of one attention head."
    )
    vocabulary_size: _Count = Field(description="Entries of the token embedding.")
    max_context_length: _Count = Field(description="Longest context in tokens the model allows.")
    vision_heads: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Attention heads of the vision encoder, when there is one."
    )
    audio_heads: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Attention heads of the audio encoder, when there is one."
    )
    vision_encoder: VisionEncoder | None = Field(
        default=None,
        description="Dimensions of the vision encoder; without them 1 GiB is counted for encoding.",
    )
    audio_intermediate_size: _Count | None = Field(
        default=None, description="Feed-forward width of the audio encoder, when there is one."
    )
    latent_attention: LatentAttention | None = Field(
        default=None, description="Set when the model uses multi-head latent attention."
    )
    sliding_window: SlidingWindow | None = Field(
        default=None, description="Set when layers keep a window of tokens in the cache."
    )
    experts: Experts | None = Field(
        default=None, description="Set when the model is a mixture of experts."
    )
    quantization: Quantization | None = Field(
        default=None, description="Set when the weights are quantised."
    )
    tensors: TensorBytes | None = Field(
        default=None,
        description="weightBytes in groups, summed over the same headers; without it the planner "
        "computes from the dimensions what every GPU keeps whole.",
    )


class Licence(Model):
    """Under which terms the weights may be used, and who accepted them."""

    spdx: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$",
            json_schema_extra=explained(
                "must be one SPDX identifier like Apache-2.0, or LicenseRef-NAME for own terms"
            ),
        ),
    ] = Field(
        description="SPDX identifier, or LicenseRef-… for terms that have none.",
    )
    accepted_by: Named = Field(description="Who accepted the terms for the organisation.")
    contract: Named | None = Field(
        default=None, description="Reference of the contract, for proprietary weights."
    )


class ModelApprovalSpec(Model):
    """What is approved. Immutable from creation: other content is another object."""

    requested_by: Named = Field(
        description="Who asks; the API server lets only the caller's own name through."
    )
    repository: Repository = Field(description="organisation/model, as on a hub.")
    revision: Commit = Field(
        description="Commit of the repository, 40 hex characters; never a branch."
    )
    mirrors: Annotated[list[ObjectName], Field(min_length=1, max_length=8)] = Field(
        description="Names of the ModelMirrors that hold the bytes, in order of preference.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    files: Annotated[list[ApprovedFile], Field(min_length=1, max_length=2000)] = Field(
        description="Every file of the model, each path once.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["path"],
        },
    )
    manifest_digest: Digest = Field(
        description="Identity of the weights: sha256 of the manifest (docs/use/concepts.md)."
    )
    architecture: Architecture = Field(description="Facts the planner needs.")
    licence: Licence = Field(description="Terms and their acceptance.")
    namespaces: Annotated[
        list[
            Annotated[
                str,
                Field(
                    pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                    min_length=1,
                    max_length=63,
                    json_schema_extra=explained(
                        "must be the name of a namespace: lower-case letters, digits and - only"
                    ),
                ),
            ]
        ],
        Field(min_length=1, max_length=256),
    ] = Field(
        description="Namespaces whose deployments may use these weights.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    not_after: datetime = Field(description="From this time on the approval no longer holds.")
    required_approvals: Annotated[int, Field(ge=1, le=16)] = Field(
        description="Different people, none of them the requester, who must sign; the operator "
        "asks for at least the chart value approvals.minimum."
    )


class SignatureRecord(Model):
    """A signature that was looked at."""

    name: ObjectName = Field(description="Name of the ModelSignature.")
    by: Person = Field(description="Who signed.")
    decision: Literal["Approve", "Revoke"] = Field(description="What was said.")
    at: datetime = Field(description="When the API server stored it.")
    counted: bool = Field(description="Whether it counts towards the required approvals.")
    why: Annotated[str, Text(512)] = Field(default="", description="Why it does not count.")


class ModelApprovalStatus(Model):
    """What the operator makes of the approval and its signatures."""

    observed_generation: Annotated[int, Field(ge=-1, le=1 << 53)] = Field(
        default=-1, description="metadata.generation that was judged."
    )
    content_digest: Digest | None = Field(
        default=None, description="sha256 over the canonical JSON of the spec; what people sign."
    )
    summary: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Signatures that count of those required, e.g. 1/2."
    )
    signatures: Annotated[list[SignatureRecord], SIGNATURES] = Field(
        default_factory=list, description="Signatures seen, newest last, 64 at most."
    )
    conditions: Annotated[list[Condition], Entries(8)] = Field(
        default_factory=list, description="Ready, Reconciling, Stalled, Approved, Expiring."
    )
