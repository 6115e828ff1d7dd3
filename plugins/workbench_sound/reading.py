"""Captions as what a language model is told: read once, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench import BuildContext, RecipeError, TextAudioEncoder, TextReader

if TYPE_CHECKING:
    from workbench_sound.plugin import CaptionOptions


def build_reader(options: CaptionOptions, context: BuildContext) -> TextReader:
    """The model that the options name, frozen."""
    reader: Any
    if options.t5:
        from workbench_sound.t5 import load_t5

        reader = load_t5(options.t5).to(context.device)
    else:
        chosen = options.encoder
        reader = context.build("semantic_encoder", chosen.name, chosen.options)
        if not isinstance(reader, TextReader):
            raise RecipeError(
                [f"encoder.name = {chosen.name!r}: must be an encoder that reads, as 'clap' does"],
                "options.captions of task 'text-to-sound'",
            )
    frozen: TextReader = reader.eval().requires_grad_(False)
    return Pooled(frozen) if options.pooled else frozen


class Pooled(nn.Module):
    """A reader that gives one vector for a whole text."""

    def __init__(self, reader: Any) -> None:
        super().__init__()
        self.reader = reader
        self.text_dim: int = reader.text_dim
        if isinstance(reader, TextAudioEncoder):
            self.text_dim = reader.embedding_dim

    def read(self, texts: list[str]) -> list[Tensor]:
        """One vector float32 ``[1, D]`` for each text."""
        if isinstance(self.reader, TextAudioEncoder):
            return [vector[None] for vector in self.reader.embed_text(texts).float().cpu()]
        return [states.mean(dim=0, keepdim=True) for states in self.reader.read(texts)]


class CaptionMemory:
    """What was read of captions; one that is not known yet is read when it is asked for."""

    def __init__(self, reader: TextReader) -> None:
        self.reader = reader
        self._stored: Mapping[str, Tensor] = {}
        self._read: dict[str, Tensor] = {}

    def remember(self, states: Mapping[str, Tensor]) -> None:
        """Take what was read before."""
        self._stored = states

    @torch.no_grad()
    def of(self, caption: str) -> Tensor:
        """States float32 ``[S, D]`` of a caption."""
        if caption in self._stored:
            return self._stored[caption]
        if caption not in self._read:
            self._read[caption] = self.reader.read([caption])[0].float().cpu()
        return self._read[caption]
