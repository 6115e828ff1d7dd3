import math

import pytest
import torch

from workbench import Audio, EvaluationItem, Example

RATE = 16_000


def speechlike(seconds=1.5, pitch=140.0, rate=RATE, seed=0):
    """A voice's likeness: harmonics that fall off, in syllables with pauses, and some breath."""
    time = torch.arange(round(seconds * rate)) / rate
    generator = torch.Generator().manual_seed(seed)
    voice = sum(torch.sin(2 * math.pi * pitch * k * time) / k for k in range(1, 20))
    syllables = (torch.sin(2 * math.pi * 3 * time + 0.4) > -0.3).float()
    breath = 0.003 * torch.randn(len(time), generator=generator)
    return 0.15 * voice * syllables * (1 + 0.3 * torch.sin(2 * math.pi * 7 * time)) + breath


@pytest.fixture
def item():
    """An item of two signals ``[T]``."""

    def make(generated, reference, name="item", rate=RATE, codes=None):
        made, truth = (Audio(wav.float()[None], rate) for wav in (generated, reference))
        return EvaluationItem(name, Example(name, "test"), made, truth, generated_codes=codes)

    return make


@pytest.fixture
def voice():
    return speechlike


@pytest.fixture
def scored(item):
    """Figures by name of a metric that hears these pairs of signals."""

    def score(metric, *pairs, rate=RATE):
        for number, (generated, reference) in enumerate(pairs):
            metric.update(item(generated, reference, f"i{number}", rate))
        return {figure.name: figure for figure in metric.compute()}

    return score
