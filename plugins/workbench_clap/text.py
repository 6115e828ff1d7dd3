"""The text tower's tokenizer, loaded when a text is first embedded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from workbench import WeightsError
from workbench_clap.vocabulary import build_tokenizer

MAX_TOKENS = 77
"""Longer captions are cut, as in LAION's training."""


def has_tokenizer(folder: Path) -> bool:
    """Whether a checkpoint's folder holds the files of a tokenizer."""
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt"))


def tokenizer_or_none(source: str) -> ClapTokenizer | None:
    """The tokenizer that ``source`` names, where it names one."""
    return ClapTokenizer(source) if source else None


def tokenizer_or_own(source: str) -> ClapTokenizer:
    """The tokenizer that ``source`` names, or the project's own where it names none."""
    return ClapTokenizer(source) if source else ClapTokenizer("words.txt", build_tokenizer)


class ClapTokenizer:
    """A tokenizer by folder or Hugging Face id; code that comes with it is never run.

    ``make``, where given, makes it instead; ``source`` is then only its name in errors.
    """

    def __init__(self, source: str, make: Callable[[], Any] | None = None) -> None:
        self.source = source
        self._make = make

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self._loaded)

    def __call__(self, texts: Sequence[str], vocabulary: int) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask, int64 ``[N, L]``, for a tower that knows ``vocabulary``."""
        if len(self) != vocabulary:
            # Without its files, transformers makes some tokenizers with 5 special tokens alone.
            raise WeightsError(
                f"tokenizer {self.source!r} has {len(self)} tokens, the text tower knows "
                f"{vocabulary}: it is not this model's, or its files are missing"
            )
        batch = self._loaded(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return batch["input_ids"], batch["attention_mask"]

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files."""
        self._loaded.save_pretrained(folder)

    @cached_property
    def _loaded(self) -> Any:
        if self._make is not None:
            return self._make()
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.source)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(
                f"tokenizer {self.source!r} can't be loaded "
                f"({str(error).splitlines()[0]}); name another by the option tokenizer"
            ) from error
