"""Text to sound with language models over codes that are told a caption.

Captions are read by a frozen text encoder; the language models attend to what it read, or find it
before the codes. One model emits all codebooks, or one the first of them and another fills in the
rest. Where training leaves out some captions, guidance can make results follow theirs more closely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from workbench import (
    Audio,
    Codec,
    Condition,
    Example,
    LMConfig,
    Request,
    Sequence,
    TextReader,
    TokenizedExample,
    Wish,
    WorkbenchError,
)
from workbench_sound.ranking import Ranking
from workbench_sound.reading import CaptionMemory

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from workbench_sound.plugin import TextToSoundOptions

AUTOREGRESSIVE = "ar"
FILLING_IN = "nar"
ONLY = "lm"
"""Roles of language models."""
SHORTEST_FRAMES = 2
"""A recording of one frame teaches nothing."""


class TextToSound:
    """See the module; implements ``workbench.Task``, ``ReadingTask`` and ``ChoosingTask``."""

    weights = Path(__file__).parent / "weights"
    """The language models that are shipped for ``lm.init: embedded``."""
    metrics: tuple[str, ...] = ("event-recall", "clap-score")

    def __init__(
        self, options: TextToSoundOptions, reader: TextReader, ranking: Ranking | None
    ) -> None:
        self.options = options
        self.reader = reader
        self.memory = CaptionMemory(reader)
        self.ranking = ranking
        self.candidates = options.candidates
        self.ranker = options.ranker

    def language_models(self, codec: Codec, lm: LMConfig) -> dict[str, LMConfig]:
        """One model for all codebooks, or one for the first and one for the others."""
        del codec  # its numbers are in ``lm`` already
        options = self.options
        told = replace(
            lm,
            memory_dim=self.reader.text_dim,
            memory_as=options.captions.told_as,
            condition_dropout=options.captions.dropout,
        )
        if options.model != "ar+nar":
            return {ONLY: replace(told, pattern=options.model, end_symbol=self._ends)}
        models = {AUTOREGRESSIVE: replace(told, num_codebooks=1, end_symbol=self._ends)}
        if lm.num_codebooks > 1:
            models[FILLING_IN] = replace(told, given_codebooks=1)
        return models

    def training_sequence(
        self, role: str, item: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """A recording, or a random piece of ``seconds``, with one of its captions."""
        captions = self.texts(item.example)
        frames = int(item.codes.shape[-1])
        if not captions or frames < SHORTEST_FRAMES or self._too_long(item):
            return None
        codes = item.codes
        if not self._ends:
            wanted = self._frames(self.options.seconds, item.frame_rate)
            start = int(rng.integers(0, max(1, frames - wanted + 1)))
            codes = codes[:, start : start + wanted]
        condition = self._told(captions[int(rng.integers(len(captions)))])
        return Sequence(codes[:1] if role == AUTOREGRESSIVE else codes, condition)

    def texts(self, example: Example) -> list[str]:
        """All captions of an example."""
        several = example.details.get("captions")
        if several:
            return [str(caption) for caption in several]
        return [example.caption] if example.caption else []

    def remember(self, states: Mapping[str, Tensor]) -> None:
        """Take captions that were read before."""
        self.memory.remember(states)

    def requests(self, items: Iterable[TokenizedExample], codec: Codec) -> list[Request]:
        """Every captioned recording that is not too long."""
        captioned = [item for item in items if item.example.caption]
        if not captioned:
            raise WorkbenchError("no test recording has a caption, which text-to-sound needs")
        usable = (item for item in captioned if not self._too_long(item))
        limit, least = self._limits(codec.frame_rate)
        return [
            Request(
                id=item.example.id,
                example=item.example,
                prompt=item.codes[:, :0],
                frames=limit,
                condition=self._told(item.example.caption or ""),
                reference=item.codes if self._ends else item.codes[:, :limit],
                at_least=least,
            )
            for item in usable
            if item.codes.shape[-1] >= SHORTEST_FRAMES
        ]

    def request(self, wish: Wish, codec: Codec) -> Request:
        """The sound that a person's text describes."""
        if not wish.text:
            raise WorkbenchError('text-to-sound needs a description: give --text "..."')
        if wish.prompt is not None:
            raise WorkbenchError("text-to-sound goes on from no audio: leave --prompt out")
        limit, least = self._limits(codec.frame_rate)
        if wish.duration is not None:
            limit = least = self._frames(wish.duration, codec.frame_rate)
        elif wish.seconds is not None:
            limit = min(limit, self._frames(wish.seconds, codec.frame_rate))
        return Request(
            id="wish",
            example=Example("wish", "test", caption=wish.text),
            prompt=torch.zeros(codec.num_codebooks, 0, dtype=torch.long),
            frames=limit,
            condition=self._told(wish.text),
            at_least=min(least, limit),
        )

    def generate(
        self, generators: Mapping[str, Any], requests: list[Request], seed: int
    ) -> list[Tensor]:
        """Sounds ``[K, frames]``, in order."""
        prompts = [request.prompt for request in requests]
        limits = [request.frames for request in requests]
        least = [request.at_least for request in requests]
        told = [request.condition for request in requests]
        if ONLY in generators:
            sounds: list[Tensor] = generators[ONLY](prompts, limits, told, seed, at_least=least)
            return sounds
        firsts = [prompt[:1] for prompt in prompts]
        first: list[Tensor] = generators[AUTOREGRESSIVE](firsts, limits, told, seed, at_least=least)
        if FILLING_IN not in generators:
            return first
        whole: list[Tensor] = generators[FILLING_IN](prompts, first, told, seed)
        return whole

    def rate(self, request: Request, audio: Audio) -> float:
        """How near a sound is to its caption, for the ranker."""
        if self.ranking is None:
            raise WorkbenchError("there is one result for each caption, and nothing to choose")
        return self.ranking.nearness(audio, request.example.caption or "")

    @property
    def _ends(self) -> bool:
        """Whether a model learns where a sound ends."""
        return self.options.seconds == 0

    def _too_long(self, item: TokenizedExample) -> bool:
        longest = self.options.longest_seconds * item.frame_rate
        return self._ends and item.codes.shape[-1] > longest

    def _told(self, caption: str) -> Condition:
        return Condition(memory=self.memory.of(caption))

    def _limits(self, frame_rate: float) -> tuple[int, int]:
        """Most frames of a sound, and fewest."""
        if not self._ends:
            return (self._frames(self.options.seconds, frame_rate),) * 2
        limits = (self.options.longest_seconds, self.options.shortest_seconds)
        return self._frames(limits[0], frame_rate), self._frames(limits[1], frame_rate)

    @staticmethod
    def _frames(seconds: float, frame_rate: float) -> int:
        return max(1, round(seconds * frame_rate))
