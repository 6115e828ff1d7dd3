"""Checkpoints of the paper's public code (GitHub zhenye234/xcodec): a ``.pth`` with its YAML.

Its ``SoundStream`` numbers the layers inside DAC's blocks and wraps the semantic convolutions; here
its names become transformers', and :mod:`workbench.codec.checkpoints` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
import yaml
from torch import Tensor

from workbench.api.errors import WeightsError
from workbench.codec.checkpoints import assemble, fold_weight_norm, replace_start
from workbench.codec.xcodec import XCodec
from workbench.weights import read_tensors


def from_original(checkpoint: Path, settings: Path, teacher: Any = None) -> XCodec:
    """The codec in ``checkpoint`` with the YAML ``settings``.

    ``teacher`` is the transformers configuration of the checkpoint's semantic model; without one,
    the base size that all published checkpoints have.
    """
    tensors = fold_weight_norm(rename_original(read_tensors(checkpoint)))
    try:
        generator = yaml.safe_load(settings.read_text())["generator"]["config"]
        config = original_config(generator, teacher or original_teacher(generator), tensors)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{settings} does not describe the X-Codec checkpoint {checkpoint.name} ({error!r})"
        ) from error
    return assemble(config, tensors, str(checkpoint))


def original_teacher(generator: Mapping[str, Any]) -> Any:
    """Configuration of the semantic model that the public code names (sic) ``semantic_techer``."""
    name = str(generator.get("semantic_techer", "hubert_base_general"))
    if name.startswith("hubert_base"):
        return transformers.HubertConfig()
    if name == "wavlm_base_plus":
        return transformers.WavLMConfig()
    raise WeightsError(
        f"semantic_techer = {name!r}: allowed are hubert_base, hubert_base_general, wavlm_base_plus"
    )


def original_config(
    generator: Mapping[str, Any], teacher: Any, tensors: Mapping[str, Tensor]
) -> Any:
    """Transformers' configuration of a codec of the public code.

    The YAML lacks DAC's widths, which the public code fixes at 64 and 1024: the weights show them.
    """
    acoustic = transformers.DacConfig(
        encoder_hidden_size=len(tensors["acoustic_encoder.conv1.weight"]),
        decoder_hidden_size=len(tensors["acoustic_decoder.conv1.weight"]),
        downsampling_ratios=list(generator["ratios"]),
        upsampling_ratios=list(generator["ratios"]),
        hidden_size=int(generator["D"]),
        sampling_rate=int(generator["sample_rate"]),
    )
    return transformers.XcodecConfig(
        target_bandwidths=list(generator["target_bandwidths"]),
        sample_rate=int(generator["sample_rate"]),
        codebook_size=int(generator["bins"]),
        acoustic_model_config=acoustic,
        semantic_model_config=teacher,
    )


ORIGINAL_PARTS = {
    "fc_prior.": "fc.",
    "fc_post1.": "fc1.",
    "fc_post2.": "fc2.",
    "quantizer.vq.layers.": "quantizer.quantizers.",
}


def rename_original(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under transformers' names, from those of the public code's ``SoundStream``."""
    blocks = {
        side: 1 + max((int(n) for n in _numbers(tensors, rf"{side}\.(\d+)\.block\.")), default=0)
        for side in (r"encoder\.block", r"decoder_2\.model")
    }
    renamed = {}
    for name, value in tensors.items():
        if name.startswith("encoder."):
            new = _original_encoder(name.removeprefix("encoder.block."), blocks[r"encoder\.block"])
        elif name.startswith("decoder_2."):
            start = name.removeprefix("decoder_2.model.")
            new = _original_decoder(start, blocks[r"decoder_2\.model"])
        elif name.startswith(("encoder_semantic.", "decoder_semantic.")):
            new = re.sub(r"\b(conv\d?)\.(?:conv|deconv)\.", r"\1.", name)
        else:
            new = replace_start(name, ORIGINAL_PARTS).replace("._codebook.", ".codebook.")
        renamed[new] = value
    return renamed


def _numbers(tensors: Mapping[str, Tensor], pattern: str) -> list[str]:
    return [found[1] for name in tensors if (found := re.match(pattern, name))]


UNIT = {"0": "snake1", "1": "conv1", "2": "snake2", "3": "conv2"}


def _original_encoder(name: str, end: int) -> str:
    """``0``: first convolution; ``1`` to ``end - 1``: blocks; then Snake and last convolution."""
    number, _, rest = name.partition(".")
    start = "acoustic_encoder."
    if number == "0":
        return f"{start}conv1.{rest}"
    if int(number) >= end:
        return f"{start}{'snake1' if int(number) == end else 'conv2'}.{rest}"
    return f"{start}block.{int(number) - 1}." + _original_block(
        rest, {"3": "snake1", "4": "conv1"}, 1
    )


def _original_decoder(name: str, end: int) -> str:
    """The mirror image: Snake and transposed convolution come first in each block."""
    number, _, rest = name.partition(".")
    start = "acoustic_decoder."
    if number == "0":
        return f"{start}conv1.{rest}"
    if int(number) >= end:
        return f"{start}{'snake1' if int(number) == end else 'conv2'}.{rest}"
    return f"{start}block.{int(number) - 1}." + _original_block(
        rest, {"0": "snake1", "1": "conv_t1"}, -1
    )


def _original_block(name: str, own: Mapping[str, str], shift: int) -> str:
    """``block.N.rest`` of one block: its own layers by number, else a residual unit's."""
    _, number, rest = name.split(".", 2)
    if number in own:
        return f"{own[number]}.{rest}"
    _, layer, parameter = rest.split(".", 2)
    return f"res_unit{int(number) + shift}.{UNIT[layer]}.{parameter}"
