"""Reconstruction and adversarial losses of codec training.

All take waveforms ``[B, C, T]`` and compute in float32, whatever the precision around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from workbench.audio.signal import mel_filterbank

FLOOR = 1e-5
QUIET = 1e-3
"""Amplitude (-60 dB) below which a clip counts as this loud, so that silence has a finite share."""


def magnitudes(wav: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    """STFT magnitudes ``[B * C, n_fft // 2 + 1, L]`` of ``[B, C, T]``; smooth at 0."""
    flat = wav.flatten(0, 1).float()
    side = n_fft // 2
    padded = F.pad(flat, (side, side))
    spectrum = torch.stft(padded, n_fft, hop, window=window, center=False, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt()


class _Windows(nn.Module):
    """Hann windows as buffers, one a resolution, that move with the module."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        for index, size in enumerate(self.sizes):
            self.register_buffer(f"window{index}", torch.hann_window(size), persistent=False)

    def window(self, index: int) -> Tensor:
        """The window of one resolution."""
        window: Tensor = getattr(self, f"window{index}")
        return window


class MelDistance(_Windows):
    """Mean absolute difference of log10 mel magnitudes, averaged over resolutions."""

    def __init__(self, sample_rate: int, windows: Sequence[int], bins: Sequence[int]) -> None:
        super().__init__(windows)
        for index, (n_fft, count) in enumerate(zip(windows, bins, strict=True)):
            filters = mel_filterbank(sample_rate, n_fft, count).clone()
            self.register_buffer(f"filters{index}", filters, persistent=False)

    def log_mel(self, wav: Tensor, index: int) -> Tensor:
        """Log10 mel magnitudes ``[B * C, bins, L]`` at one resolution."""
        n_fft = self.sizes[index]
        spectrum = magnitudes(wav, n_fft, n_fft // 4, self.window(index))
        mel = torch.einsum("bft,fm->bmt", spectrum, getattr(self, f"filters{index}"))
        return mel.clamp_min(FLOOR).log10()

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar distance of two waveforms ``[B, C, T]``."""
        terms = [
            F.l1_loss(self.log_mel(fake, index), self.log_mel(real, index))
            for index in range(len(self.sizes))
        ]
        return torch.stack(terms).mean()


class STFTDistance(_Windows):
    """Spectral convergence plus log-magnitude L1, averaged over resolutions (arXiv 1910.11480).

    Convergence is taken clip by clip and averaged, so that a batch's distance is the mean of its
    parts', however it is shared out over processes and accumulation rounds.
    """

    def __init__(self, windows: Sequence[int], hops: Sequence[int]) -> None:
        super().__init__(windows)
        self.hops = tuple(hops)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar distance of two waveforms ``[B, C, T]``."""
        terms = []
        for index, (n_fft, hop) in enumerate(zip(self.sizes, self.hops, strict=True)):
            x = magnitudes(fake, n_fft, hop, self.window(index))
            y = magnitudes(real, n_fft, hop, self.window(index))
            convergence = spectral_convergence(x, y, len(fake), self.window(index))
            logarithms = F.l1_loss(x.clamp_min(FLOOR).log(), y.clamp_min(FLOOR).log())
            terms.append(convergence + logarithms)
        return torch.stack(terms).mean()


def spectral_convergence(fake: Tensor, real: Tensor, clips: int, window: Tensor) -> Tensor:
    """Mean over clips of ``|real - fake| / |real|``, Frobenius norms of a clip's magnitudes.

    Magnitudes are ``[clips * C, bins, L]``.
    """
    x, y = fake.reshape(clips, -1), real.reshape(clips, -1)
    quiet = QUIET * (window.square().sum() * y.shape[1]).sqrt()
    size = torch.linalg.vector_norm(y, dim=1).clamp_min(quiet)
    convergence: Tensor = (torch.linalg.vector_norm(y - x, dim=1) / size).mean()
    return convergence


class PQMF(nn.Module):
    """Analysis by a cosine-modulated, nearly perfectly reconstructing filter bank (Nguyen 1994)."""

    filters: Tensor

    def __init__(self, bands: int, taps_per_band: int = 16, beta: float = 9.0) -> None:
        super().__init__()
        self.bands = bands
        taps = bands * taps_per_band
        prototype = design_prototype(bands, taps, beta)
        k = np.arange(bands)[:, None]
        n = np.arange(taps + 1)[None]
        phase = (2 * k + 1) * np.pi / (2 * bands) * (n - taps / 2) + (-1.0) ** k * np.pi / 4
        filters = torch.from_numpy(2 * prototype * np.cos(phase)).float()
        self.register_buffer("filters", filters[:, None], persistent=False)

    def forward(self, wav: Tensor) -> Tensor:
        """Sub-bands ``[B, C * bands, ceil(T / bands)]`` of ``[B, C, T]``."""
        batch, channels, _ = wav.shape
        flat = wav.float().reshape(-1, 1, wav.shape[-1])
        side = self.filters.shape[-1] // 2
        parts = F.conv1d(flat, self.filters, stride=self.bands, padding=side)
        return parts.reshape(batch, channels * self.bands, -1)


def design_prototype(bands: int, taps: int, beta: float) -> np.ndarray:
    """Kaiser-windowed low-pass prototype ``[taps + 1]``.

    Its cut-off is the one for which neighbouring bands add up flattest: the autocorrelation is
    then closest to zero at every multiple of ``2 * bands`` but 0 (Lin and Vaidyanathan 1998).
    """
    window = np.kaiser(taps + 1, beta)
    n = np.arange(taps + 1) - taps / 2

    def prototype(cutoff: float) -> np.ndarray:
        filtered: np.ndarray = cutoff * np.sinc(cutoff * n) * window
        return filtered

    def ripple(cutoff: float) -> float:
        h = prototype(cutoff)
        correlation = np.convolve(h, h[::-1])[taps :: 2 * bands]
        return float(np.abs(correlation[1:]).max())

    found = minimize_scalar(ripple, bounds=(0.5 / bands, 1.0 / bands), method="bounded")
    return prototype(float(found.x))


class SubbandDistance(nn.Module):
    """The STFT distance of the sub-bands of a filter bank, at a ``bands``-th of the windows."""

    def __init__(self, bands: int, windows: Sequence[int], hops: Sequence[int]) -> None:
        super().__init__()
        self.analysis = PQMF(bands)
        even = [max(16, size // bands // 2 * 2) for size in windows]
        self.distance = STFTDistance(even, [max(1, hop // bands) for hop in hops])

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar distance of two waveforms ``[B, C, T]``."""
        distance: Tensor = self.distance(self.analysis(fake), self.analysis(real))
        return distance


Judgement = tuple[list[Tensor], list[list[Tensor]]]
"""What discriminators yield: scores, and the inner features, of each of them."""


def discriminator_loss(real: Judgement, fake: Judgement) -> Tensor:
    """Least-squares GAN: real is to score 1, fake 0; mean over discriminators."""
    terms = [
        (1 - r.float()).square().mean() + f.float().square().mean()
        for r, f in zip(real[0], fake[0], strict=True)
    ]
    return torch.stack(terms).mean()


def mean_score(judged: Judgement) -> Tensor:
    """Mean score over discriminators, without a gradient: 1 is surely true, 0 surely decoded."""
    return torch.stack([score.detach().float().mean() for score in judged[0]]).mean()


def adversarial_loss(fake: Judgement) -> Tensor:
    """Least-squares GAN: the decoder's audio is to score 1; mean over discriminators."""
    return torch.stack([(1 - f.float()).square().mean() for f in fake[0]]).mean()


def feature_matching_loss(real: Judgement, fake: Judgement) -> Tensor:
    """Mean absolute difference of inner features, averaged over layers and discriminators."""
    terms = [
        F.l1_loss(f.float(), r.detach().float())
        for layers_r, layers_f in zip(real[1], fake[1], strict=True)
        for r, f in zip(layers_r, layers_f, strict=True)
    ]
    return torch.stack(terms).mean()
