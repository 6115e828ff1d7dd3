"""The text tower's tokenizer, loaded when a text is first embedded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from workbench import WeightsError

MAX_TOKENS = 77
"""Longer captions are cut, as in LAION's training."""


def has_tokenizer(folder: Path) -> bool:
    """Whether a checkpoint's folder holds the files of a tokenizer."""
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt"))


def tokenizer_or_none(source: str) -> ClapTokenizer | None:
    """The tokenizer that ``source`` names, where it names one."""
    return ClapTokenizer(source) if source else None


class ClapTokenizer:
    """A tokenizer by folder or Hugging Face id; code that comes with it is never run."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._loaded: Any = None

    def __call__(self, texts: Sequence[str], vocabulary: int) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask, int64 ``[N, L]``, for a tower that knows ``vocabulary``."""
        tokenizer = self._load()
        if len(tokenizer) != vocabulary:
            # Without its files, transformers makes some tokenizers with 5 special tokens alone.
            raise WeightsError(
                f"tokenizer {self.source!r} has {len(tokenizer)} tokens, the text tower knows "
                f"{vocabulary}: it is not this model's, or its files are missing"
            )
        batch = tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return batch["input_ids"], batch["attention_mask"]

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files."""
        self._load().save_pretrained(folder)

    def _load(self) -> Any:
        if self._loaded is None:
            from transformers import AutoTokenizer

            try:
                self._loaded = AutoTokenizer.from_pretrained(self.source)
            except (OSError, ValueError, KeyError) as error:
                raise WeightsError(
                    f"tokenizer {self.source!r} can't be loaded "
                    f"({str(error).splitlines()[0]}); name another by the option tokenizer"
                ) from error
        return self._loaded
