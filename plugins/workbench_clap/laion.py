"""LAION's original ``.pt`` checkpoints into transformers' ``ClapModel``.

They hold the state of ``laion_clap``'s own classes: HTSAT for audio, RoBERTa for text. Names are
turned into transformers'; sizes, and whether the model fuses, are read off the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import ClapConfig

from workbench import WeightsError, strip_prefix

_RENAMED = (
    (r"^text_branch\.", "text_model."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"(blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(blocks\.\d+)\.attn\.", r"\1.attention.self."),
    (r"(blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    (r"(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"\.bn0\.", ".batch_norm."),
    (r"^(audio|text)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(audio|text)_projection\.2\.", r"\1_projection.linear2."),
)
_UNUSED = re.compile(
    r"^(audio|text)_transform\."  # heads of a second training loss
    r"|^audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."
    r"|\.attn_mask$|\.relative_position_index$|position_ids$"
)
"""What embeddings don't depend on, or transformers computes for itself."""
_TEXT_HEAD_WIDTH = 64
"""Width of RoBERTa's attention heads at any size; the tensors don't tell."""


def convert_laion(tensors: Mapping[str, Tensor], source: str) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and renamed tensors for ``ClapModel``; ``source`` names the file in errors."""
    named = strip_prefix(tensors, "module.")
    if "audio_branch.patch_embed.proj.weight" not in named:
        raise WeightsError(
            f"weights {source!r}: no checkpoint of LAION's CLAP with an HTSAT audio tower "
            "(audio_branch.patch_embed.proj.weight is missing)"
        )
    if "text_branch.embeddings.word_embeddings.weight" not in named:
        raise WeightsError(
            f"weights {source!r}: its text tower is no RoBERTa "
            "(text_branch.embeddings.word_embeddings.weight is missing)"
        )
    config = _config(named)
    converted: dict[str, Tensor] = {}
    for name, value in named.items():
        if not _UNUSED.search(name):
            converted.update(_split(_rename(name), value))
    return config, converted


def _rename(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _split(name: str, value: Tensor) -> dict[str, Tensor]:
    """HTSAT holds query, key and value in one tensor; transformers in three."""
    if ".qkv." not in name:
        return {name: value}
    return {
        name.replace(".qkv.", f".{part}."): piece
        for part, piece in zip(("query", "key", "value"), value.chunk(3), strict=True)
    }


def _config(named: Mapping[str, Tensor]) -> Any:
    """Sizes as the tensors' shapes say."""
    text = "text_branch."
    words = named[f"{text}embeddings.word_embeddings.weight"]
    positions = named[f"{text}embeddings.position_embeddings.weight"]
    first = f"{text}encoder.layer.0.intermediate.dense.weight"
    stages = _count(named, r"^audio_branch\.layers\.(\d+)\.")
    blocks = "audio_branch.layers.{}.blocks.0.attn.relative_position_bias_table"
    patches = named["audio_branch.patch_embed.proj.weight"]
    projection = named["audio_projection.0.weight"]
    return ClapConfig(
        text_config={
            "vocab_size": words.shape[0],
            "hidden_size": words.shape[1],
            "num_hidden_layers": _count(named, r"^text_branch\.encoder\.layer\.(\d+)\."),
            "num_attention_heads": words.shape[1] // _TEXT_HEAD_WIDTH,
            "intermediate_size": named[first].shape[0],
            "max_position_embeddings": positions.shape[0],
            "layer_norm_eps": 1e-5,  # RoBERTa's; transformers' CLAP has 1e-12 by default
        },
        audio_config={
            "patch_embeds_hidden_size": patches.shape[0],
            "hidden_size": projection.shape[1],
            "depths": [
                _count(named, rf"^audio_branch\.layers\.{stage}\.blocks\.(\d+)\.")
                for stage in range(stages)
            ],
            "num_attention_heads": [named[blocks.format(i)].shape[1] for i in range(stages)],
            "enable_fusion": "audio_branch.patch_embed.mel_conv2d.weight" in named,
        },
        projection_dim=projection.shape[0],
    )


def _count(named: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the largest number that ``pattern`` finds in a name."""
    found = (re.match(pattern, name) for name in named)
    return 1 + max(int(match.group(1)) for match in found if match)
