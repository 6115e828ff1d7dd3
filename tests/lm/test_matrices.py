"""Weights of reduced precision: how far off, and what may not change."""

from dataclasses import replace

import pytest
import torch

from tests.lm.models import CONDITIONED, TINY, codes, condition, decisive
from workbench.api.settings import SamplingSettings
from workbench.lm.decode import Decoder, InferenceModel
from workbench.lm.generate import Generator
from workbench.lm.matrices import build_matrix

WEIGHT = torch.randn(48, 32, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 5e-3), ("int8", 0.2)]
)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_matrix_multiplies_and_adds(precision, tolerance, count):
    matrix = build_matrix(WEIGHT, precision)
    x = ROWS[:count]
    exact = x @ WEIGHT.t()
    assert torch.allclose(matrix.apply(x), exact, atol=tolerance)
    residual = torch.ones(count, 48)
    assert torch.allclose(matrix.add_to(residual, x), exact + 1, atol=tolerance)
    assert residual.unique().tolist() == [1.0]


def test_eight_bits_are_exact_on_their_grid():
    """Weights and rows that eight bits hold exactly come out exactly."""
    weight = torch.tensor([[127.0, -64, 1], [12.7, 0, -12.7]])
    row = torch.tensor([[255.0, 0, 17]])  # 0 to 255 in steps of 1
    assert torch.allclose(build_matrix(weight, "int8").apply(row), row @ weight.t(), rtol=1e-5)


def test_eight_bits_of_a_row_do_not_depend_on_its_neighbours():
    matrix = build_matrix(WEIGHT, "int8")
    pair = torch.cat((ROWS[:1], 100 * ROWS[1:2]))
    assert torch.equal(matrix.apply(pair)[:1], matrix.apply(ROWS[:1]))


@pytest.mark.parametrize(("precision", "most"), [("fp16", 0.01), ("int8", 0.6)])
@torch.no_grad()
def test_logits_of_reduced_precision_stay_close(precision, most):
    model = decisive(CONDITIONED)
    rows = codes(1, seed=4)[:, :, None].transpose(0, 1)  # three positions of codebook 0's tokens
    logits = []
    for each in ("fp32", precision):
        inference = InferenceModel(model, each)
        decoder = Decoder(inference, 1, 8)
        decoder.attend_to(condition(1, 3).memory[None], torch.ones(1, 3, dtype=torch.bool))
        decoder.prefill(rows)
        logits.append(inference.logits(decoder.step(rows[:, 0]), 0))
    difference = (logits[0] - logits[1]).abs().max()
    assert 0 < float(difference) < most
    assert float(logits[0].std()) > 1


def test_every_precision_generates_each_item_as_if_alone():
    model = decisive(replace(TINY, pattern="delay"))
    for precision in ("fp16", "int8"):
        generator = Generator(model, SamplingSettings(), precision=precision)
        both = generator([codes(4), codes(6, seed=1)], 10)
        assert torch.equal(both[0], generator([codes(4)], 10)[0])


def test_reduced_precision_is_for_the_cpu():
    with pytest.raises(ValueError, match="precision = 'fp16': must be 'fp32' on meta"):
        build_matrix(torch.empty(4, 4, device="meta"), "fp16")
