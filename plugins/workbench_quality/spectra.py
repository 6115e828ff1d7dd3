"""Distances of spectra: STFT magnitudes at several resolutions, log spectra, mel cepstra."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dct

from workbench import EvaluationItem, Figure, log_mel, mean_figure, metric_settings
from workbench_quality.pairs import Signal, mono_pair_as_it_is

Array = NDArray[np.float64]

FLOOR = 1e-7
"""Magnitudes are held above it: -140 dB, below the noise of 16 bits in one bin of 2048."""


class StftDistance:
    """Multi-resolution STFT distances (Yamamoto et al. 2020, arXiv 1910.11480), as figures.

    ``stft-distance`` is the mean absolute difference of log10 magnitudes (0.1 is 2 dB), and
    ``spectral-convergence`` the Frobenius norm of the magnitudes' difference, as a share of the
    truth's; both averaged over ``fft_sizes``, Hann windows in samples with hops of a quarter.
    """

    def __init__(self, fft_sizes: Sequence[int]) -> None:
        self.fft_sizes = fft_sizes
        self._distances: dict[str, float] = {}
        self._convergences: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = mono_pair_as_it_is(item)
        distances, convergences = [], []
        for size in self.fft_sizes:
            one = magnitudes(generated, size, size // 4)
            two = magnitudes(reference, size, size // 4)
            distances.append(float(np.abs(_log10(one) - _log10(two)).mean()))
            convergences.append(
                float(np.linalg.norm(one - two) / (np.linalg.norm(two) or math.inf))
            )
        self._distances[item.id] = sum(distances) / len(distances)
        if reference.any():  # a share of silence is none
            self._convergences[item.id] = sum(convergences) / len(convergences)

    def compute(self) -> list[Figure]:
        """``stft-distance`` and ``spectral-convergence``, lower is better."""
        distance = metric_settings("mean |log10 |STFT| - that of the truth|; 0.1 is 2 dB", 1)
        convergence = metric_settings(
            "|| |STFT| - that of the truth || / || that of the truth ||; silent truths left out", 1
        )
        return [
            mean_figure("stft-distance", self._distances, False, settings=distance),
            mean_figure("spectral-convergence", self._convergences, False, settings=convergence),
        ]


class LogSpectralDistance:
    """LSD in dB (Gray and Markel 1976): root mean square over frequency, mean over frames."""

    def __init__(self, n_fft: int, hop: int) -> None:
        self.n_fft = n_fft
        self.hop = hop
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        one, two = (magnitudes(wav, self.n_fft, self.hop) for wav in mono_pair_as_it_is(item))
        gap = 20 * (_log10(one) - _log10(two))
        self._scores[item.id] = float(np.sqrt(np.square(gap).mean(axis=0)).mean())

    def compute(self) -> list[Figure]:
        """``log-spectral-distance`` in dB, lower is better."""
        settings = metric_settings(
            "root mean square over frequency of the level's difference from the truth, mean over "
            f"frames; levels from {20 * math.log10(FLOOR):g} dB up",
            1,
        )
        return [mean_figure("log-spectral-distance", self._scores, False, "dB", settings)]


class MelCepstralDistortion:
    """MCD in dB (Kubichek 1993) over frames as they lie, without time warping.

    Cepstra are the orthonormal DCT of natural-log mel magnitudes; the zeroth, the level, is left
    out. Figures of other programs differ by their filters: compare within one definition.
    """

    def __init__(self, coefficients: int, mels: int, n_fft: int, hop: int) -> None:
        self.coefficients = coefficients
        self.mels = mels
        self.n_fft = n_fft
        self.hop = hop
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        rate = item.reference.sample_rate
        one, two = (self._cepstra(wav, rate) for wav in mono_pair_as_it_is(item))
        gap = np.sqrt(2 * np.square(one - two).sum(axis=0))
        self._scores[item.id] = float(10 / math.log(10) * gap.mean())

    def compute(self) -> list[Figure]:
        """``mel-cepstral-distortion`` in dB, lower is better."""
        definition = (
            "10 / ln 10 * sqrt(2 sum of squares) of mel cepstra, mean over frames, unwarped"
        )
        settings = metric_settings(definition, 1, loudness="left out, with the zeroth coefficient")
        return [mean_figure("mel-cepstral-distortion", self._scores, False, "dB", settings)]

    def _cepstra(self, wav: Signal, rate: int) -> Array:
        """Cepstra ``[coefficients, F]``, the zeroth left out."""
        mel = log_mel(torch.from_numpy(wav).float(), rate, self.n_fft, self.hop, self.mels)
        cepstra: Array = dct(mel.double().numpy(), axis=0, norm="ortho")
        return cepstra[1 : self.coefficients + 1]


def magnitudes(wav: Signal, n_fft: int, hop: int) -> Array:
    """STFT magnitudes ``[n_fft // 2 + 1, F]`` in centred Hann frames; F = T // hop + 1.

    Divided by the window's sum, so that a full-scale sine has half of 1.
    """
    window = torch.hann_window(n_fft, dtype=torch.float64)
    spectrum = torch.stft(
        torch.from_numpy(wav), n_fft, hop, window=window, pad_mode="constant", return_complex=True
    )
    result: Array = (spectrum.abs() / window.sum()).numpy()
    return result


def _log10(values: Array) -> Array:
    return np.log10(np.maximum(values, FLOOR))
