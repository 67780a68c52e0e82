"""What is wished for and what may run: the planner's view of a spec and its approval. Pure data."""

from dataclasses import dataclass, replace

from escadre.api.approval import Architecture, ModelApprovalSpec
from escadre.api.deployment import LayoutOverride, ModelDeploymentSpec, Objective

__all__ = ["ApprovedModel", "Wish"]


@dataclass(frozen=True, slots=True)
class Wish:
    """The fields of a ModelDeployment's spec that shape a replica; None = the planner's default.

    ``product`` and the two sizes are the ones of spec.layout.
    """

    context_length: int
    concurrency: int | None = None
    typical_tokens: int | None = None
    objective: Objective = "Throughput"
    product: str | None = None
    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    text_only: bool = False

    @staticmethod
    def of(spec: ModelDeploymentSpec | None) -> "Wish":
        """The wish; of a spec that does not parse (None), one that nothing is planned for."""
        if spec is None:
            return Wish(context_length=1)
        layout = spec.layout or LayoutOverride()
        return Wish(
            context_length=spec.context_length,
            concurrency=spec.concurrency,
            typical_tokens=spec.typical_tokens,
            objective=spec.objective or "Throughput",
            product=layout.product,
            tensor_parallel_size=layout.tensor_parallel_size,
            pipeline_parallel_size=layout.pipeline_parallel_size,
            text_only=bool(spec.text_only),
        )

    @property
    def unbound(self) -> "Wish":
        """The wish without spec.layout; itself where there is none."""
        if (self.product, self.tensor_parallel_size, self.pipeline_parallel_size) == (None,) * 3:
            return self
        return replace(self, product=None, tensor_parallel_size=None, pipeline_parallel_size=None)


@dataclass(frozen=True, slots=True)
class ApprovedModel:
    """What an approval that holds allows."""

    approval: str
    approval_uid: str
    repository: str
    revision: str
    manifest_digest: str
    file_bytes: int
    architecture: Architecture
    mirrors: tuple[str, ...]

    @staticmethod
    def of(name: str, uid: str, spec: ModelApprovalSpec) -> "ApprovedModel":
        """What the approval of that name describes."""
        return ApprovedModel(
            approval=name,
            approval_uid=uid,
            repository=spec.repository,
            revision=spec.revision,
            manifest_digest=spec.manifest_digest,
            file_bytes=sum(file.size for file in spec.files),
            architecture=spec.architecture,
            mirrors=tuple(spec.mirrors),
        )
