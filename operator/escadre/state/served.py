"""What the replicas of a deployment were made from, by their records and approvals."""

from escadre.core.facts.model import ApprovedModel
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.core.status.facts import MadeOf
from escadre.machinery.informer import Informer
from escadre.state.observe import Observed
from escadre.state.views import ApprovalView

__all__ = ["made_of"]


def made_of(
    one: Observed, wished: ApprovedModel | None, approvals: Informer[ApprovalView]
) -> MadeOf | None:
    """What a replica was made from; None where its record is lost."""
    inputs = one.record.inputs
    if inputs is None:
        return None
    model = wished if _is_of(wished, inputs) else _approved(inputs, approvals)
    layout = inputs.layout
    return MadeOf(
        repository=inputs.repository,
        manifest_digest=inputs.manifest_digest,
        approval=model.approval if model else "",
        revision=model.revision if model else "",
        max_model_len=layout.max_model_len if layout else None,
        layout=layout.summary if layout else "",
    )


def _approved(inputs: ReplicaInputs, approvals: Informer[ApprovalView]) -> ApprovedModel | None:
    """An approval of the weights, whether it holds or not; the first by name."""
    found = approvals.by("weights", inputs.manifest_digest)
    known = [one.model for one in found if one.model is not None and _is_of(one.model, inputs)]
    return min(known, key=lambda one: one.approval, default=None)


def _is_of(model: ApprovedModel | None, inputs: ReplicaInputs) -> bool:
    return model is not None and (
        (model.manifest_digest, model.repository) == (inputs.manifest_digest, inputs.repository)
    )
