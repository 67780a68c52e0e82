"""Legal tensor parallel sizes: the known sets of the Mistral family, and each refusal."""

import pytest
from tests.core.shapes import EVERY_MODEL, LARGE_2, LARGE_3, MISTRAL_7B, SMALL_3, SMALL_4

from escadre import reasons
from escadre.api.approval import Architecture, Experts, Quantization
from escadre.core.catalog.entry import SMALL_ENCODER
from escadre.core.engines.legality import (
    candidate_sizes,
    check_dtype,
    check_method,
    check_size,
    is_native,
)
from escadre.core.profile import profile_for


def legal(model: Architecture) -> list[int]:
    return [size for size in range(1, 65) if check_size(model, size) is None]


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        pytest.param(MISTRAL_7B, [1, 2, 4, 8, 16, 32], id="32 heads, 8 key-value"),
        pytest.param(LARGE_2, [1, 2, 4, 8, 16, 32], id="96 heads: 3, 6, 12 and 24 are not legal"),
        pytest.param(
            MISTRAL_7B.model_copy(update={"attention_heads": 48, "intermediate_size": 16384}),
            [1, 2, 4, 8, 16],
            id="48 heads",
        ),
        pytest.param(SMALL_3, [1, 2, 4, 8, 16], id="16 vision heads forbid 32"),
        pytest.param(
            SMALL_3.model_copy(update={"vision_heads": None, "audio_heads": 20}),
            [1, 2, 4],
            id="20 audio heads forbid 8 and 16",
        ),
        pytest.param(
            LARGE_3.model_copy(update={"vision_heads": None}),
            [1, 2, 4, 8, 16, 32, 64],
            id="MLA has no rule for key-value heads",
        ),
    ],
)
def test_legal_sizes_of_the_family(model: Architecture, sizes: list[int]) -> None:
    assert legal(model) == sizes


VOXTRAL_SMALL = SMALL_3.model_copy(update={"vision_heads": None, "audio_heads": 20})
NARROW = SMALL_ENCODER.model_copy(update={"intermediate_size": 4104})
WIDE = LARGE_2.model_copy(update={"vocabulary_size": 64 * 27})  # splits by 3, 9 and 27
EXPERTS = Experts(routed=8, per_token=2, shared=0, intermediate_size=1001)


@pytest.mark.parametrize(
    ("model", "size", "reason", "numbers", "engine"),
    [
        pytest.param(
            MISTRAL_7B.model_copy(update={"vocabulary_size": 192, "intermediate_size": 12288}),
            3,
            "HeadsNotDivisible",
            "32 attention heads do not divide by 3",
            "ValueError: Total number of attention heads (32) must be divisible by tensor parallel "
            "size (3).",
            id="heads",
        ),
        pytest.param(
            LARGE_2.model_copy(update={"key_value_heads": 96, "intermediate_size": 24576}),
            3,
            "VocabularyNotDivisible",
            "the vocabulary, padded to 32768 entries, does not divide by 3",
            "AssertionError: 32768 is not divisible by 3",
            id="vocabulary",
        ),
        pytest.param(
            WIDE.model_copy(update={"intermediate_size": 24576}),
            3,
            "KeyValueHeadsNotDivisible",
            "8 key-value heads do not divide by 3",
            "AssertionError",
            id="key-value heads",
        ),
        pytest.param(
            WIDE,
            24,
            "IntermediateNotDivisible",
            "28672 does not divide by 24",
            "AssertionError",
            id="feed-forward width",
        ),
        pytest.param(
            SMALL_3.model_copy(update={"vision_encoder": NARROW}),
            16,
            "IntermediateNotDivisible",
            "feed-forward width 4104 of the vision encoder does not divide by 16",
            "AssertionError",
            id="feed-forward width of a vision encoder",
        ),
        pytest.param(
            VOXTRAL_SMALL.model_copy(update={"audio_intermediate_size": 5122}),
            4,
            "IntermediateNotDivisible",
            "feed-forward width 5122 of the audio encoder does not divide by 4",
            "AssertionError: 5122 is not divisible by 4",
            id="feed-forward width of an audio encoder",
        ),
        pytest.param(
            MISTRAL_7B.model_copy(update={"experts": EXPERTS}),
            2,
            "IntermediateNotDivisible",
            "1001 of an expert",
            "AssertionError",
            id="width of an expert",
        ),
        pytest.param(
            MISTRAL_7B.model_copy(update={"experts": EXPERTS.model_copy(update={"shared": 1})}),
            2,
            "IntermediateNotDivisible",
            "1001 of an expert",
            "AssertionError",
            id="width of a shared expert",
        ),
        pytest.param(
            MISTRAL_7B.model_copy(update={"intermediate_size": 1001, "experts": EXPERTS}),
            2,
            "IntermediateNotDivisible",
            "1001 of an expert",
            "AssertionError",
            id="no dense layers: both are one width",
        ),
        pytest.param(
            SMALL_3,
            32,
            "HeadsNotDivisible",
            "16 attention heads of the vision encoder",
            "AssertionError: 16 is not divisible by 32",
            id="heads of the vision encoder",
        ),
        pytest.param(
            VOXTRAL_SMALL,
            8,
            "HeadsNotDivisible",
            "20 attention heads of the audio encoder do not divide by 8",
            "AssertionError",
            id="heads of the audio encoder",
        ),
    ],
)
def test_each_rule_alone_refuses_with_its_numbers_and_the_words_of_vllm(
    model: Architecture, size: int, reason: str, numbers: str, engine: str
) -> None:
    refusal = check_size(model, size)
    assert refusal is not None
    assert (refusal.reason.name, refusal.engine) == (reason, engine)
    assert numbers in refusal.message
    assert refusal.reason.listed


@pytest.mark.parametrize(
    ("form", "engine"),
    [
        ("mistral", "AssertionError: 131072 is not divisible by 3"),
        ("huggingface", "AssertionError: 16 is not divisible by 3"),
    ],
)
def test_of_several_the_first_is_told_that_vllm_comes_upon(form: str, engine: str) -> None:
    model = SMALL_3.model_copy(update={"attention_heads": 96, "format": form})
    refusal = check_size(model, 3)
    assert refusal is not None
    assert refusal.engine == engine


@pytest.mark.parametrize(
    ("entries", "size", "allowed"),
    [(32000, 32, True), (32001, 32, True), (32000, 3, False), (131, 3, True), (131, 6, True)],
)
def test_it_is_the_padded_vocabulary_that_must_divide(
    entries: int, size: int, allowed: bool
) -> None:
    even = {"attention_heads": 96, "key_value_heads": 96, "intermediate_size": 96 * 96}
    model = MISTRAL_7B.model_copy(update={**even, "vocabulary_size": entries})
    assert (check_size(model, size) is None) == allowed


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_what_is_tried_lacks_no_legal_size(model: Architecture) -> None:
    assert set(legal(model)) <= set(candidate_sizes(model, 64))


def test_candidates_are_powers_of_two_and_divisors_that_split_the_vocabulary() -> None:
    assert candidate_sizes(MISTRAL_7B, 8) == (1, 2, 4, 8)
    assert candidate_sizes(LARGE_2, 8) == (1, 2, 4, 8)  # 32768 does not divide by 3 or 6
    odd = LARGE_2.model_copy(update={"vocabulary_size": 64 * 9})
    assert candidate_sizes(odd, 8) == (1, 2, 3, 4, 6, 8)


@pytest.mark.parametrize(
    ("dtype", "capability", "allowed"),
    [
        ("bfloat16", (7, 0), False),
        ("bfloat16", (7, 5), True),  # in float16, without --dtype
        ("float16", (7, 5), True),
        ("float16", (7, 0), False),
        ("float32", (6, 0), False),
        ("float8", (7, 0), False),
        ("float8", (7, 5), True),
        ("float4", (8, 9), True),
        ("float4", (7, 0), False),
        ("int4", (7, 5), True),
        ("int8", (7, 0), False),
    ],
)
def test_types_need_a_compute_capability(
    dtype: str, capability: tuple[int, int], allowed: bool
) -> None:
    refusal = check_dtype(MISTRAL_7B.model_copy(update={"dtype": dtype}), capability)
    assert (refusal is None) == allowed
    if refusal is not None:
        assert refusal.reason == reasons.DTYPE_NOT_SUPPORTED
        assert f"{capability[0]}.{capability[1]}" in refusal.message


def test_native_arithmetic() -> None:
    assert is_native(MISTRAL_7B, (8, 0))
    assert not is_native(MISTRAL_7B, (7, 5))
    assert not is_native(MISTRAL_7B.model_copy(update={"dtype": "float8"}), (8, 0))
    assert is_native(SMALL_4, (9, 0))
    assert not is_native(SMALL_4, (8, 9))  # FP8 yes, fast MLA kernels no
    assert not is_native(SMALL_4, (12, 0))


def test_a_method_that_the_engine_does_not_serve_is_refused_whatever_the_card() -> None:
    numbers = Quantization(method="bitsandbytes")
    model = MISTRAL_7B.model_copy(update={"dtype": "int4", "quantization": numbers})
    refusal = check_method(model)
    assert refusal is not None
    assert refusal.reason == reasons.QUANTIZATION_NOT_SERVED
    assert "bitsandbytes, which vLLM 0.32 does not serve" in refusal.message
    assert refusal.engine.startswith("ValueError: Unknown quantization method: bitsandbytes.")
    assert check_method(model, profile_for("0.27").profile) is None
    assert check_method(MISTRAL_7B) is None, "not quantised"
    served = model.model_copy(update={"quantization": Quantization(method="awq")})
    assert check_method(served) is None


@pytest.mark.parametrize(
    ("method", "allowed"),
    [("modelopt", False), ("mxfp4", False), ("modelopt_fp4", True), ("fp8", True), ("awq", True)],
)
def test_a_method_may_need_more_than_the_wheels_do(method: str, allowed: bool) -> None:
    numbers = Quantization(method=method)
    model = MISTRAL_7B.model_copy(update={"dtype": "float8", "quantization": numbers})
    refusal = check_dtype(model, (7, 5))
    assert (refusal is None) == allowed
    if refusal is not None:
        assert refusal.message == (
            f"{method} weights need compute capability 8.0, this GPU has 7.5"
        )
        assert refusal.engine == (
            f"ValueError: The quantization method {method} is not supported for the current GPU. "
            "Minimum capability: 80. Current capability: 75."
        )
    assert check_dtype(model, (8, 0)) is None
