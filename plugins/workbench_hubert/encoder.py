"""HuBERT (arXiv 2106.07447) and WavLM (arXiv 2110.13900) as trainable semantic encoders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel, WavLMConfig, WavLMModel

from workbench import (
    AudioDataset,
    Survey,
    TrainingSession,
    WaveformEncoder,
    WeightsError,
    load_tensors,
    model_config,
    read_json,
    read_tensors,
    strip_prefix,
    wants_normalized,
    weights_folder,
)

if TYPE_CHECKING:
    from workbench_hubert.plugin import SpeechEncoderOptions, SpeechEncoderSize, SpeechPretraining

SAMPLE_RATE = 16_000
_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Family:
    """What tells HuBERT and WavLM apart: transformers' classes and where our own weights lie."""

    model_type: str
    """`model_type` in `config.json`, and the prefix of the encoder in a task's model."""
    config: Any
    model: Any
    embedded: Path


HUBERT = Family("hubert", HubertConfig, HubertModel, _WEIGHTS / "hubert_tiny")
WAVLM = Family("wavlm", WavLMConfig, WavLMModel, _WEIGHTS / "wavlm_tiny")


class SpeechEncoder(nn.Module):
    """A :class:`WaveformEncoder` at 16 kHz and 50 frames/s, with its training and its files.

    Does not pad: see :class:`WaveformEncoder` for the number of frames. X-Codec's reference pads
    160 zeros on each side, which the codec engine does before it calls its teacher.
    """

    def __init__(self, encoder: WaveformEncoder, pretraining: SpeechPretraining) -> None:
        super().__init__()
        self.encoder = encoder
        self.pretraining = pretraining
        self.sample_rate = encoder.sample_rate
        self.frame_rate = encoder.frame_rate
        self.dim = encoder.dim
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        features: Tensor = self.encoder(wav)
        return features

    def survey(self, blocks: Iterable[Tensor], samples: int) -> Survey:
        """What stretches of a recording, which comes in ``blocks`` ``[1, t]``, must know of it."""
        return self.encoder.survey(blocks, samples)

    def within(self, wav: Tensor, survey: Survey, start: int) -> Tensor:
        """Features ``[1, D, F]`` of the stretch ``[1, T]`` of a recording from ``start`` on."""
        return self.encoder.within(wav, survey, start)

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place by masked prediction; see ``pretraining.py``."""
        from workbench_hubert.pretraining import pretrain

        pretrain(self.encoder, data, session, self.pretraining)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` and transformers can name; ``half`` stores float16."""
        self.encoder.save(folder, half)


def build_encoder(family: Family, options: SpeechEncoderOptions, seed: int) -> SpeechEncoder:
    """The encoder that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        model, wanted = random_model(family, options.size, seed), False
    else:
        folder = weights_folder(options.weights, family.embedded)
        model, wanted = load_model(family, folder, options.weights), wants_normalized(folder)
    normalize = {"checkpoint": wanted, "on": True, "off": False}[options.normalize]
    encoder = WaveformEncoder(model, SAMPLE_RATE, options.layers, normalize)
    return SpeechEncoder(encoder, options.pretraining)


def load_model(family: Family, folder: Path, source: str) -> nn.Module:
    """The model in ``folder`` (Hugging Face's layout); errors say ``source``."""
    config = read_json(folder / "config.json")
    model_type = config.get("model_type", family.model_type)
    if model_type != family.model_type:
        raise WeightsError(f"weights {source!r}: a {model_type} model, not a {family.model_type}")
    model: nn.Module = family.model(model_config(family.config, config, source))
    tensors = strip_prefix(read_tensors(folder), f"{family.model_type}.")
    load_tensors(model, tensors, source, optional=("masked_spec_embed",))
    return model


def random_model(family: Family, size: SpeechEncoderSize, seed: int) -> nn.Module:
    """A model of the given size, a function of ``seed`` alone; the global random state stays."""
    config = family.config(
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.feed_forward,
        conv_dim=[size.convolution] * 7,
        num_conv_pos_embeddings=size.position_kernel,
        # The defaults suit long trainings of large models; minutes on a small one need none.
        hidden_dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = family.model(config)
    return model
