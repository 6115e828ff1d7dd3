"""PANNs' CNN14 (Kong et al. 2019, arXiv 1912.10211) by its original ``.pth`` checkpoints.

Log-mel spectrograms, six blocks of two convolutions, then the sum of maximum and mean over time.
What the field calls FD on PANNs takes the 2,048 activations before the classes. Modules are named
as in the checkpoints; sizes, rate and number of classes are read off the tensors. The spectrogram
is computed by FFT and not, as there, by convolutions with the same sines.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from workbench import WeightsError, load_tensors, read_tensors
from workbench_tags.plugin import PannsOptions
from workbench_tags.windows import pieces, windows

RATES = {1024: (32_000, 14_000.0), 512: (16_000, 8_000.0), 256: (8_000, 4_000.0)}
"""Rate in Hz and upper end of the mel bands, by the length of the published models' windows."""
MELS = 64
SMALLEST_POWER = 1e-10
SHORTEST_FRAMES = 32
"""Spectra that five halvings leave one of."""
WINDOW_SECONDS = 2.0
HOP_SECONDS = 0.5
"""Tags are given every half a second, of two seconds around it."""
CLIP_SECONDS = 10.0
"""Length of AudioSet's clips: longer audio is heard in equal pieces no longer than that."""


@dataclass(frozen=True)
class PannsShape:
    """What differs between the published models: window, channels and classes."""

    window: int
    channels: int
    classes: int


class Cnn14(nn.Module):
    """Implements ``workbench.Tagger``; its features are one embedding for each 10 s or less."""

    hann: Tensor

    def __init__(self, shape: PannsShape, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.window = shape.window
        self.sample_rate, highest = RATES[shape.window]
        self.frame_rate = 1 / CLIP_SECONDS
        self.tag_rate = 1 / HOP_SECONDS
        self.hop = self.sample_rate // 100
        width = shape.channels
        self.dim = 32 * width
        self.logmel_extractor = _MelMatrix(self.sample_rate, shape.window, highest)
        self.bn0 = nn.BatchNorm2d(MELS)
        for number in range(6):
            before = 1 if number == 0 else width * 2 ** (number - 1)
            self.add_module(f"conv_block{number + 1}", _Block(before, width * 2**number))
        self.fc1 = nn.Linear(self.dim, self.dim)
        self.fc_audioset = nn.Linear(self.dim, shape.classes)
        self.register_buffer("hann", torch.hann_window(shape.window), persistent=False)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Embeddings float32 ``[B, D, F]`` of mono audio ``[B, T]``, F = ceil(T / 10 s)."""
        parts = pieces(wav, self.sample_rate, CLIP_SECONDS)
        return torch.stack([self.embed(part) for part in parts], dim=2)

    def embed(self, wav: Tensor) -> Tensor:
        """One embedding ``[N, D]`` for each of ``[N, T]``, however long."""
        x = self.spectrum(wav).unsqueeze(1).transpose(1, 3)
        x = self.bn0(x).transpose(1, 3)
        for number in range(6):
            x = self.get_submodule(f"conv_block{number + 1}")(x)
            if number < 5:
                x = F.avg_pool2d(x, 2)
        x = x.mean(dim=3)
        embedding: Tensor = F.relu(self.fc1(x.amax(dim=2) + x.mean(dim=2)))
        return embedding

    def spectrum(self, wav: Tensor) -> Tensor:
        """Log-mel power in dB, ``[N, F, 64]``, F = T // hop + 1."""
        wav = F.pad(wav, (0, max(0, SHORTEST_FRAMES * self.hop - wav.shape[-1])))
        bins = torch.stft(
            wav, self.window, self.hop, window=self.hann, pad_mode="reflect", return_complex=True
        )
        power = bins.abs().square().transpose(1, 2) @ self.logmel_extractor.melW
        return 10.0 * power.clamp_min(SMALLEST_POWER).log10()

    @torch.inference_mode()
    def tag(self, wav: Tensor) -> Tensor:
        """Probabilities ``[S, C]`` that each class is audible in the 2 s around each segment."""
        heard = windows(wav.to(self.hann.device), self.sample_rate, WINDOW_SECONDS, HOP_SECONDS)
        scores: Tensor = self.fc_audioset(self.embed(heard))
        return scores.sigmoid()

    @torch.inference_mode()
    def classify(self, wav: Tensor) -> Tensor:
        """One distribution ``[C]`` for ``[T]``: softmax of the pieces' mean log-odds."""
        embeddings = self(wav.to(self.hann.device)[None])[0].T
        scores: Tensor = self.fc_audioset(embeddings)
        return scores.mean(dim=0).softmax(dim=0)


class _MelMatrix(nn.Module):
    """Holds the mel filters under the checkpoint's name; librosa's by default."""

    melW: Tensor  # noqa: N815 - the checkpoint's name

    def __init__(self, sample_rate: int, window: int, highest: float) -> None:
        super().__init__()
        filters = torchaudio.functional.melscale_fbanks(
            window // 2 + 1, 50.0, highest, MELS, sample_rate, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("melW", filters)


class _Block(nn.Module):
    """Two convolutions, each normalised and rectified."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, before, F, M]`` to ``[B, after, F, M]``."""
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def load_panns(options: PannsOptions, seed: int) -> Cnn14:
    """The model that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        shape = PannsShape(1024, options.channels, options.classes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Cnn14(shape, class_names(options.labels, shape.classes))
    tensors = read_tensors(Path(options.weights).expanduser())
    shape = shape_of(tensors, options.weights)
    model = Cnn14(shape, class_names(options.labels, shape.classes))
    kept = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith("spectrogram_extractor.")  # sines and cosines
    }
    counters = [name for name in model.state_dict() if name.endswith("num_batches_tracked")]
    load_tensors(model, kept, options.weights, optional=counters)
    return model


def shape_of(tensors: Mapping[str, Tensor], source: str) -> PannsShape:
    """Sizes of a checkpoint's model; ``source`` names it in errors."""
    try:
        window = 2 * (tensors["logmel_extractor.melW"].shape[0] - 1)
        channels = tensors["conv_block1.conv1.weight"].shape[0]
        classes = tensors["fc_audioset.weight"].shape[0]
    except KeyError as error:
        raise WeightsError(
            f"weights {source!r}: no CNN14 of PANNs ({error} is missing); give the path of a "
            "published checkpoint such as Cnn14_mAP=0.431.pth"
        ) from error
    if window not in RATES:
        raise WeightsError(
            f"weights {source!r}: spectra of {window} samples; the published models have "
            f"{', '.join(map(str, RATES))}"
        )
    return PannsShape(window, channels, classes)


def class_names(labels: Path | None, count: int) -> list[str]:
    """Display names in AudioSet's ``class_labels_indices.csv``, or numbers without it."""
    if labels is None:
        return [f"class {number}" for number in range(count)]
    try:
        with labels.expanduser().open(encoding="utf-8", newline="") as table:
            names = [row["display_name"] for row in csv.DictReader(table)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise WeightsError(f"labels {str(labels)!r}: no table of classes ({error})") from error
    if len(names) != count:
        raise WeightsError(f"labels {str(labels)!r}: {len(names)} classes, the model has {count}")
    return names
