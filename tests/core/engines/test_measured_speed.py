"""The estimate of speed beside the measured runs of vLLM that `make bench-speed` compares with.

The bounds are what was measured, rounded up: a change that estimates worse must say so here and in
docs/use/how-it-decides.md.
"""

import pytest
from e2e.bench.speed.groups import by_model, by_product, median_error
from e2e.bench.speed.runs import read_table

RUNS = tuple(read_table())


@pytest.mark.parametrize(
    ("product", "at_most"),
    [
        ("NVIDIA-H100-80GB-HBM3", 0.035),
        ("NVIDIA-H200", 0.175),
        ("NVIDIA-B200", 0.07),
        ("NVIDIA-B300", 0.07),
    ],
)
def test_the_median_error_of_a_product_is_what_the_docs_say(product: str, at_most: float) -> None:
    (group,) = [one for one in by_product(RUNS) if one.name == product]
    assert group.median <= at_most


def test_so_it_is_over_all_runs_and_over_those_that_nothing_was_fitted_on() -> None:
    held = [run for run in RUNS if not run.fitted]
    assert (len(RUNS), len(held)) == (657, 291)
    assert median_error(RUNS) <= 0.065
    assert median_error(held) <= 0.07


def test_a_dense_model_on_products_that_nothing_was_fitted_on_is_estimated_within_a_tenth() -> None:
    held = [run for run in RUNS if run.model == "meta-llama/Llama-3.1-70B" and not run.fitted]
    assert {run.system for run in held} == {"h200_sxm", "b200_sxm"}
    assert all(group.median <= 0.06 for group in by_model(held))
