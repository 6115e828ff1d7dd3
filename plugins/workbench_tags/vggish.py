"""VGGish (Hershey et al. 2017, arXiv 1609.09430) by the checkpoints of its PyTorch port.

What FAD was first measured on (arXiv 1812.08466): 128 numbers for each 0.96 s. Input as AudioSet's
code makes it: magnitudes of 25 ms every 10 ms, 64 mel bands from 125 to 7,500 Hz whose slopes are
straight over mels, log(x + 0.01), examples of 96 frames. No principal components, no quantisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench import WeightsError, load_tensors, read_tensors
from workbench_tags.plugin import VggishOptions

SAMPLE_RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512
MELS = 64
LOWEST, HIGHEST = 125.0, 7500.0
OFFSET = 0.01
EXAMPLE = 96
"""Frames of an example."""
WIDTHS = (64, 128, 256, 256, 512, 512)
"""Channels of the published model's convolutions."""
HIDDEN = (4096, 4096, 128)
"""Sizes of its fully connected layers."""
_POOLED = (0, 1, 3, 5)
"""Convolutions that a pooling follows."""
_CONVOLUTIONS = (0, 3, 6, 8, 11, 13)
_LINEAR = (0, 2, 4)
"""Where they lie in the port's sequences."""


class Vggish(nn.Module):
    """Implements ``workbench.SemanticEncoder``; modules are named as in the port's checkpoints."""

    sample_rate = SAMPLE_RATE
    frame_rate = SAMPLE_RATE / HOP / EXAMPLE
    mel: Tensor
    window: Tensor

    def __init__(self, widths: Sequence[int], hidden: Sequence[int], activation: bool) -> None:
        super().__init__()
        self.activation = activation
        self.dim = hidden[-1]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip((1, *widths), widths, strict=False)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            if number in _POOLED:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = widths[-1] * (EXAMPLE // 16) * (MELS // 16)
        sizes = (flat, *hidden)
        self.embeddings = nn.Sequential(
            nn.Linear(sizes[0], sizes[1]),
            nn.ReLU(),
            nn.Linear(sizes[1], sizes[2]),
            nn.ReLU(),
            nn.Linear(sizes[2], sizes[3]),
        )
        self.register_buffer("mel", mel_matrix(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Embeddings float32 ``[B, D, F]`` of mono audio ``[B, T]``; F whole examples, at least 1.

        What is shorter than an example is filled up with silence.
        """
        examples = self.examples(wav)
        batch, count = examples.shape[:2]
        maps = self.features(examples.flatten(0, 1).unsqueeze(1))
        # TensorFlow's order, which the fully connected layers were trained on: channels last.
        vectors = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        if self.activation:
            vectors = F.relu(vectors)
        out: Tensor = vectors.unflatten(0, (batch, count)).transpose(1, 2)
        return out

    def examples(self, wav: Tensor) -> Tensor:
        """Log-mel examples ``[B, F, 96, 64]``."""
        shortest = (EXAMPLE - 1) * HOP + WINDOW
        wav = F.pad(wav, (0, max(0, shortest - wav.shape[-1])))
        magnitude = torch.fft.rfft(wav.unfold(-1, WINDOW, HOP) * self.window, n=FFT).abs()
        log_mel = (magnitude @ self.mel + OFFSET).log()
        count = log_mel.shape[1] // EXAMPLE
        whole: Tensor = log_mel[:, : count * EXAMPLE].unflatten(1, (count, EXAMPLE))
        return whole


def mel_matrix() -> Tensor:
    """Filters ``[257, 64]`` of AudioSet's code: HTK mels, slopes straight over mels, no DC."""

    def mels(hertz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hertz / 700.0)

    bins = mels(torch.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1, dtype=torch.float64))[:, None]
    ends = mels(torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)).tolist()
    edges = torch.linspace(ends[0], ends[1], MELS + 2, dtype=torch.float64)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0.0)
    filters[0] = 0.0
    return filters.float()


def load_vggish(options: VggishOptions, seed: int) -> Vggish:
    """The model that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        widths = [max(1, width // options.shrink) for width in WIDTHS]
        hidden = [max(1, size // options.shrink) for size in HIDDEN]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Vggish(widths, hidden, options.activation)
    tensors = read_tensors(Path(options.weights).expanduser())
    widths = _sizes(tensors, [f"features.{k}.weight" for k in _CONVOLUTIONS], options.weights)
    hidden = _sizes(tensors, [f"embeddings.{k}.weight" for k in _LINEAR], options.weights)
    model = Vggish(widths, hidden, options.activation)
    kept = {name: value for name, value in tensors.items() if not name.startswith("pproc.")}
    load_tensors(model, kept, options.weights)
    return model


def _sizes(tensors: Mapping[str, Tensor], names: Sequence[str], source: str) -> list[int]:
    missing = [name for name in names if name not in tensors]
    if missing:
        raise WeightsError(
            f"weights {source!r}: no VGGish ({missing[0]} is missing); give the path of the "
            "PyTorch port's checkpoint, vggish-10086976.pth"
        )
    return [tensors[name].shape[0] for name in names]
