"""Text to speech with language models over codes, after VALL-E (arXiv 2301.02111).

A model reads the language and the symbols of the text, hears the codes of a prompt, and goes on
until it says itself that the text is over. With ``ar+nar`` it speaks the first codebook, and a
second model fills in the others, all frames at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import (
    Codec,
    Condition,
    Example,
    LMConfig,
    Request,
    Sequence,
    TextFrontEnd,
    TokenizedExample,
    Wish,
    WorkbenchError,
)
from workbench_tts.prompts import (
    Line,
    NoPrompt,
    OwnBeginning,
    Prompting,
    ToldUtterance,
    UntoldUtterance,
)
from workbench_tts.symbols import Reader, Text

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from workbench_tts.plugin import TextToSpeechOptions

AUTOREGRESSIVE = "ar"
FILLING_IN = "nar"
ONLY = "lm"
"""Roles of language models."""


class TextToSpeech:
    """See the module; implements ``workbench.Task`` and ``workbench.PairingTask``."""

    weights = Path(__file__).parent / "weights"
    """The language models that are shipped for ``lm.init: embedded``."""

    def __init__(self, options: TextToSpeechOptions) -> None:
        self.options = options
        self.reader = Reader(TextFrontEnd(options.front_end), options.language)
        self.prompting = _prompting(options)
        voice = ("speaker-similarity",) if self.prompting.heard else ()
        self.metrics: tuple[str, ...] = ("error-rates", *voice)

    def language_models(self, codec: Codec, lm: LMConfig) -> dict[str, LMConfig]:
        """One model for the first codebook and one for the others, or one for all of them."""
        del codec  # its numbers are in ``lm`` already
        reading = replace(
            lm,
            prefix_symbols=self.reader.size,
            condition_dropout=self.options.condition_dropout,
        )
        if self.options.model != "ar+nar":
            return {ONLY: replace(reading, pattern=self.options.model, end_symbol=True)}
        models = {AUTOREGRESSIVE: replace(reading, num_codebooks=1, end_symbol=True)}
        if lm.num_codebooks > 1:
            models[FILLING_IN] = replace(reading, given_codebooks=1)
        return models

    def training_sequence(
        self, role: str, item: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """A recording with its text; None where it lacks a text, or a prompt that it must have."""
        return self._sequence(role, item, None, rng)

    def pairing(self, example: Example) -> str | None:
        """The speaker, where prompts are other recordings."""
        return example.speaker if self.prompting.paired else None

    def paired_sequence(
        self, role: str, item: TokenizedExample, partner: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """A recording with its text, after a prompt by the same speaker."""
        return self._sequence(role, item, partner, rng)

    def requests(self, items: Iterable[TokenizedExample], codec: Codec) -> list[Request]:
        """Every transcribed recording that has a prompt; prompts go around among a speaker's."""
        del codec
        spoken = [item for item in items if self._usable(item)]
        if not spoken:
            raise WorkbenchError(
                "no test recording has a transcript, which text-to-speech needs, and lasts at most "
                f"{self.options.longest_seconds:g} s (task.options.longest_seconds)"
            )
        groups = self._by_speaker(spoken)
        asked = (self.prompting.asked(item, _others(item, groups)) for item in spoken)
        pairs = zip(spoken, asked, strict=True)
        return [self._request(item, line) for item, line in pairs if line is not None]

    def request(self, wish: Wish, codec: Codec) -> Request:
        """Speak a person's text in the voice of the given audio."""
        if not wish.text:
            raise WorkbenchError('text-to-speech needs a text: give --text "..."')
        text = Text(wish.text, wish.language)
        prompt, before = self._heard(wish, codec)
        limit = self._limit(text, codec.frame_rate)
        if wish.duration is not None:
            limit = max(1, round(wish.duration * codec.frame_rate))
        elif wish.seconds is not None:
            limit = min(limit, max(1, round(wish.seconds * codec.frame_rate)))
        return Request(
            id="wish",
            example=Example("wish", "test", text=wish.text, language=wish.language),
            prompt=prompt,
            frames=limit,
            condition=Condition(prefix=self.reader.prefix(*before, text)),
            prompt_from="the person's prompt",
            at_least=1 if wish.duration is None else limit,
        )

    def generate(
        self, generators: Mapping[str, Any], requests: list[Request], seed: int
    ) -> list[Tensor]:
        """Speech ``[K, frames]``, in order, each as long as the model found right."""
        prompts = [request.prompt for request in requests]
        limits = [request.frames for request in requests]
        conditions = [request.condition for request in requests]
        least = [max(1, request.at_least) for request in requests]
        if ONLY in generators:
            spoken: list[Tensor] = generators[ONLY](
                prompts, limits, conditions, seed, at_least=least
            )
            return spoken
        firsts = [prompt[:1] for prompt in prompts]
        first: list[Tensor] = generators[AUTOREGRESSIVE](
            firsts, limits, conditions, seed, at_least=least
        )
        if FILLING_IN not in generators:
            return first
        whole: list[Tensor] = generators[FILLING_IN](prompts, first, conditions, seed)
        return whole

    def _usable(self, item: TokenizedExample) -> bool:
        """Whether a recording has a text and is not too long."""
        longest = self.options.longest_seconds * item.frame_rate
        return bool(item.example.text) and item.codes.shape[-1] <= longest

    def _by_speaker(self, items: list[TokenizedExample]) -> dict[str, list[TokenizedExample]]:
        """By each recording's id, all of its speaker's, where prompts are other recordings."""
        groups: defaultdict[str, list[TokenizedExample]] = defaultdict(list)
        for item in items if self.prompting.paired else ():
            if item.example.speaker is not None:
                groups[item.example.speaker].append(item)
        if self.prompting.paired and not groups:
            raise WorkbenchError(
                "no test recording has a speaker, which cross-utterance prompts need; use a "
                "corpus that knows who speaks, or task.options.prompt=continuation"
            )
        return {item.example.id: group for group in groups.values() for item in group}

    def _sequence(
        self,
        role: str,
        item: TokenizedExample,
        partner: TokenizedExample | None,
        rng: np.random.Generator,
    ) -> Sequence | None:
        line = self.prompting.drawn(item, partner, rng) if self._usable(item) else None
        if line is None:
            return None
        condition = Condition(prefix=self.reader.prefix(*line.texts))
        if role == FILLING_IN:
            return Sequence(line.codes, condition, line.heard)
        codes = line.codes[:1] if role == AUTOREGRESSIVE else line.codes
        return Sequence(codes, condition, 0 if self.prompting.told else line.heard)

    def _request(self, item: TokenizedExample, line: Line) -> Request:
        heard = line.heard
        limit = self._limit(line.texts[-1], item.frame_rate)
        if line.prompt_from is None:  # its text says the prompt too
            limit = max(1, limit - heard)
        return Request(
            id=item.example.id,
            example=item.example,
            prompt=line.codes[:, :heard],
            frames=limit,
            condition=Condition(prefix=self.reader.prefix(*line.texts)),
            reference=line.codes[:, heard:],
            prompt_from=line.prompt_from,
            at_least=1,
        )

    def _heard(self, wish: Wish, codec: Codec) -> tuple[Tensor, list[Text]]:
        """The codes to hear before a person's text, and what is said in them, where that counts."""
        import torch

        if wish.prompt is None and not self.prompting.heard:
            return torch.zeros(codec.num_codebooks, 0, dtype=torch.long), []
        if wish.prompt is None:
            raise WorkbenchError("this run speaks in the voice of a prompt: give --prompt FILE")
        prompt = self.prompting.given(wish.prompt, codec.frame_rate)
        if not self.prompting.told:
            return prompt, []
        if not wish.prompt_text:
            raise WorkbenchError(
                "this run must be told what is said in the prompt, word for word: "
                'give --prompt-text "..."'
            )
        return prompt, [Text(wish.prompt_text, wish.language)]

    def _limit(self, text: Text, frame_rate: float) -> int:
        """Most frames that a text may take."""
        symbols = len(self.reader.prefix(text))
        return math.ceil((1 + symbols * self.options.seconds_per_symbol) * frame_rate)


def _others(
    item: TokenizedExample, groups: Mapping[str, list[TokenizedExample]]
) -> list[TokenizedExample]:
    """The speaker's other recordings, the one after the item first, so that prompts vary."""
    group = groups.get(item.example.id, [])
    place = next((n for n, other in enumerate(group) if other is item), 0)
    return group[place + 1 :] + group[:place]


def _prompting(options: TextToSpeechOptions) -> Prompting:
    seconds = options.prompt_seconds
    if options.prompt == "none":
        return NoPrompt()
    if options.prompt == "continuation":
        return OwnBeginning(seconds)
    return ToldUtterance(seconds) if options.prompt_text else UntoldUtterance(seconds)
