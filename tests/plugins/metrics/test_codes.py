import pytest
import torch
from workbench_metrics.codes import CodeStatistics

from workbench.api.types import Audio, EvaluationItem, Example


def item(generated, reference, name="a"):
    audio = Audio(torch.zeros(1, 8), 8)
    return EvaluationItem(
        name,
        Example(name, "test"),
        audio,
        audio,
        generated_codes=None if generated is None else torch.tensor(generated),
        reference_codes=None if reference is None else torch.tensor(reference),
    )


def compute(*items):
    metric = CodeStatistics()
    for each in items:
        metric.update(each)
    return {figure.name: figure for figure in metric.compute()}


def test_perplexity_is_the_number_of_equally_used_entries():
    # First codebook: 4 entries, equally often; second: always the same one. Mean (4 + 1) / 2.
    figures = compute(item([[0, 1, 2, 3], [7, 7, 7, 7]], [[0, 1, 2, 3], [7, 7, 7, 7]]))
    assert figures["code-perplexity"].value == pytest.approx(2.5)
    assert figures["code-divergence"].value == pytest.approx(0)


def test_disjoint_codes_diverge_by_one_bit():
    figures = compute(item([[0, 1]], [[5, 9]]), item([[2, 0]], [[8, 8]], "b"))
    assert figures["code-divergence"].value == pytest.approx(1.0)
    assert figures["code-divergence"].n == 2
    assert not figures["code-divergence"].higher_is_better


def test_a_loop_lowers_perplexity():
    varied = [[0, 1, 2, 3, 4, 5, 6, 7]]
    loop = [[0, 1, 0, 1, 0, 1, 0, 1]]
    one, two = compute(item(varied, varied)), compute(item(loop, varied))
    assert two["code-perplexity"].value < one["code-perplexity"].value
    assert two["code-divergence"].value > 0.3


def test_all_items_count_together():
    figures = compute(item([[0, 0]], [[0, 0]]), item([[1, 1]], [[1, 1]], "b"))
    assert figures["code-perplexity"].value == pytest.approx(2.0)


def test_fewer_generated_codebooks_are_compared_with_as_many_of_the_truth():
    figures = compute(item([[0, 1]], [[0, 1], [3, 3]]))
    assert figures["code-perplexity"].value == pytest.approx(2.0)


def test_systems_without_codes_have_no_such_figures():
    assert compute(item(None, [[0, 1]]), item([[0, 1]], None)) == {}
