"""The contract, and known differences."""

from __future__ import annotations

import pytest
import torch

from workbench import Audio, Context, EvaluationItem, Example, load_catalog
from workbench.testing import contract_tests

test_contract = contract_tests("metric", "brightness")


def tone(pitch: float) -> Audio:
    return Audio(torch.sin(2 * torch.pi * pitch * torch.arange(16000) / 16000)[None], 16000)


@pytest.mark.parametrize("n_fft", [512, 2048])
def test_an_octave_is_twelve_semitones_and_silence_the_worst(n_fft: int) -> None:
    context = Context(load_catalog(), "cpu", seed=0)
    metric = context.build("metric", "brightness", {"n_fft": n_fft})
    silence = Audio(torch.zeros(1, 16000), 16000)
    pairs = {
        "same": (tone(1000), tone(1000)),
        "octave": (tone(2000), tone(1000)),
        "silent": (silence, tone(1000)),
    }
    for name, (generated, reference) in pairs.items():
        metric.update(EvaluationItem(name, Example(name, "test"), generated, reference))
    (figure,) = metric.compute()
    assert figure.per_item == pytest.approx({"same": 0, "octave": 12, "silent": 48}, abs=0.1)
    assert not figure.higher_is_better
