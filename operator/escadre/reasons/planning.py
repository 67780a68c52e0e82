"""Reasons of planning: whether there is a layout, and room for it."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

PLANNED = Reason(
    "Planned",
    Kind.SETTLED,
    "A layout was found and every wanted replica has a node.",
    conditions=(ConditionType.PLANNED,),
)
CONTEXT_TOO_LONG = Reason(
    "ContextTooLong",
    Kind.MOVE,
    "contextLength is more than the model allows.",
    "Lower spec.contextLength to the model's maximum.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(
        ConditionType.PLANNED,
        ConditionType.STALLED,
    ),
)
TYPICAL_TOKENS_TOO_LONG = Reason(
    "TypicalTokensTooLong",
    Kind.MOVE,
    "typicalTokens is more than contextLength.",
    "Lower spec.typicalTokens.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(
        ConditionType.PLANNED,
        ConditionType.STALLED,
    ),
)
NO_GPU_NODES = Reason(
    "NoGPUNodes",
    Kind.MOVE,
    "No node offers nvidia.com/gpu with the labels of GPU feature discovery.",
    "Install the NVIDIA GPU Operator with its device plugin and GPU feature discovery; see "
    "docs/operate/install.md.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.PLANNED,),
)
NO_LAYOUT_FITS = Reason(
    "NoLayoutFits",
    Kind.MOVE,
    "No legal layout on one node of this cluster holds the wish.",
    "Lower contextLength or concurrency where the message says how far, or add nodes with more GPU "
    "memory.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.PLATFORM,
    ),
    conditions=(ConditionType.PLANNED,),
)
LAYOUT_OVERRIDE_REFUSED = Reason(
    "LayoutOverrideRefused",
    Kind.MOVE,
    "The layout that spec.layout asks for is not legal, does not hold the wish, or has no node.",
    "Change spec.layout or leave it out; the message says what would be planned then.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(ConditionType.PLANNED,),
)
HEADS_NOT_DIVISIBLE = Reason(
    "HeadsNotDivisible",
    Kind.SETTLED,
    "Attention heads do not divide by the tensor parallel size.",
    "Nothing: another layout is tried.",
)
KEY_VALUE_HEADS_NOT_DIVISIBLE = Reason(
    "KeyValueHeadsNotDivisible",
    Kind.SETTLED,
    "Key-value heads do not divide by the tensor parallel size, nor it by them.",
    "Nothing: another layout is tried.",
)
VOCABULARY_NOT_DIVISIBLE = Reason(
    "VocabularyNotDivisible",
    Kind.SETTLED,
    "The vocabulary, padded to a multiple of 64, does not divide by the tensor parallel size.",
    "Nothing: another layout is tried.",
)
INTERMEDIATE_NOT_DIVISIBLE = Reason(
    "IntermediateNotDivisible",
    Kind.SETTLED,
    "A feed-forward width, or the width of a vision projector, does not divide by the tensor "
    "parallel size.",
    "Nothing: another layout is tried.",
)
QUANTIZATION_NOT_DIVISIBLE = Reason(
    "QuantizationNotDivisible",
    Kind.SETTLED,
    "What each GPU would get of a quantised weight is no whole number of its blocks or groups.",
    "Nothing: another layout is tried.",
)
DTYPE_NOT_SUPPORTED = Reason(
    "DtypeNotSupported",
    Kind.SETTLED,
    "The GPU cannot compute in the weights' type.",
    "Nothing: another GPU product is tried.",
)
QUANTIZATION_NOT_SERVED = Reason(
    "QuantizationNotServed",
    Kind.MOVE,
    "The engine does not serve weights that are quantised in this way.",
    "Approve the model in another number format, or serve it with a version of vLLM that does.",
    owners=(Owner.DEPLOYMENT, Owner.PLATFORM),
    conditions=(ConditionType.PLANNED, ConditionType.STALLED),
)
ENGINE_VERSION_NOT_KNOWN = Reason(
    "EngineVersionNotKnown",
    Kind.MOVE,
    "engine.version of the chart is a version of vLLM that this operator does not know: layouts "
    "are judged by the rules of the nearest older one, and engines started with its flags.",
    "Nothing while engines start and hold what is planned; look for a newer Escadre.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.ENGINE_MISMATCH,),
)
ENGINE_VERSION_DIFFERS = Reason(
    "EngineVersionDiffers",
    Kind.MOVE,
    "An engine says that it is another version of vLLM than the one that layouts are judged for.",
    "Set engine.version of the chart to what engine.image holds: no engine that runs restarts for "
    "it. Or serve with an image of that version.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.ENGINE_MISMATCH,),
)
WEIGHTS_TOO_LARGE = Reason(
    "WeightsTooLarge",
    Kind.SETTLED,
    "The weights leave no memory for a key-value cache.",
    "Nothing: a larger layout is tried.",
)
CACHE_TOO_SMALL = Reason(
    "CacheTooSmall",
    Kind.SETTLED,
    "The key-value cache is smaller than the wish needs.",
    "Nothing: a larger layout is tried.",
)
PIPELINE_NOT_SUPPORTED = Reason(
    "PipelineNotSupported",
    Kind.SETTLED,
    "The model is not split into so many pipeline stages.",
    "Nothing: another layout is tried.",
)
NODE_TOO_SMALL = Reason(
    "NodeTooSmall",
    Kind.SETTLED,
    "No node with this product has so many GPUs.",
    "Nothing: another layout is tried.",
)
INSUFFICIENT_GPUS = Reason(
    "InsufficientGPUs",
    Kind.MOVE,
    "The layout is known, but no node has enough free GPUs now.",
    "Free GPUs, lower minReplicas of something, or add a node.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.PLANNED,),
)
