"""SpeechTokenizer (arXiv 2308.16692), built from the parts of EnCodec's package, as it was made.

EnCodec's convolutions at 16 kHz without causality, an LSTM that reads both ways in the encoder, and
eight codebooks, of which the first was taught by HuBERT.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import torch
from encodec.modules import SLSTM, SConv1d, SEANetDecoder, SEANetEncoder
from encodec.quantization import ResidualVectorQuantizer
from torch import Tensor, nn

from workbench import Codes, WeightsError, encode_by_length, load_tensors, read_json, read_tensors
from workbench_codecs.plugin import SpeechTokenizerOptions

PUBLISHED = "speechtokenizer_hubert_avg"
"""Folder of the published model within its Hugging Face repository."""
FILES = ("config.json", "SpeechTokenizer.pt")
SIZE: dict[str, Any] = {
    "sample_rate": 16000,
    "strides": [8, 5, 4, 2],
    "n_filters": 64,
    "dimension": 1024,
    "n_q": 8,
    "codebook_size": 1024,
    "lstm_layers": 2,
    "bidirectional": True,
    "n_residual_layers": 1,
    "residual_kernel_size": 3,
    "dilation_base": 2,
    "activation": "ELU",
}
"""The published model's settings, by the names of its ``config.json``."""


class BidirectionalLSTM(nn.Module):
    """EnCodec's LSTM with a skip around it, read both ways: its output is twice as wide."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, 2 D, F]`` of ``[B, D, F]``."""
        frames = x.permute(2, 0, 1)
        both, _ = self.lstm(frames)
        skipped: Tensor = both + frames.repeat(1, 1, 2)
        return skipped.permute(1, 2, 0)


class SpeechTokenizerCodec(nn.Module):
    """Encoder, quantiser and decoder, under the names of the published weights."""

    channels = 1

    def __init__(self, size: dict[str, Any]) -> None:
        super().__init__()
        if size["activation"] != "ELU":
            raise WeightsError(f"SpeechTokenizer with activation {size['activation']!r}: only ELU")
        shape = {
            "dimension": size["dimension"],
            "n_filters": size["n_filters"],
            "ratios": size["strides"],
            "n_residual_layers": size["n_residual_layers"],
            "residual_kernel_size": size["residual_kernel_size"],
            "dilation_base": size["dilation_base"],
            "lstm": size["lstm_layers"],
        }
        self.encoder = SEANetEncoder(**shape)
        if size["bidirectional"]:
            _read_both_ways(self.encoder, size)
        self.quantizer = ResidualVectorQuantizer(
            dimension=size["dimension"], n_q=size["n_q"], bins=size["codebook_size"]
        )
        self.decoder = SEANetDecoder(**shape)
        self.sample_rate = int(size["sample_rate"])
        self.hop = math.prod(size["strides"])
        self.frame_rate = self.sample_rate / self.hop
        self.num_codebooks = int(size["n_q"])
        self.codebook_size = int(size["codebook_size"])
        self.eval()

    @torch.no_grad()
    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, K, F]`` of audio ``[B, 1, T]``; each item's are those it gets alone."""
        values, frames = encode_by_length(self._encode, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def _encode(self, wav: Tensor) -> Tensor:
        codes: Tensor = self.quantizer.vq.encode(self.encoder(wav), n_q=self.num_codebooks)
        return codes.transpose(0, 1)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, 1, F * hop]`` of codes with any number of codebooks from 1 to K."""
        wav: Tensor = self.decoder(self.quantizer.vq.decode(codes.values.transpose(0, 1)))
        return wav

    @torch.no_grad()
    def vectors(self, codes: Codes) -> Tensor:
        """Quantised vectors ``[B, D, F]`` of codes with any number of codebooks from 1 to K."""
        vectors: Tensor = self.quantizer.vq.decode(codes.values.transpose(0, 1))
        return vectors


def _read_both_ways(encoder: SEANetEncoder, size: dict[str, Any]) -> None:
    """Put the LSTM that reads both ways in the place of EnCodec's."""
    parts = encoder.model
    width = size["n_filters"] * 2 ** len(size["strides"])
    place = next(number for number, part in enumerate(parts) if isinstance(part, SLSTM))
    parts[place] = BidirectionalLSTM(width, size["lstm_layers"])
    parts[-1] = SConv1d(2 * width, size["dimension"], 7, norm="weight_norm")


def build_speechtokenizer(options: SpeechTokenizerOptions, seed: int) -> SpeechTokenizerCodec:
    """SpeechTokenizer with published, given or random weights."""
    if options.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            codec = SpeechTokenizerCodec(SIZE)
            for layer in codec.quantizer.vq.layers:
                layer._codebook.embed.normal_()  # else zero, and all codes with it
        return codec
    folder = _folder(options.weights)
    codec = SpeechTokenizerCodec({**SIZE, **read_json(folder / FILES[0])})
    tensors = read_tensors(folder / FILES[1])
    # A head that its training alone used: quantised features to HuBERT's.
    kept = {name: t for name, t in tensors.items() if not name.startswith("transform.")}
    load_tensors(codec, kept, str(folder))
    return codec


def _folder(source: str) -> Path:
    """The folder that holds the model's two files, fetched where ``source`` is an id."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source):
        raise WeightsError(
            f"weights {source!r}: there is no such folder, and it is no Hugging Face id "
            "(owner/name) either"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        paths = [hf_hub_download(source, f"{PUBLISHED}/{name}") for name in FILES]
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise WeightsError(
            f"weights {source!r}: the Hugging Face hub does not give {PUBLISHED} "
            f"({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error
    return Path(paths[0]).parent
