"""CLAP's input: log-mel spectra of 10 s windows, as the models were trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class MelSettings:
    """The part of ``preprocessor_config.json`` that decides what the model is given."""

    sample_rate: int = 48_000
    """In Hz."""
    window: int = 480_000
    """Samples that the model sees at a time."""
    n_fft: int = 1024
    hop: int = 480
    mels: int = 64
    lowest: float = 50.0
    """Lower edge of the lowest mel band in Hz. LAION's models have 50; transformers' default is 0,
    and differs by up to 3e-3 in the embeddings."""
    highest: float = 14_000.0
    """Upper edge of the highest mel band in Hz."""
    fusion: bool = False
    """Whether the model fuses a whole recording with crops of it. It decides the mel scale too:
    models with fusion take torchaudio's default (HTK, no norm), others librosa's (Slaney)."""

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> MelSettings:
        """The settings in a ``preprocessor_config.json`` (a ``ClapFeatureExtractor``'s)."""
        rate = int(config.get("sampling_rate", 48_000))
        return cls(
            sample_rate=rate,
            window=round(config.get("max_length_s", 10) * rate),
            n_fft=int(config.get("fft_window_size", 1024)),
            hop=int(config.get("hop_length", 480)),
            mels=int(config.get("feature_size", 64)),
            lowest=float(config.get("frequency_min", 0)),
            highest=float(config.get("frequency_max", 14_000)),
            fusion=config.get("truncation", "fusion") == "fusion",
        )

    def to_config(self) -> dict[str, Any]:
        """The same as a ``preprocessor_config.json``."""
        return {
            "feature_extractor_type": "ClapFeatureExtractor",
            "sampling_rate": self.sample_rate,
            "max_length_s": self.window // self.sample_rate,
            "fft_window_size": self.n_fft,
            "hop_length": self.hop,
            "feature_size": self.mels,
            "frequency_min": self.lowest,
            "frequency_max": self.highest,
            "truncation": "fusion" if self.fusion else "rand_trunc",
            "padding": "repeatpad",
        }


class ClapMel(nn.Module):
    """Log-mel power in dB, ``[B, frames, mels]`` of ``[B, T]``; frames = T // hop + 1."""

    hann: Tensor
    filters: Tensor

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.settings = settings
        scale = "htk" if settings.fusion else "slaney"
        filters = torchaudio.functional.melscale_fbanks(
            settings.n_fft // 2 + 1,
            settings.lowest,
            settings.highest,
            settings.mels,
            settings.sample_rate,
            norm=None if settings.fusion else "slaney",
            mel_scale=scale,
        )
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("hann", torch.hann_window(settings.n_fft), persistent=False)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, frames, mels]`` of ``[B, T]``, T above half an FFT window."""
        spectrum = torch.stft(
            wav,
            self.settings.n_fft,
            self.settings.hop,
            window=self.hann,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()  # quicker than by abs
        power = power.transpose(1, 2) @ self.filters
        return 10.0 * power.clamp_min(1e-10).log10()


def fill_window(wav: Tensor, window: int) -> Tensor:
    """``[B, window]`` of shorter audio ``[B, T]``: whole repetitions, then zeros (`repeatpad`)."""
    repeated = wav.repeat(1, window // wav.shape[-1])
    return F.pad(repeated, (0, window - repeated.shape[-1]))


def fused_views(mel: Tensor, frames: int) -> Tensor:
    """The four views ``[B, 4, frames, mels]`` that a fusing model takes of a long ``[B, F, mels]``.

    The whole, shrunk to the window's length, and a crop from each third. The reference draws the
    crops at random; here each is the middle one of its third, so that an embedding is a function of
    the audio.
    """
    whole = F.interpolate(mel.unsqueeze(1), size=(frames, mel.shape[-1]), mode="bilinear")
    starts = torch.arange(mel.shape[1] - frames + 1).tensor_split(3)
    middles = [int(third[len(third) // 2]) if len(third) else 0 for third in starts]
    crops = [mel[:, start : start + frames].unsqueeze(1) for start in middles]
    return torch.cat([whole, *crops], dim=1)
