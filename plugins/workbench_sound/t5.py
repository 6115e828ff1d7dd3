"""T5's encoder as a reader of captions, as in most published text-to-audio models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, T5Config, T5EncoderModel

from workbench import (
    WeightsError,
    load_tensors,
    model_config,
    read_json,
    read_tensors,
    weights_folder,
)

MAX_TOKENS = 128
"""Longer captions are cut."""
_TOKENIZERS = ("tokenizer.json", "spiece.model")
_TIED = "encoder.embed_tokens.weight"
"""The same table as ``shared.weight``, which is what checkpoints hold."""


class T5Reader(nn.Module):
    """A T5 encoder with its tokenizer; implements ``workbench.TextReader``."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.text_dim = int(model.config.d_model)

    @torch.no_grad()
    def read(self, texts: list[str]) -> list[Tensor]:
        """The encoder's last states float32 ``[S, D]`` of each text, its end symbol included."""
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self.model.device)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        states = self.model(ids, attention_mask=mask).last_hidden_state.float().cpu()
        kept = mask.bool().cpu()
        return [each[where] for each, where in zip(states, kept, strict=True)]


def load_t5(source: str) -> T5Reader:
    """The encoder of the T5 that ``source`` (a folder or Hugging Face id) names."""
    folder = weights_folder(source)
    config: Any = model_config(T5Config, read_json(folder / "config.json"), source)
    model: Any = T5EncoderModel(config)
    tensors = {
        name: tensor
        for name, tensor in read_tensors(folder).items()
        if name == "shared.weight" or name.startswith("encoder.")
    }
    load_tensors(model, tensors, source, optional=(_TIED,))
    return T5Reader(model.eval(), _tokenizer(folder, source, int(config.vocab_size)))


def _tokenizer(folder: Path, source: str, vocabulary: int) -> Any:
    """The tokenizer that lies beside the weights; it must not know more than the model does."""
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        # Without its files, transformers makes one of special tokens alone.
        raise WeightsError(
            f"T5 {source!r}: {folder} holds no tokenizer ({' or '.join(_TOKENIZERS)}), without "
            "which no caption can be read"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"T5 {source!r}: its tokenizer can't be loaded ({str(error).splitlines()[0]}); its "
            "files must lie beside the weights"
        ) from error
    if len(tokenizer) > vocabulary:
        raise WeightsError(
            f"T5 {source!r}: its tokenizer has {len(tokenizer)} tokens, the model knows "
            f"{vocabulary}: it is not this model's"
        )
    return tokenizer
