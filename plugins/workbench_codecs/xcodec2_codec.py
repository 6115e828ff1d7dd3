"""X-Codec 2 (arXiv 2502.04128) by transformers, behind the codec protocol."""

from __future__ import annotations

import math
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from workbench import Codes, WeightsError, encode_by_length, weights_folder
from workbench_codecs.plugin import Xcodec2Options

RATE = 16_000


class Xcodec2Codec(nn.Module):
    """Transformers' Xcodec2Model: one codebook of 65,536 entries, made by rounding.

    Its teacher hears a mel spectrogram that is normalised over the audio, and its decoder
    normalises over time, too; so codes and audio depend on all of what they are given.
    """

    channels = 1
    num_codebooks = 1
    sample_rate = RATE

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.hop = int(model.config.hop_length)
        self.frame_rate = RATE / self.hop
        self.codebook_size = math.prod(model.config.quantization_levels)
        self.extract = transformers.Xcodec2FeatureExtractor(sampling_rate=RATE, hop_length=self.hop)
        self.eval()

    @torch.no_grad()
    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, 1, F]`` of audio ``[B, 1, T]``, F = ceil(T / hop); each item's its own.

        The reference adds a frame of silence where T is a multiple of the hop; it is left out.
        """
        values, frames = encode_by_length(self._encode, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def _encode(self, wav: Tensor) -> Tensor:
        frames = -(-wav.shape[-1] // self.hop)
        codes = []
        for item in wav[:, 0].cpu():
            inputs = self.extract(audio=item, sampling_rate=RATE, return_tensors="pt")
            given = {
                name: inputs[name].to(wav.device) for name in ("input_values", "input_features")
            }
            codes.append(self.model.encode(**given).audio_codes[..., :frames].long())
        return torch.cat(codes)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, 1, F * hop]``."""
        values, samples = codes.values, codes.frames * self.hop
        if codes.frames == 1:  # its decoder takes no variance over a single frame
            values = values.expand(-1, -1, 2)
        wav: Tensor = self.model.decode(values).audio_values
        return wav[..., :samples]

    @torch.no_grad()
    def vectors(self, codes: Codes) -> Tensor:
        """Quantised vectors ``[B, D, F]`` of codes ``[B, 1, F]``."""
        vectors: Tensor = self.model.quantizer.from_codes(codes.values.transpose(1, 2))
        return vectors.transpose(1, 2)


def build_xcodec2(options: Xcodec2Options, seed: int) -> Xcodec2Codec:
    """X-Codec 2 from an id or folder, or random at the published size."""
    if options.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            codec = Xcodec2Codec(transformers.Xcodec2Model(transformers.Xcodec2Config()))
            spread_codes(codec)
        return codec
    folder = weights_folder(options.weights)
    try:
        return Xcodec2Codec(transformers.Xcodec2Model.from_pretrained(folder))
    except (OSError, TypeError, ValueError) as error:
        raise WeightsError(
            f"weights {options.weights!r}: can't be loaded as Xcodec2Model ({error})"
        ) from error


@torch.no_grad()
def spread_codes(codec: Xcodec2Codec) -> None:
    """Let random weights use many codes: they hardly tell one input from another otherwise."""
    projection = codec.model.quantizer.project_in
    seen: list[Tensor] = []
    hook = projection.register_forward_hook(lambda *call: seen.append(call[-1]))
    codec.encode(0.1 * torch.randn(1, 1, RATE))
    hook.remove()
    mean, deviation = seen[0].mean(dim=(0, 1)), seen[0].std(dim=(0, 1))
    projection.weight.div_(deviation[:, None])
    projection.bias.sub_(mean).div_(deviation)
