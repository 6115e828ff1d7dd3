"""The metric."""

from __future__ import annotations

import math

import torch

from workbench import Audio, EvaluationItem, Figure, mean_figure, metric_settings

WORST = 48.0
"""Semitones at which differences are cut: four octaves, and what silence scores."""


class Brightness:
    """Mean absolute difference of spectral centroids in semitones."""

    def __init__(self, n_fft: int) -> None:
        self.n_fft = n_fft
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take one item in."""
        generated, reference = self.centroid(item.generated), self.centroid(item.reference)
        if generated == reference:
            gap = 0.0
        elif 0.0 in (generated, reference):
            gap = WORST
        else:
            gap = abs(12 * math.log2(generated / reference))
        self._scores[item.id] = min(gap, WORST)

    def compute(self) -> list[Figure]:
        """``brightness`` in semitones, lower is better."""
        definition = f"|spectral centroid - the truth's|, at most {WORST:g} semitones"
        settings = metric_settings(definition, version=1)
        return [mean_figure("brightness", self._scores, False, "semitones", settings)]

    def centroid(self, audio: Audio) -> float:
        """The power spectrum's centre of mass in Hz over all of the audio; 0 for silence."""
        mono = audio.samples.mean(dim=0)
        window = torch.hann_window(self.n_fft)
        spectrum = torch.stft(
            mono, self.n_fft, self.n_fft // 4, window=window, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        power = spectrum.abs().square().sum(dim=-1).double()
        pitch = torch.linspace(0, audio.sample_rate / 2, len(power), dtype=torch.float64)
        total = float(power.sum())
        return float((power * pitch).sum()) / total if total > 0 else 0.0
