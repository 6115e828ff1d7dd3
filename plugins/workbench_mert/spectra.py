"""Musical spectra on the encoder's own frames: constant-Q, and chroma made from it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from workbench import FrameGrid

LOWEST_NOTE = 32.703
"""Frequency of C1 in Hz, the first bin of the constant-Q spectrum."""
BINS_PER_OCTAVE = 12
OCTAVES = 7
_FLOOR = 1e-4
"""Added to magnitudes before the logarithm; full scale is near 1, so about -80 dB."""
_KERNEL_THRESHOLD = 1e-3
"""Kernel values below this share of the kernel's peak are left out."""


class ConstantQ(nn.Module):
    """Log magnitudes of a constant-Q transform (Brown, 1991), seven octaves from C1.

    Computed as Brown and Puckette (1992) do, by products with kernels in the frequency domain, an
    octave at a time since an octave's kernels fill a narrow band. Bins whose window would be longer
    than ``n_fft`` get that one: below about 50 Hz neighbouring semitones leak into each other.
    """

    window: Tensor

    def __init__(self, grid: FrameGrid, n_fft: int = 8192) -> None:
        super().__init__()
        self.grid = grid
        self.dim = OCTAVES * BINS_PER_OCTAVE
        self.register_buffer("window", torch.ones(n_fft), persistent=False)
        self.bands: list[tuple[int, int]] = []
        for octave in range(OCTAVES):
            kernels = _octave_kernels(octave, grid.sample_rate, n_fft)
            used = (kernels.abs() > _KERNEL_THRESHOLD * kernels.abs().max()).any(dim=0).nonzero()
            first, last = int(used.min()), int(used.max()) + 1
            self.bands.append((first, last))
            band = kernels[:, first:last].conj().to(torch.complex64)
            self.register_buffer(f"kernels_{octave}", band, persistent=False)

    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """``[B, F, 84]`` of ``[B, T]``."""
        spectrum = self.grid.spectrum(wav, frames, self.window)
        parts = [
            self.get_buffer(f"kernels_{octave}") @ spectrum[:, first:last]
            for octave, (first, last) in enumerate(self.bands)
        ]
        return (torch.cat(parts, dim=1).abs() + _FLOOR).log().transpose(1, 2)


class Chroma(nn.Module):
    """Energy of each pitch class, ``[B, F, 12]``: the constant-Q spectrum folded over octaves.

    Each frame sums to 1, so that loudness plays no part; a silent frame is flat.
    """

    def __init__(self, spectrum: ConstantQ) -> None:
        super().__init__()
        self.spectrum = spectrum
        self.dim = BINS_PER_OCTAVE

    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """``[B, F, 12]`` of ``[B, T]``."""
        energy = self.spectrum(wav, frames).exp()
        folded = energy.unflatten(-1, (OCTAVES, BINS_PER_OCTAVE)).sum(dim=-2)
        chroma: Tensor = folded / folded.sum(dim=-1, keepdim=True)
        return chroma


def _octave_kernels(octave: int, sample_rate: int, n_fft: int) -> Tensor:
    """Spectral kernels complex ``[12, n_fft / 2 + 1]`` of one octave.

    A sinusoid of amplitude 1 at a bin's frequency gives that bin a magnitude of 1/2.
    """
    quality = 1.0 / (2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0)
    rows = []
    for step in range(BINS_PER_OCTAVE):
        frequency = LOWEST_NOTE * 2.0 ** (octave + step / BINS_PER_OCTAVE)
        length = min(n_fft, math.ceil(quality * sample_rate / frequency))
        window = torch.hann_window(length, periodic=False, dtype=torch.float64)
        time = torch.arange(length, dtype=torch.float64) - length / 2
        tone = torch.polar(window / window.sum(), 2 * math.pi * frequency / sample_rate * time)
        kernel = torch.zeros(n_fft, dtype=torch.complex128)
        start = (n_fft - length) // 2
        kernel[start : start + length] = tone
        rows.append(torch.fft.fft(kernel)[: n_fft // 2 + 1] / n_fft)
    return torch.stack(rows)
