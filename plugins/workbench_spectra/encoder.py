"""Log-mel spectra with the rates, the frames and the width of a semantic encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench import FrameGrid, LogMelFrames

if TYPE_CHECKING:
    from workbench_spectra.plugin import LogMelOptions

CENTRE = -5.0
SPREAD = 1.5
"""Mean and deviation of log magnitudes, in nats: -5.4 and 1.5 measured on synthetic speech, -4.8
and 1.8 on synthetic music."""


class LogMelEncoder(nn.Module):
    """Features ``[B, D, F]`` of mono audio: mel bands of a frame and its neighbours.

    Stands where HuBERT would, as its control: the same places in time, as many numbers a frame,
    and nothing learnt. The spectrum of frame i is centred where HuBERT's frame i is; where it sees
    beyond the audio there are zeros. Values are shifted and scaled alike, so that they lie about 0
    with deviation about 1; a codec whose ``semantic.normalise`` is on then takes out mean and
    deviation of each dimension, as it does with any teacher.
    """

    settings: Tensor

    def __init__(self, options: LogMelOptions) -> None:
        super().__init__()
        self.sample_rate = options.sample_rate
        self.frame_rate = options.sample_rate / options.hop
        self.dim = options.bands * (2 * options.neighbours + 1)
        self.hop = options.hop
        self.neighbours = options.neighbours
        # A quarter beyond the hop, as HuBERT's 400 samples are: padded by half a hop on each side,
        # audio of n hops gives n frames.
        self.receptive_field = options.hop + options.hop // 4
        grid = FrameGrid(options.sample_rate, options.hop, self.receptive_field)
        self.mel = LogMelFrames(grid, options.window, options.bands)
        # No weights tell two of them apart, so their settings do: codecs keep a teacher's hash.
        numbers = [options.sample_rate, options.hop, options.window, options.bands]
        self.register_buffer("settings", torch.tensor([*numbers, options.neighbours]))
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of audio float32 ``[B, T]``, T at least 1."""
        frames = 1 + max(0, wav.shape[-1] - self.receptive_field) // self.hop
        bands = (self.mel(wav, frames).transpose(1, 2) - CENTRE) / SPREAD
        padded = F.pad(bands, (self.neighbours, self.neighbours), mode="replicate")
        shifts = range(2 * self.neighbours + 1)
        return torch.cat([padded[..., shift : shift + frames] for shift in shifts], dim=1)
