import pytest
import torch

from workbench.api.types import Audio, EvaluationItem, Example

RATE = 800


class PowerEncoder(torch.nn.Module):
    """Log power in a few bands, 10 frames a second: enough to tell timbres and pitches apart."""

    sample_rate = RATE
    frame_rate = 10.0
    dim = 6

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))
        self.calls = 0

    def forward(self, wav):
        self.calls += 1
        frames = wav.unfold(-1, RATE // 10, RATE // 10)
        power = torch.fft.rfft(frames).abs()[..., :36].unflatten(-1, (6, 6)).mean(dim=-1)
        return self.gain * (power + 0.1).log().transpose(1, 2)


class Context:
    """A build context that knows one encoder."""

    device = "cpu"
    seed = 0

    def __init__(self):
        self.built = 0

    def build(self, kind, name, options=None):
        assert (kind, name) == ("semantic_encoder", "power")
        self.built += 1
        return PowerEncoder(**(options or {}))


def tone(index, seconds, noise, generator):
    """A steady tone whose pitch is the piece's own."""
    time = torch.arange(round(seconds * RATE)) / RATE
    wave = 0.5 * torch.sin(2 * torch.pi * (20 + 17 * index) * time)
    return Audio((wave + noise * torch.randn(wave.shape, generator=generator))[None], RATE)


@pytest.fixture
def pieces():
    """Items by (generated from piece, noise): prompts and truths are those of the item's piece."""

    def make(n=12, shift=0, noise=0.02):
        generator = torch.Generator().manual_seed(0)
        prompts = [tone(i, 1.0, 0.02, generator) for i in range(n)]
        truths = [tone(i, 1.0, 0.02, generator) for i in range(n)]
        items = []
        for i in range(n):
            source = truths[(i + shift) % n]
            rough = noise * torch.randn(source.samples.shape, generator=generator)
            generated = source if noise == 0 else Audio(source.samples + rough, RATE)
            example = Example(f"i{i}", "test")
            items.append(EvaluationItem(f"i{i}", example, generated, truths[i], prompts[i]))
        return items

    return make


@pytest.fixture
def context():
    return Context()


@pytest.fixture
def encoder_class():
    return PowerEncoder
