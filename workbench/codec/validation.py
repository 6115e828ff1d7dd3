"""What a codec makes of held-out audio while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from workbench.audio.dataset import AudioDataset, Crops
from workbench.codec.features import FeatureSource
from workbench.codec.losses import MelDistance
from workbench.codec.xcodec import Reconstruction, XCodec

SECONDS = 60.0
"""Most held-out audio in one look."""
BATCH_SECONDS = 12.0
"""Audio that goes through the codec at a time; bounds memory."""


@dataclass(frozen=True)
class HeldOutBatch:
    """Audio ``[B, C, T]`` and the teachers' features of it, which never change."""

    wav: Tensor
    features: list[Tensor]


class HeldOut:
    """Figures on the validation split, on the same crops at every look, with all codebooks.

    ``mel``: the mel distance of the losses, whether it is trained on or not. ``commitment``.
    ``semantic_error``: mean squared error of the (normalised) features, over all teachers, and with
    a teacher's number where there are several. For each codebook ``used_k``, the share of its
    entries that occur, and ``perplexity_k``, their effective number.
    """

    def __init__(
        self, codec: XCodec, data: AudioDataset, samples: int, source: FeatureSource
    ) -> None:
        self.codec = codec
        losses = codec.config.losses
        self.mel = MelDistance(codec.sample_rate, losses.mel_windows, losses.mel_bins)
        self.mel.to(codec.device)
        self._crops = held_out_crops(data, samples)  # read at the first look
        self._source = source
        self._batches: list[HeldOutBatch] = []

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """The figures now; none before the codebooks have been initialised."""
        if not all(bool(codebook.inited) for codebook in self.codec.quantizer.codebooks):
            return {}
        self.codec.eval()
        if not self._batches:
            self._batches = [self._heard(crops) for crops in self._crops]
        totals: dict[str, float] = {}
        size = self.codec.codebook_size
        uses = torch.zeros(self.codec.num_codebooks, size, dtype=torch.float64)
        clips = sum(len(batch.wav) for batch in self._batches)
        for batch in self._batches:
            result = self.codec(batch.wav, self.codec.normalise(batch.features))
            for name, value in self._errors(batch.wav, result).items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.wav) / clips
            for level, codes in enumerate(result.quantized.codes.cpu().unbind(dim=1)):
                uses[level] += torch.bincount(codes.flatten(), minlength=size)
        return totals | codebook_figures(uses)

    def _heard(self, crops: Crops) -> HeldOutBatch:
        return HeldOutBatch(crops.wav.to(self.codec.device), self._source(crops))

    def _errors(self, wav: Tensor, result: Reconstruction) -> dict[str, float]:
        errors = {
            "mel": float(self.mel(result.wav, wav)),
            "commitment": float(result.quantized.commitment),
        }
        pairs = zip(result.features, result.targets, strict=True)
        semantic = [float(mse_loss(features.float(), target)) for features, target in pairs]
        if semantic:
            errors["semantic_error"] = sum(semantic) / len(semantic)
        if len(semantic) > 1:
            errors |= {f"semantic_error_{i}": value for i, value in enumerate(semantic, start=1)}
        return errors


def codebook_figures(uses: Tensor) -> dict[str, float]:
    """Share of entries that occur, and perplexity, of each codebook from its counts ``[K, N]``."""
    figures = {}
    for level, counts in enumerate(uses, start=1):
        shares = counts[counts > 0] / counts.sum()
        figures[f"used_{level}"] = len(shares) / len(counts)
        figures[f"perplexity_{level}"] = float((-(shares * shares.log()).sum()).exp())
    return figures


def held_out_crops(data: AudioDataset, samples: int) -> Iterator[Crops]:
    """Crops of ``samples`` that tile the validation split; evenly spread ones where it is long."""
    clips = data.clips("validation")
    places = [
        (index, start)
        for index, clip in enumerate(clips)
        for start in range(0, max(1, clip.samples - samples + 1), samples)
    ]
    seconds = samples / data.sample_rate
    count = min(len(places), max(1, int(SECONDS / seconds)))
    chosen = [places[number * len(places) // count] for number in range(count)]
    size = max(1, int(BATCH_SECONDS / seconds))
    for first in range(0, count, size):
        part = chosen[first : first + size]
        wav = torch.zeros(len(part), data.channels, samples)
        lengths = []
        for row, (index, start) in enumerate(part):
            piece = data.read(clips[index], start, samples)
            wav[row, :, : piece.shape[-1]] = piece
            lengths.append(int(piece.shape[-1]))
        indices, starts = zip(*part, strict=True)
        yield Crops(wav, indices, starts, tuple(lengths))
