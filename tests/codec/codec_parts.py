"""Small codecs, teachers and data that the codec tests share."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench import Audio, AudioDataset, Example, XCodec, XCodecConfig
from workbench.audio.dataset import prepare
from workbench.codec.config import (
    DecoderConfig,
    DiscriminatorConfig,
    EncoderConfig,
    LossConfig,
    QuantizerConfig,
    SemanticConfig,
    TeacherConfig,
)
from workbench.codec.semantic import describe_teacher


class FakeTeacher(nn.Module):
    """A convolution at any rate, with dropout that would show if it were ever in train mode."""

    def __init__(
        self, dim: int = 6, sample_rate: int = 8000, hop: int = 160, seed: int = 0
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop
        self.dim = dim
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.conv = nn.Conv1d(1, dim, hop, hop)
        self.dropout = nn.Dropout(0.5)

    def forward(self, wav: Tensor) -> Tensor:
        features: Tensor = self.dropout(self.conv(wav[:, None])).tanh()
        return features


QUIET = LossConfig(mel=45, stft=0, pqmf=0, adversarial=0, feature_matching=0, semantic=10)
SMALL_DISCRIMINATOR = DiscriminatorConfig(
    frequency_hops=[64], frequency_width=2, periods=[3], period_width=1, stft_windows=[128],
    stft_width=2,
)  # fmt: skip
FULL = LossConfig(mel=45, mel_windows=[256], mel_bins=[20], stft_windows=[256], stft_hops=[64])


def small_config(
    kind: str = "dac",
    channels: int = 1,
    losses: LossConfig = QUIET,
    quantizer: QuantizerConfig | None = None,
    teachers: list[TeacherConfig] | None = None,
    normalise: bool = False,
) -> XCodecConfig:
    """A codec of a few thousand parameters at 8 kHz and 50 frames a second (hop 160)."""
    dac = kind == "dac"
    return XCodecConfig(
        sample_rate=8000,
        channels=channels,
        strides=[8, 5, 4],
        latent_dim=12,
        encoder=EncoderConfig(
            kind="dac" if dac else "spectral", width=4 if dac else 16, blocks=1, n_fft=320,
            mel_bins=20, frames_per_hop=2,
        ),
        decoder=DecoderConfig(
            kind="dac" if dac else "istft", width=32 if dac else 16, blocks=1, fine_width=16,
            fine_blocks=1, frames_per_hop=2, n_fft=320,
        ),
        quantizer=quantizer or QuantizerConfig(codebooks=3, size=16, dead_threshold=0.05),
        semantic=SemanticConfig(normalise=normalise),
        losses=losses,
        discriminator=SMALL_DISCRIMINATOR,
        teachers=teachers or [],
    )  # fmt: skip


def small_codec(
    kind: str = "dac", teachers: tuple[FakeTeacher, ...] = (), seed: int = 0, **changes: object
) -> XCodec:
    """A small codec whose codebooks are drawn at random, as if trained."""
    torch.manual_seed(seed)
    described = [describe_teacher(f"fake{i}", t, 1.0) for i, t in enumerate(teachers)]
    codec = XCodec(small_config(kind, teachers=described, **changes), teachers)  # type: ignore[arg-type]
    for codebook in codec.quantizer.codebooks:
        codebook.embed.normal_(0, 0.3)
        codebook.inited.fill_(1)
    return codec.eval()


def tones(batch: int, samples: int, channels: int = 1, seed: int = 0) -> Tensor:
    """Noisy sines of random pitch, float32 ``[B, C, T]``."""
    generator = torch.Generator().manual_seed(seed)
    pitch = 100 + 900 * torch.rand(batch, channels, 1, generator=generator)
    time = torch.arange(samples) / 8000
    noise = torch.randn(batch, channels, samples, generator=generator)
    return 0.3 * torch.sin(2 * math.pi * pitch * time) + 0.05 * noise


def tone_data(folder: Path, clips: int = 6, samples: int = 6000) -> AudioDataset:
    """A prepared corpus of tones at 8 kHz."""
    wav = tones(clips, samples)
    recordings = ((Example(f"tone{i}", "train"), Audio(wav[i], 8000)) for i in range(clips))
    return prepare(folder, recordings, 8000, 1, "tones")
