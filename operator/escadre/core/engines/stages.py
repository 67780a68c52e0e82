"""Into how many pipeline stages vLLM splits a model; what they hold is limits.py's answer.

core/layouts asks beside the tensor parallel size. The classes of Mistral models have
pipeline parallelism (vllm-project/vllm:vllm/model_executor/models: llama.py, mixtral.py,
pixtral.py, mistral3.py, voxtral.py, deepseek_v2.py). Pure.
"""

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.refusal import LayoutRefusal

__all__ = ["check_stages"]


def check_stages(architecture: Architecture, stages: int) -> LayoutRefusal | None:
    """Why a model is not split into so many stages, None when it can be.

    Voxtral has pipeline parallelism and Voxtral Realtime has not (models/voxtral_realtime.py);
    which of the two a model is, is not among its facts, so neither is split.
    """
    if stages == 1:
        return None
    if architecture.audio_heads is not None:
        return LayoutRefusal(
            reasons.PIPELINE_NOT_SUPPORTED,
            f"a model that hears is planned in one stage, not in {stages}: not every one can be "
            "split",
        )
    if stages > architecture.layers:
        return LayoutRefusal(
            reasons.PIPELINE_NOT_SUPPORTED,
            f"{architecture.layers} layers are too few for {stages} stages",
        )
    return None
