"""Blocks and groups of quantised weights, split over GPUs.

They are held against vLLM's own layers by test_oracle.py; here stands what each rule is for.
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
NARROW = EXPERTS.model_copy(update={"intermediate_size": 8960})
NO_KERNEL = "ValueError: Failed to find a kernel that can implement the WNA16 linear layer. …"


def fp8(**given: object) -> Architecture:
    changes = {"dtype": "float8", "quantization": BLOCKS, **given}
    return MISTRAL_7B.model_copy(update=changes)


def packed(method: str = "compressed-tensors", **given: object) -> Architecture:
    numbers = GROUPS.model_copy(update={"method": method})
    return MISTRAL_7B.model_copy(update={"dtype": "int4", "quantization": numbers, **given})


def halves(method: str, **given: object) -> Architecture:
    numbers = Quantization(method=method, group_size=16)
    return MISTRAL_7B.model_copy(update={"dtype": "float4", "quantization": numbers, **given})


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
            NO_KERNEL,
            id="groups",
        ),
        pytest.param(packed(method="gptq"), 32, "448 of one GPU", NO_KERNEL, id="GPTQ"),
        pytest.param(
            packed(method="awq"),
            32,
            "448 of one GPU",
            "ValueError: The input size is not aligned with the quantized weight shape. This can "
            "be caused by too large tensor parallel size.",
            id="AWQ",
        ),
        pytest.param(packed(method="quark"), 32, "448 of one GPU", "", id="words not known"),
        pytest.param(
            packed(method="awq", experts=NARROW, intermediate_size=8960),
            16,
            "the expert width 560 of one GPU is no whole number of groups of 32",
            "AssertionError",
            id="experts in AWQ, whose groups are halved down to 32",
        ),
        pytest.param(
            halves("modelopt", intermediate_size=8960),
            32,
            "the feed-forward width 280 of one GPU is no whole number of groups of 16",
            "ValueError: Unsupported model when in features size is not multiple of 16",
            id="NVFP4 of ModelOpt",
        ),
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


def latent(method: str = "compressed-tensors", **given: int) -> Architecture:
    assert LARGE_3.latent_attention is not None
    changes = {
        "latent_attention": LARGE_3.latent_attention.model_copy(update=given),
        "quantization": Quantization(method=method, block=(128, 128)),
        "vision_heads": None,
    }
    return LARGE_3.model_copy(update=changes)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        pytest.param(latent(), [1, 2, 4, 8, 16, 32], id="values and queries not known"),
        pytest.param(
            latent(query_rank=1536, value_head_dimension=128),
            [1, 2, 4, 8, 16, 32],
            id="as published",
        ),
        pytest.param(latent(query_rank=1500), [], id="the query's latent is whole on each"),
        pytest.param(
            latent("fp8", query_rank=1500), [1, 2, 4, 8, 16, 32], id="let off, as it is joined"
        ),
        pytest.param(latent("fp8", rope_head_dimension=60), [1, 2, 4], id="128 × 188 in blocks"),
        pytest.param(latent(value_head_dimension=24), [1, 2, 4, 8], id="values: 8 × 24 is 1.5"),
    ],
)
def test_blocks_in_latent_attention(model: Architecture, sizes: list[int]) -> None:
    assert legal(model) == sizes


def test_numbers_of_half_a_byte_are_padded_by_what_compressed_tensors_runs_on() -> None:
    narrow = halves("compressed-tensors", intermediate_size=8960)
    assert legal(narrow) == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_published_models_lose_no_size_of_a_node(model: Architecture) -> None:
    quantised = model.model_copy(update={"quantization": BLOCKS})
    assert [n for n in legal(quantised) if n <= 8] == [n for n in legal(model) if n <= 8]
