"""UTMOS: the naturalness that listeners would give speech, with no reference."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from workbench import (
    EvaluationItem,
    Figure,
    ModelAbsent,
    WeightsError,
    convert,
    load_tensors,
    mean_figure,
    metric_settings,
    read_tensors,
)

SAMPLE_RATE = 16_000
SHORTEST = 400
"""Samples of one frame of the convolutions; shorter audio is padded with silence."""
HEAD_WIDTH = 64
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
POSITION_GROUPS = 16
_POSITIONS = "encoder.pos_conv_embed.conv."
_NAMES = (
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"feature_extractor\.conv_layers\.0\.2\.", "feature_extractor.conv_layers.0.layer_norm."),
    (r"layer_norm\.", "feature_projection.layer_norm."),
    (r"post_extract_proj\.", "feature_projection.projection."),
    (r"encoder\.pos_conv\.0\.weight_g", f"{_POSITIONS}parametrizations.weight.original0"),
    (r"encoder\.pos_conv\.0\.weight_v", f"{_POSITIONS}parametrizations.weight.original1"),
    (r"encoder\.pos_conv\.0\.", _POSITIONS),
    (r"(encoder\.layers\.\d+\.)self_attn\.", r"\1attention."),
    (r"(encoder\.layers\.\d+\.)self_attn_layer_norm\.", r"\1layer_norm."),
    (r"(encoder\.layers\.\d+\.)fc1\.", r"\1feed_forward.intermediate_dense."),
    (r"(encoder\.layers\.\d+\.)fc2\.", r"\1feed_forward.output_dense."),
)  # fmt: skip
"""fairseq's names, which the published weights have, and transformers' in their place."""


class UtmosModel(nn.Module):
    """UTMOS22's strong learner without its phoneme encoder (Saeki et al. 2022, arXiv 2204.02152).

    wav2vec 2.0 features, joined by the embeddings of one listening test and of its mean listener,
    go through a bidirectional LSTM to a score a frame; the utterance's is their mean.
    """

    def __init__(self, speech: Wav2Vec2Model, lstm: int, projection: int, embedding: int) -> None:
        super().__init__()
        self.wav2vec2 = speech
        self.domain_emb = nn.Parameter(torch.zeros(1, embedding))
        self.judge_emb = nn.Parameter(torch.zeros(1, embedding))
        width = speech.config.hidden_size + 2 * embedding
        self.blstm = nn.LSTM(width, lstm, batch_first=True, bidirectional=True)
        self.projection = nn.Sequential(
            nn.Linear(2 * lstm, projection), nn.ReLU(), nn.Linear(projection, 1)
        )

    def forward(self, wav: Tensor) -> Tensor:
        """Scores ``[B]`` from 1 to 5 of audio float32 ``[B, T]`` at 16 kHz."""
        features = self.wav2vec2(wav).last_hidden_state
        batch, frames, _ = features.shape
        listener = torch.cat([self.domain_emb, self.judge_emb], dim=-1)
        joined = torch.cat([features, listener.expand(batch, frames, -1)], dim=-1)
        scores: Tensor = self.projection(self.blstm(joined)[0])[..., 0].mean(dim=-1)
        return 2 * scores + 3  # trained on scores scaled to -1 .. 1


class Utmos:
    """``utmos``: the mean of a :class:`UtmosModel`'s scores."""

    def __init__(self, weights: str, device: str) -> None:
        if not weights:
            raise ModelAbsent(
                "utmos: weights = '': name the file of UTMOS22's strong learner as the project "
                "SpeechMOS publishes it (utmos22_strong_step7459_v1.pt); the workbench ships none"
            )
        tensors = read_tensors(Path(weights).expanduser())
        self.model = load_utmos(tensors, weights).eval().requires_grad_(False).to(device)
        self.fingerprint = _digest(tensors)
        self.device = device
        self._scores: dict[str, float] = {}

    @torch.inference_mode()
    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        wav = convert(item.generated, SAMPLE_RATE, 1).samples
        wav = nn.functional.pad(wav, (0, max(0, SHORTEST - wav.shape[-1])))
        self._scores[item.id] = float(self.model(wav.to(self.device))[0])

    def compute(self) -> list[Figure]:
        """``utmos``, from 1 to 5, higher is better."""
        models = {"utmos22-strong": self.fingerprint}
        settings = metric_settings("UTMOS22, estimated MOS of naturalness", 1, models, SAMPLE_RATE)
        return [mean_figure("utmos", self._scores, True, "MOS", settings)]


def load_utmos(tensors: Mapping[str, Tensor], source: str) -> UtmosModel:
    """The model that published weights are of, in the sizes that their shapes tell."""
    try:
        model = _sized(tensors)
    except KeyError as error:
        raise WeightsError(f"weights {source!r}: no UTMOS22, it has no {error.args[0]}") from error
    load_tensors(model, {_renamed(name): t for name, t in tensors.items()}, source)
    return model


def _sized(tensors: Mapping[str, Tensor]) -> UtmosModel:
    """A model of the sizes that ``tensors`` have."""
    channels, width = tensors["wav2vec2.post_extract_proj.weight"].shape[::-1]
    layers = {m[1] for m in (re.match(r".*encoder\.layers\.(\d+)\.", n) for n in tensors) if m}
    config = Wav2Vec2Config(
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        intermediate_size=tensors["wav2vec2.encoder.layers.0.fc1.weight"].shape[0],
        conv_dim=(channels,) * len(KERNELS),
        conv_kernel=KERNELS,
        conv_stride=STRIDES,
        num_conv_pos_embeddings=tensors["wav2vec2.encoder.pos_conv.0.weight_v"].shape[-1],
        num_conv_pos_embedding_groups=POSITION_GROUPS,
    )
    return UtmosModel(
        Wav2Vec2Model(config),
        lstm=tensors["blstm.weight_hh_l0"].shape[1],
        projection=tensors["projection.0.weight"].shape[0],
        embedding=tensors["domain_emb"].shape[1],
    )


def _renamed(name: str) -> str:
    """A published tensor's name in :class:`UtmosModel`."""
    prefix, _, rest = name.partition(".")
    if prefix != "wav2vec2":
        return name
    if rest == "mask_emb":
        return "wav2vec2.masked_spec_embed"
    for pattern, replacement in _NAMES:
        renamed, count = re.subn(f"^{pattern}", replacement, rest)
        if count:
            return f"wav2vec2.{renamed}"
    return name


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
