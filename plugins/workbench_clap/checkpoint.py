"""Where a CLAP comes from: transformers' folders, LAION's files, or chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import ClapConfig, ClapModel

from workbench import load_tensors, model_config, read_json, read_tensors, weights_folder
from workbench_clap.laion import convert_laion
from workbench_clap.mel import MelSettings
from workbench_clap.text import (
    MAX_TOKENS,
    ClapTokenizer,
    has_tokenizer,
    tokenizer_or_none,
    tokenizer_or_own,
)

if TYPE_CHECKING:
    from workbench_clap.plugin import ClapOptions, ClapSize

_WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = {"embedded": _WEIGHTS / "tiny", "embedded-judge": _WEIGHTS / "judge"}
"""Where the weights that are shipped with the plugin lie, by what the option calls them."""
LAION_TOKENIZER = "roberta-base"
PATCH = 4
"""Mel bands and frames of a patch, LAION's."""
ATTENTION_WINDOW = 8
"""Patches along a side of the windows within which HTSAT attends, LAION's; fewer where a small
model's last stage has fewer."""
_HIGHEST = 14_000.0
"""Upper edge of LAION's highest mel band in Hz."""
_COMPUTED = ("position_ids", "token_type_ids", "relative_position_index", "num_batches_tracked")
"""Endings of buffers that a checkpoint may lack: the model makes them."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that it needs to be given audio and text."""

    model: nn.Module
    mel: MelSettings
    tokenizer: ClapTokenizer | None
    """None where none is known: text can't be embedded then."""


def load(options: ClapOptions, seed: int) -> Checkpoint:
    """What the option ``weights`` names; ``seed`` makes random weights."""
    if options.weights == "random":
        return random_checkpoint(options.size, options.tokenizer, seed)
    if options.weights not in EMBEDDED:
        path = Path(options.weights).expanduser()
        if path.is_file():
            return _from_laion(path, options)
        return _from_folder(weights_folder(options.weights), options)
    return _from_folder(weights_folder("embedded", EMBEDDED[options.weights]), options)


def random_checkpoint(size: ClapSize, tokenizer: str, seed: int) -> Checkpoint:
    """A model of the given size, a function of ``seed`` alone; the global random state stays."""
    known = tokenizer_or_own(tokenizer)
    mel = MelSettings(
        sample_rate=size.sample_rate,
        window=size.window_seconds * size.sample_rate,
        hop=size.hop,
        mels=size.mels,
        highest=min(_HIGHEST, size.sample_rate / 2),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = ClapModel(_random_config(size, mel, len(known)))
    return Checkpoint(model, mel, known)


def _random_config(size: ClapSize, mel: MelSettings, vocabulary: int) -> ClapConfig:
    """HTSAT folds the spectrum, ``parts`` pieces of time above one another, into a square."""
    parts = math.ceil(math.sqrt((mel.window // mel.hop + 1) / mel.mels))
    side = parts * mel.mels
    stages = len(size.depths)
    last_side = side // PATCH // 2 ** (stages - 1)
    # Dropout suits long trainings of large models; minutes on a small one need none.
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return ClapConfig(
        text_config={
            **dropout,
            "vocab_size": vocabulary,
            "hidden_size": size.text_width,
            "num_hidden_layers": size.text_layers,
            "num_attention_heads": size.text_heads,
            "intermediate_size": 4 * size.text_width,
            "max_position_embeddings": MAX_TOKENS + 2,  # the first two stand for padding
            "layer_norm_eps": 1e-5,
        },
        audio_config={
            **dropout,
            "spec_size": side,
            "num_mel_bins": mel.mels,
            "patch_size": PATCH,
            "patch_stride": [PATCH, PATCH],
            "window_size": min(ATTENTION_WINDOW, last_side),
            "patch_embeds_hidden_size": size.patch_width,
            "depths": size.depths,
            "num_attention_heads": size.heads,
            "hidden_size": size.patch_width * 2 ** (stages - 1),
        },
        projection_dim=size.embedding,
    )


def _from_laion(path: Path, options: ClapOptions) -> Checkpoint:
    """One of LAION's original ``.pt`` files."""
    config, tensors = convert_laion(read_tensors(path), options.weights)
    mel = MelSettings(fusion=config.audio_config.enable_fusion)
    model = _filled(config, tensors, options.weights)
    return Checkpoint(model, mel, tokenizer_or_none(options.tokenizer or LAION_TOKENIZER))


def _from_folder(folder: Path, options: ClapOptions) -> Checkpoint:
    """A folder in transformers' layout."""
    config = model_config(ClapConfig, read_json(folder / "config.json"), options.weights)
    model = _filled(config, read_tensors(folder), options.weights)
    mel = MelSettings.read(read_json(folder / "preprocessor_config.json"))
    beside = str(folder) if has_tokenizer(folder) else ""
    return Checkpoint(model, mel, tokenizer_or_none(options.tokenizer or beside))


def _filled(config: ClapConfig, tensors: dict[str, torch.Tensor], source: str) -> nn.Module:
    model: nn.Module = ClapModel(config)
    computed = [name for name in model.state_dict() if name.endswith(_COMPUTED)]
    load_tensors(model, tensors, source, optional=computed)
    return model
