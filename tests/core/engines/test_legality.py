"""Legal tensor parallel sizes: the known sets of the Mistral family, and each refusal."""

import pytest
from tests.core.shapes import LARGE_2, LARGE_3, MISTRAL_7B, SMALL_3, SMALL_4

from escadre import reasons
from escadre.api.approval import Architecture, Experts
from escadre.core.engines.legality import candidate_sizes, check_dtype, check_size, is_native


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
            LARGE_3.model_copy(update={"vision_heads": None}),
            [1, 2, 4, 8, 16, 32, 64],
            id="MLA has no rule for key-value heads",
        ),
    ],
)
def test_legal_sizes_of_the_family(model: Architecture, sizes: list[int]) -> None:
    assert legal(model) == sizes


@pytest.mark.parametrize(
    ("model", "size", "reason", "numbers"),
    [
        (MISTRAL_7B, 3, "HeadsNotDivisible", "32 attention heads do not divide by 3"),
        (LARGE_2, 3, "KeyValueHeadsNotDivisible", "8 key-value heads do not divide by 3"),
        (LARGE_2, 24, "IntermediateNotDivisible", "28672 does not divide by 24"),
        (SMALL_3, 32, "HeadsNotDivisible", "16 attention heads of the vision encoder"),
        (
            MISTRAL_7B.model_copy(
                update={"experts": Experts(routed=8, per_token=2, shared=0, intermediate_size=1001)}
            ),
            2,
            "IntermediateNotDivisible",
            "1001 of an expert",
        ),
    ],
)
def test_refusals_name_the_numbers(
    model: Architecture, size: int, reason: str, numbers: str
) -> None:
    refusal = check_size(model, size)
    assert refusal is not None
    assert refusal.reason.name == reason
    assert numbers in refusal.message
    assert refusal.reason.listed


def test_candidates_are_powers_of_two_and_divisors_that_split_the_vocabulary() -> None:
    assert candidate_sizes(MISTRAL_7B, 8) == (1, 2, 4, 8)
    assert candidate_sizes(LARGE_2, 8) == (1, 2, 4, 8)  # 32768 does not divide by 3 or 6
    odd = LARGE_2.model_copy(update={"vocabulary_size": 64 * 9})
    assert candidate_sizes(odd, 8) == (1, 2, 3, 4, 6, 8)


@pytest.mark.parametrize(
    ("dtype", "capability", "allowed"),
    [
        ("bfloat16", (7, 5), False),
        ("bfloat16", (8, 0), True),
        ("float16", (7, 5), True),
        ("float8", (7, 0), False),
        ("float8", (7, 5), True),
        ("float4", (8, 9), True),
        ("float4", (7, 0), False),
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
    assert not is_native(MISTRAL_7B.model_copy(update={"dtype": "float8"}), (8, 0))
    assert is_native(SMALL_4, (9, 0))
    assert not is_native(SMALL_4, (8, 9))  # FP8 yes, fast MLA kernels no
    assert not is_native(SMALL_4, (12, 0))
