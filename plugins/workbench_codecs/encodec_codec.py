"""EnCodec (arXiv 2210.13438) by its authors' package, behind the codec protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from encodec.model import ROOT_URL, EncodecModel
from torch import Tensor, nn

from workbench import Codes, WeightsError, encode_by_length, load_tensors, read_tensors
from workbench_codecs.plugin import EncodecOptions

FILES = {24000: "encodec_24khz-d7cc33bc.th", 48000: "encodec_48khz-7e698e3e.th"}
LOUDNESS_RANGE = (-100.0, 20.0)
"""Decibels that the loudness codebook spans, RMS relative to full scale."""
DEFAULT_LOUDNESS = -20.0
"""Loudness of audio that is decoded without its loudness codebook."""


class EncodecCodec(nn.Module):
    """EnCodec at 24 kHz mono or 48 kHz stereo.

    The 48 kHz model codes overlapping segments of 1 s, each scaled to unit loudness. So that codes
    alone hold the audio, that loudness is a last codebook of its own, in steps of 0.12 dB; the
    segments' frames lie end to end.
    """

    def __init__(self, model: EncodecModel, bandwidth: float) -> None:
        super().__init__()
        self.model = model
        if bandwidth not in model.target_bandwidths:
            allowed = ", ".join(f"{b:g}" for b in model.target_bandwidths)
            raise ValueError(f"bandwidth must be one of {allowed} kbit/s; got {bandwidth:g}")
        self.model.set_target_bandwidth(bandwidth)
        self.sample_rate = int(model.sample_rate)
        self.channels = int(model.channels)
        self.codebook_size = int(model.quantizer.bins)
        self.levels = int(
            model.quantizer.get_num_quantizers_for_bandwidth(model.frame_rate, bandwidth)
        )
        self.num_codebooks = self.levels + bool(model.normalize)
        hop = math.prod(model.encoder.ratios)
        self.segment_frames = (model.segment_length or 0) // hop
        seconds = (model.segment_stride or hop) / self.sample_rate
        self.frame_rate = (self.segment_frames or 1) / seconds
        self.eval()

    @torch.no_grad()
    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, K, F]`` of audio ``[B, C, T]``; each item's are those it gets alone."""
        values, frames = encode_by_length(self._encode, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def _encode(self, wav: Tensor) -> Tensor:
        parts = []
        for codes, scale in self.model.encode(wav):
            if scale is not None:
                level = self._loudness_code(scale)[:, :, None].expand(-1, -1, codes.shape[-1])
                codes = torch.cat([codes, level], dim=1)
            parts.append(codes)
        return torch.cat(parts, dim=-1)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, C, T']`` of codes with any number of codebooks from 1 to K."""
        values = codes.values
        parts: Sequence[Tensor] = (
            torch.split(values, self.segment_frames, dim=-1) if self.segment_frames else [values]
        )
        wav: Tensor = self.model.decode([self._frame(part) for part in parts])
        return wav

    @torch.no_grad()
    def vectors(self, codes: Codes) -> Tensor:
        """Quantised vectors ``[B, D, F]``; the loudness codebook adds nothing to them."""
        levels = codes.values[:, : self.levels].transpose(0, 1)
        vectors: Tensor = self.model.quantizer.decode(levels)
        return vectors

    def _frame(self, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """Codes and scale of one segment, as the model's own decoder wants them."""
        if not self.model.normalize:
            return values, None
        if values.shape[1] <= self.levels:
            decibels = values.new_full((len(values), 1), 1).float() * DEFAULT_LOUDNESS
        else:
            low, high = LOUDNESS_RANGE
            step = (high - low) / (self.codebook_size - 1)
            # The middle frame's: a generated segment's frames may disagree.
            decibels = values[:, self.levels :, values.shape[-1] // 2] * step + low
        return values[:, : self.levels], 10 ** (decibels / 20)

    def _loudness_code(self, scale: Tensor) -> Tensor:
        """Loudness codes ``[B, 1]`` of a segment's scales."""
        low, high = LOUDNESS_RANGE
        share = (20 * scale.clamp_min(1e-8).log10() - low) / (high - low)
        return (share.clamp(0, 1) * (self.codebook_size - 1)).round().long()


def build_encodec(options: EncodecOptions, seed: int) -> EncodecCodec:
    """EnCodec with pretrained, random or given weights."""
    make = {24000: EncodecModel.encodec_model_24khz, 48000: EncodecModel.encodec_model_48khz}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make[options.sample_rate](pretrained=False)
        for layer in model.quantizer.vq.layers:
            layer._codebook.embed.normal_()  # else zero, and all codes with it
    if options.weights == "pretrained":
        load_tensors(model, _download(FILES[options.sample_rate]), "encodec")
    elif options.weights != "random":
        load_tensors(model, read_tensors(Path(options.weights).expanduser()), options.weights)
    return EncodecCodec(model, options.bandwidth)


def _download(name: str) -> dict[str, Tensor]:
    """The authors' weights, checked against the hash in their name; tensors alone are read."""
    try:
        tensors: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            ROOT_URL + name, map_location="cpu", check_hash=True, weights_only=True
        )
    except OSError as error:
        raise WeightsError(f"encodec weights {name} can't be downloaded ({error})") from error
    return tensors
