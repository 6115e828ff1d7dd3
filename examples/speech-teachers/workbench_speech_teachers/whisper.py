"""Whisper's encoder (arXiv 2212.04356)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder as Model

from workbench import mel_filterbank
from workbench_speech_teachers.loading import load_model, random_model
from workbench_speech_teachers.plugin import WhisperOptions

MEL_HOP, N_FFT = 160, 400
"""Of the spectrum, in samples at 16 kHz; two of its frames make one of the encoder's."""
HOP = 2 * MEL_HOP


class WhisperTeacher(nn.Module):
    """Features of windows of 30 s, laid end to end."""

    sample_rate = 16000
    frame_rate = 50.0
    spectrum_window: Tensor
    filters: Tensor

    def __init__(self, model: nn.Module, config: WhisperConfig) -> None:
        super().__init__()
        self.model = model
        self.dim = int(config.d_model)
        self.samples = HOP * int(config.max_source_positions)
        self.register_buffer("spectrum_window", torch.hann_window(N_FFT), persistent=False)
        filters = mel_filterbank(self.sample_rate, N_FFT, int(config.num_mel_bins))
        self.register_buffer("filters", filters.clone(), persistent=False)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features ``[B, D, F]`` of audio ``[B, T]``; F = ceil(T / 320)."""
        frames = -(-wav.shape[-1] // HOP)
        padded = F.pad(wav, (0, -wav.shape[-1] % self.samples))
        windows = [
            self.model(self.spectrum(part)).last_hidden_state
            for part in padded.split(self.samples, dim=-1)
        ]
        return torch.cat(windows, dim=1)[:, :frames].transpose(1, 2).float()

    def spectrum(self, wav: Tensor) -> Tensor:
        """Whisper's log-mel spectrum ``[B, bands, 3000]`` of 30 s ``[B, T]``: the top 80 dB."""
        power = torch.stft(
            wav, N_FFT, MEL_HOP, window=self.spectrum_window, return_complex=True
        )[..., :-1].abs().square()  # fmt: skip
        mel = torch.einsum("bft,fm->bmt", power, self.filters).clamp_min(1e-10).log10()
        loudest = mel.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(mel, loudest - 8) + 4) / 4


def build_encoder(options: WhisperOptions, seed: int) -> WhisperTeacher:
    """The encoder, without the decoder that lies beside it in a checkpoint."""
    if options.weights == "random":
        size = options.size
        config = WhisperConfig(
            d_model=size.hidden,
            encoder_layers=size.layers,
            encoder_attention_heads=size.heads,
            encoder_ffn_dim=size.feed_forward,
        )
        model = random_model(Model, config, seed)
    else:
        model = load_model(Model, WhisperConfig, options.weights, ("model.", "encoder."))
    return WhisperTeacher(model, model.config)
