"""X-Codecs in transformers' format, in and out.

Such a checkpoint brings its own teacher (a HuBERT or WavLM), which the loaded codec gets. Frames
follow ``framing: transformers``, so that codes equal the reference's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from workbench.api.errors import WeightsError
from workbench.audio.encoder import convolution_geometry
from workbench.audio.longform import Geometry, Survey, hear_window, survey_recording
from workbench.codec.config import (
    DecoderConfig,
    EncoderConfig,
    QuantizerConfig,
    SemanticConfig,
    TeacherConfig,
    XCodecConfig,
)
from workbench.codec.semantic import encoder_fingerprint
from workbench.codec.xcodec import XCodec
from workbench.weights import load_tensors, read_tensors

BUNDLED = "bundled"
"""Name of a teacher that comes with its codec's checkpoint."""

PARTS = {
    "encoder_semantic.": "branches.0.encoder.",
    "decoder_semantic.": "branches.0.decoder.",
    "fc.": "fusion.",
    "fc1.": "branches.0.head.",
    "fc2.": "acoustic_head.",
}
"""Beginnings of names in transformers' checkpoints and in ours; all others are the same."""

OURS_ALONE = ("quantizer.steps", "branches.0.mean", "branches.0.std")
"""Buffers that transformers' checkpoints lack; their initial values mean "as transformers"."""


class TransformersTeacher(nn.Module):
    """A transformers speech model as X-Codec's teacher: the mean of all its hidden states.

    It computes as transformers' XcodecModel does, to the last bit.
    """

    def __init__(self, model: nn.Module, sample_rate: int) -> None:
        super().__init__()
        self.model = model
        config: Any = model.config
        hop, self.receptive_field = convolution_geometry(config.conv_kernel, config.conv_stride)
        self.geometry = Geometry(sample_rate, hop, self.receptive_field)
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop
        self.dim = int(config.hidden_size)

    def forward(self, wav: Tensor) -> Tensor:
        """Float32 ``[B, D, F]`` of float32 ``[B, T]``."""
        wav = F.pad(wav, (0, max(0, self.receptive_field - wav.shape[-1])))
        return _mean_state(self.model(wav, output_hidden_states=True))

    def survey(self, blocks: Iterable[Tensor], samples: int) -> Survey:
        """What stretches need to know of a long recording: see :mod:`workbench.audio.longform`."""
        return survey_recording(self.model, self.geometry, False, blocks, samples)

    def within(self, wav: Tensor, survey: Survey, start: int) -> Tensor:
        """Features of the stretch ``[1, T]`` of a recording from sample ``start`` on."""
        return _mean_state(hear_window(self.model, wav, survey, start, self.geometry))


def _mean_state(output: Any) -> Tensor:
    """Mean over a model's hidden states, ``[B, D, F]``."""
    return torch.stack(output.hidden_states, dim=1).mean(dim=1).transpose(1, 2)


def from_transformers(folder: Path) -> XCodec:
    """The codec in a folder in transformers' Xcodec format, its teacher attached."""
    try:
        config = transformers.XcodecConfig.from_pretrained(folder)
    except (OSError, TypeError, ValueError, StrictDataclassError) as error:
        raise WeightsError(f"{folder}: holds no usable Xcodec configuration ({error})") from error
    return assemble(config, read_tensors(folder), str(folder))


def assemble(config: Any, tensors: Mapping[str, Tensor], source: str) -> XCodec:
    """A codec from a transformers configuration and tensors named as transformers does."""
    prefix = "semantic_model."
    model = transformers.AutoModel.from_config(config.semantic_model_config)
    inside = {
        new_weight_norm(name[len(prefix) :]): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    # The embedding of masked frames is used in training alone, and some checkpoints lack it.
    load_tensors(model, inside, f"{source}: teacher", optional=("masked_spec_embed",))
    teacher = TransformersTeacher(model.eval(), int(config.sample_rate))
    codec = XCodec(codec_config(config, teacher))
    rest = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    load_tensors(codec, rename_transformers(fold_weight_norm(rest)), source, optional=OURS_ALONE)
    codec.attach([teacher])
    return codec.eval()


def codec_config(config: Any, teacher: TransformersTeacher) -> XCodecConfig:
    """Our configuration of a transformers ``XcodecConfig``."""
    acoustic = config.acoustic_model_config
    rate = config.frame_rate * math.log2(config.codebook_size) / 1000
    counts = [max(1, math.floor(kbps / rate)) for kbps in config.target_bandwidths]
    hop = math.prod(acoustic.downsampling_ratios)
    return XCodecConfig(
        sample_rate=int(config.sample_rate),
        strides=list(acoustic.downsampling_ratios),
        decoder_strides=list(acoustic.upsampling_ratios),
        latent_dim=int(acoustic.hidden_size),
        framing="transformers",
        encoder=EncoderConfig(width=int(acoustic.encoder_hidden_size)),
        decoder=DecoderConfig(width=int(acoustic.decoder_hidden_size)),
        quantizer=QuantizerConfig(
            codebooks=int(config.num_quantizers),
            size=int(config.codebook_size),
            dropout_choices=counts,
        ),
        semantic=SemanticConfig(
            channel_ratios=[int(ratio) for ratio in config.channel_ratios],
            strides=list(config.strides),
            dilations=list(config.block_dilations),
            kernel=int(config.kernel_size),
            unit_kernel=int(config.unit_kernel_size),
        ),
        teachers=[
            TeacherConfig(
                name=BUNDLED,
                dim=teacher.dim,
                sample_rate=teacher.sample_rate,
                frame_rate=teacher.frame_rate,
                padding=hop // 2,
                receptive_field=teacher.receptive_field,
                fingerprint=encoder_fingerprint(teacher),
            )
        ],
    )


def rename_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under our names, from transformers'."""
    return {replace_start(name, PARTS): value for name, value in tensors.items()}


def save_bundled(codec: XCodec, folder: Path) -> None:
    """Write the teacher that came with the codec's checkpoint to ``folder``."""
    (teacher,) = codec.teachers
    model: Any = teacher.encoder.model  # type: ignore[attr-defined]
    model.save_pretrained(folder)


def load_bundled(folder: Path, sample_rate: int) -> TransformersTeacher:
    """The teacher that :func:`save_bundled` wrote."""
    model = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(folder))
    load_tensors(model, read_tensors(folder), str(folder))
    return TransformersTeacher(model.eval(), sample_rate)


def fold_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Plain weights of DAC's convolutions, weight-normalised in torch's old form or its new one.

    The teacher's weights stay as they are: its own model normalises them.
    """
    scale, direction = ".parametrizations.weight.original0", ".parametrizations.weight.original1"
    folded = {
        new_weight_norm(name) if name.startswith("acoustic_") else name: value
        for name, value in tensors.items()
    }
    for name in [n for n in folded if n.startswith("acoustic_") and n.endswith(scale)]:
        stem = name.removesuffix(scale)
        g, v = folded.pop(name), folded.pop(stem + direction)
        # One scale for each first index, in transposed convolutions too.
        folded[f"{stem}.weight"] = v * (g / v.norm(dim=(1, 2), keepdim=True))
    return folded


def new_weight_norm(name: str) -> str:
    """Torch's new name of a weight-normalised parameter, from its old one."""
    name = re.sub(r"\.weight_g$", ".parametrizations.weight.original0", name)
    return re.sub(r"\.weight_v$", ".parametrizations.weight.original1", name)


def replace_start(name: str, starts: Mapping[str, str]) -> str:
    """``name`` with its beginning replaced where ``starts`` has it."""
    for old, new in starts.items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def to_transformers(codec: XCodec, folder: Path) -> None:
    """Write ``codec`` in transformers' Xcodec format: ``XcodecModel.from_pretrained`` reads it.

    Only what that model can hold can be written: DAC's encoder and decoder, mono, and one
    transformers model as the teacher, its features as they are.
    """
    config = codec.config
    problems = _unsupported(codec)
    if problems:
        raise WeightsError(f"transformers' Xcodec format can't hold {'; '.join(problems)}")
    teacher = codec.teachers[0].encoder
    assert isinstance(teacher, TransformersTeacher)
    counts = sorted({*config.quantizer.dropout_choices, config.quantizer.codebooks})
    target = transformers.XcodecConfig(
        target_bandwidths=[transformers_bandwidth(config, count) for count in counts],
        sample_rate=config.sample_rate,
        kernel_size=config.semantic.kernel,
        channel_ratios=config.semantic.channel_ratios,
        strides=config.semantic.strides,
        block_dilations=config.semantic.dilations,
        unit_kernel_size=config.semantic.unit_kernel,
        codebook_size=config.quantizer.size,
        acoustic_model_config=transformers.DacConfig(
            encoder_hidden_size=config.encoder.width,
            decoder_hidden_size=config.decoder.width,
            downsampling_ratios=config.strides,
            upsampling_ratios=config.decoder_strides or config.strides,
            hidden_size=config.latent_dim,
            sampling_rate=config.sample_rate,
        ),
        semantic_model_config=teacher.model.config,
    )
    model = transformers.XcodecModel(target)
    back = {ours: theirs for theirs, ours in PARTS.items()}
    state = {
        replace_start(name, back): value
        for name, value in codec.state_dict().items()
        if name not in OURS_ALONE
    }
    state |= {f"semantic_model.{name}": v for name, v in teacher.model.state_dict().items()}
    model.load_state_dict(state)
    model.save_pretrained(folder)


def transformers_bandwidth(config: XCodecConfig, count: int) -> float:
    """The bandwidth in kbit/s that transformers takes for ``count`` codebooks.

    It rounds the quotient down, which an unlucky last bit would make one too few.
    """
    rate = math.ceil(config.frame_rate)
    whole_bits = math.ceil(math.log2(config.quantizer.size))
    each = math.log2(config.quantizer.size) * rate / 1000
    kbps = count * whole_bits * rate / 1000
    while math.floor(kbps / each) < count or 1000 * kbps // (rate * whole_bits) < count:
        kbps = math.nextafter(kbps, math.inf)
    return kbps


def _unsupported(codec: XCodec) -> list[str]:
    """What of a codec transformers' Xcodec model has no place for."""
    config = codec.config
    teachers = [teacher.encoder for teacher in codec.teachers]
    rules = {
        f"encoder {config.encoder.kind!r}": config.encoder.kind != "dac",
        f"decoder {config.decoder.kind!r}": config.decoder.kind != "dac",
        f"{config.channels} channels": config.channels != 1,
        f"framing {config.framing!r}": config.framing != "transformers",
        "normalised teacher features": config.semantic.normalise,
        "a quantiser of another width": config.quantized_dim != config.fused_dim,
        "a semantic branch of another width": config.semantic.width is not None,
        "any but one transformers speech model as teacher": not (
            len(teachers) == 1 and isinstance(teachers[0], TransformersTeacher)
        ),
    }
    return [problem for problem, found in rules.items() if found]
