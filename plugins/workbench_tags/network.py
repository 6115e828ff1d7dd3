"""A small tagger: convolutions over a log-mel spectrogram, then blocks over time.

Frames of 80 ms each get a probability for every class; a recording's is their linear softmax, the
mean weighted by the probabilities themselves (Wang, Li and Metze 2019, arXiv 1810.09050), which
hears a short event as well as a long one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from workbench import (
    AudioDataset,
    FrameGrid,
    FrameNorm,
    LogMelFrames,
    TrainingSession,
    WeightsError,
    convnext_stack,
    save_tensors,
    smooth_spectrum,
)

if TYPE_CHECKING:
    from workbench_tags.plugin import TaggerSize

SAMPLE_RATE = 16_000
MEL_HOP = 320
"""Samples from one spectrum to the next: 20 ms."""
POOLED = 4
"""Spectra in one frame of tags."""
HOP = MEL_HOP * POOLED
LEVEL = (-5.0, 3.0)
"""Mean and spread of log-mel values that the convolutions are given as 0 and 1."""
SMOOTHED = (9, 7)
"""Most spectra and most bands that smoothing averages."""


class SoundTagger(nn.Module):
    """Implements ``workbench.Tagger`` and ``workbench.TrainableEncoder``.

    ``classes`` are the events that it knows, none before training. Its features are those that the
    tags are read from.
    """

    sample_rate = SAMPLE_RATE
    frame_rate = SAMPLE_RATE / HOP
    tag_rate = SAMPLE_RATE / HOP

    def __init__(
        self,
        size: TaggerSize,
        classes: tuple[str, ...] = (),
        variety: float = 1.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.size = size
        self.dim = size.width
        self.variety, self.smoothing = variety, smoothing
        grid = FrameGrid(SAMPLE_RATE, MEL_HOP, MEL_HOP)
        self.mel = LogMelFrames(grid, n_fft=1024, n_mels=size.mels)
        self.spectral = _spectral(size.channels)
        self.join = nn.Conv1d(4 * size.channels * (size.mels // 16), size.width, 1)
        self.norm = FrameNorm(size.width)
        self.blocks = convnext_stack(size.width, size.blocks)
        self.out = FrameNorm(size.width)
        self.dropout = nn.Dropout(size.dropout)
        self.set_classes(classes)
        self.eval()

    def set_classes(self, classes: tuple[str, ...]) -> None:
        """Take other classes, with new weights for them."""
        self.classes = classes
        self.head = nn.Linear(self.size.width, max(1, len(classes)))
        # Few classes are audible at a time.
        nn.init.constant_(self.head.bias, -3.0)
        self.head.to(self.join.weight.device)

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, S]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        return self.read(self.spectrum(wav))

    def spectrum(self, wav: Tensor) -> Tensor:
        """Log-mel ``[B, POOLED * S, mels]`` of ``[B, T]``, about 0 and 1."""
        mel: Tensor = self.mel(wav, POOLED * frame_count(wav.shape[-1]))
        return (mel - LEVEL[0]) / LEVEL[1]

    def read(self, mel: Tensor) -> Tensor:
        """Features ``[B, D, S]`` of :meth:`spectrum`."""
        maps = self.spectral(mel.unsqueeze(1))  # [B, channels, S, bands]
        joined = self.join(maps.transpose(2, 3).flatten(1, 2))
        out: Tensor = self.dropout(self.out(self.blocks(self.norm(joined))))
        return out

    def logits(self, wav: Tensor, smoothing: float = 0.0) -> Tensor:
        """Log-odds ``[B, S, C]`` that each class is audible in each frame."""
        mel = self.spectrum(wav)
        features = self.read(smooth_spectrum(mel, smoothing, SMOOTHED) if smoothing else mel)
        scores: Tensor = self.head(features.transpose(1, 2))
        return scores

    @torch.inference_mode()
    def tag(self, wav: Tensor) -> Tensor:
        """Probabilities ``[S, C]`` that each class is audible in each frame of ``[T]``."""
        return self._scored(wav).sigmoid()

    @torch.inference_mode()
    def classify(self, wav: Tensor) -> Tensor:
        """One distribution ``[C]`` over the classes for ``[T]``: softmax of the clip's log-odds."""
        return clip_logits(self._scored(wav)[None])[0].softmax(dim=0)

    def _scored(self, wav: Tensor) -> Tensor:
        if not self.classes:
            raise WeightsError(
                "the tagger has random weights and knows no classes: train it "
                "(recipes/from_scratch/tagger_tiny.yaml), or name trained weights"
            )
        return self.logits(wav.to(self.head.weight.device)[None])[0].float()

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on recordings and their events; see ``training.py``."""
        from workbench_tags.training import train

        train(self, data, session)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` can name; ``half`` stores float16."""
        save_tensors(self, folder / "model.safetensors", half)
        config = {"tagger": "frames", "size": asdict(self.size), "classes": list(self.classes)}
        text = json.dumps(config, indent=1, ensure_ascii=False)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def clip_logits(logits: Tensor) -> Tensor:
    """A recording's log-odds ``[B, C]`` of its frames' ``[B, S, C]``, by linear softmax."""
    shares = logits.float().sigmoid()
    pooled = shares.square().sum(dim=1) / shares.sum(dim=1).clamp_min(1e-7)
    return torch.logit(pooled, eps=1e-6)


def frame_count(samples: int) -> int:
    """Frames of so many samples, at least 1."""
    return max(1, samples // HOP)


def _spectral(channels: int) -> nn.Sequential:
    """``[B, 1, 4 S, M]`` to ``[B, 4 channels, S, M / 16]``."""
    widths = [1, channels, 2 * channels, 4 * channels, 4 * channels]
    pools = [(2, 2), (2, 2), (1, 2), (1, 2)]
    layers: list[nn.Module] = []
    for before, after, pool in zip(widths, widths[1:], pools, strict=False):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(pool),
        ]
    return nn.Sequential(*layers)
