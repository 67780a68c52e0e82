"""Blocks and groups of quantised weights, split over GPUs.

Dense layers in FP8 blocks and int4 groups are held against vLLM's own by test_oracle.py; here are
also those that its CPU build cannot make: experts, and blocks of compressed-tensors.
"""

import pytest
from tests.core.shapes import EVERY_MODEL, LARGE_3, MISTRAL_7B

from escadre import reasons
from escadre.api.approval import Architecture, Experts, Quantization
from escadre.core.engines.legality import check_size

BLOCKS = Quantization(method="fp8", block=(128, 128))
OTHER_BLOCKS = Quantization(method="compressed-tensors", block=(128, 128))
GROUPS = Quantization(method="compressed-tensors", group_size=128)
EXPERTS = Experts(routed=8, per_token=2, shared=0, intermediate_size=14336)


def fp8(**given: object) -> Architecture:
    changes = {"dtype": "float8", "quantization": BLOCKS, **given}
    return MISTRAL_7B.model_copy(update=changes)


def packed(method: str = "compressed-tensors", **given: object) -> Architecture:
    numbers = GROUPS.model_copy(update={"method": method})
    return MISTRAL_7B.model_copy(update={"dtype": "int4", "quantization": numbers, **given})


def legal(model: Architecture) -> list[int]:
    return [size for size in (1, 2, 4, 8, 16, 32) if check_size(model, size) is None]


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        pytest.param(fp8(), [1, 2, 4, 8, 16], id="14336 / 32 is 3.5 blocks"),
        pytest.param(fp8(intermediate_size=16384), [1, 2, 4, 8, 16, 32], id="16384 / 32 is 4"),
        pytest.param(
            fp8(head_dimension=64),
            [1, 2, 4, 8, 16],
            id="joined to queries, a key-value head of 64 may be half a block",
        ),
        pytest.param(
            fp8(head_dimension=64, quantization=OTHER_BLOCKS),
            [1, 2, 4],
            id="in compressed-tensors it may not",
        ),
        pytest.param(fp8(intermediate_size=14400), [1], id="112.5 blocks on one GPU"),
        pytest.param(
            fp8(intermediate_size=14400, quantization=OTHER_BLOCKS),
            [],
            id="in compressed-tensors not on one either",
        ),
        pytest.param(fp8(experts=EXPERTS), [1, 2, 4, 8, 16], id="experts"),
        pytest.param(packed(), [1, 2, 4, 8, 16], id="14336 / 32 is 3.5 groups"),
        pytest.param(packed(method="awq"), [1, 2, 4, 8, 16], id="AWQ"),
        pytest.param(packed(head_dimension=64), [1, 2, 4, 8, 16], id="groups lie along the input"),
        pytest.param(packed(experts=EXPERTS), [1, 2, 4, 8, 16], id="experts in groups"),
    ],
)
def test_legal_sizes(model: Architecture, sizes: list[int]) -> None:
    assert legal(model) == sizes


@pytest.mark.parametrize(
    ("model", "size", "says", "engine"),
    [
        pytest.param(
            fp8(quantization=OTHER_BLOCKS),
            32,
            "the feed-forward width 448 of one GPU is no whole number of blocks of 128 rows",
            "ValueError: Weight output_partition_size = 448 is not divisible by weight "
            "quantization block_n = 128.",
            id="rows",
        ),
        pytest.param(
            fp8(head_dimension=64, quantization=OTHER_BLOCKS),
            8,
            "the key-value width 64 of one GPU is no whole number of blocks of 128 rows",
            "ValueError: Weight output_partition_size = 64 is not divisible by weight quantization "
            "block_n = 128.",
            id="key and value",
        ),
        pytest.param(
            fp8(quantization=Quantization(method="fp8", block=(64, 128))),
            32,
            "the feed-forward width 448 of one GPU is no whole number of blocks of 128 columns",
            "ValueError: Weight input_size_per_partition = 448 is not divisible by weight "
            "quantization block_k = 128.",
            id="columns",
        ),
        pytest.param(
            fp8(experts=EXPERTS),
            32,
            "the expert width 448 of one GPU",
            "ValueError: The output_size of gate's and up's weight = 448 is not divisible by "
            "weight quantization block_n = 128.",
            id="experts",
        ),
        pytest.param(
            packed(),
            32,
            "the feed-forward width 448 of one GPU is no whole number of groups of 128",
            "ValueError: Weight input_size_per_partition=448 … is not divisible by "
            "group_size=128. …",
            id="groups",
        ),
        pytest.param(packed(method="gptq"), 32, "448 of one GPU", "", id="words not known"),
        pytest.param(
            packed(experts=EXPERTS),
            32,
            "the expert width 448 of one GPU is no whole number of groups of 128",
            "ValueError: CompressedTensors WNA16 MoE with static group scales requires the MoE "
            "intermediate size per tensor-parallel partition (448) to be divisible by group_size "
            "(128). …",
            id="experts in groups",
        ),
    ],
)
def test_each_refusal_has_its_numbers_and_the_words_of_vllm(
    model: Architecture, size: int, says: str, engine: str
) -> None:
    refusal = check_size(model, size)
    assert refusal is not None
    assert refusal.reason == reasons.QUANTIZATION_NOT_DIVISIBLE
    assert says in refusal.message
    assert refusal.engine == engine


def test_one_scale_for_a_whole_tensor_or_row_binds_nothing() -> None:
    for numbers in (Quantization(method="fp8"), Quantization(method="gptq")):
        model = MISTRAL_7B.model_copy(update={"quantization": numbers})
        assert legal(model) == legal(MISTRAL_7B) == [1, 2, 4, 8, 16, 32]


def test_a_group_as_wide_as_the_layer_is_no_group() -> None:
    wide = Quantization(method="compressed-tensors", group_size=16384)
    model = MISTRAL_7B.model_copy(update={"dtype": "int4", "quantization": wide})
    assert legal(model) == [1, 2, 4, 8, 16, 32]


def test_latent_attention_is_not_judged() -> None:
    model = LARGE_3.model_copy(update={"quantization": BLOCKS, "vision_heads": None})
    assert legal(model) == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_published_models_lose_no_size_of_a_node(model: Architecture) -> None:
    quantised = model.model_copy(update={"quantization": BLOCKS})
    assert [n for n in legal(quantised) if n <= 8] == [n for n in legal(model) if n <= 8]
