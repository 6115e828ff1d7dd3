"""The embedded speech corpus: several languages, many voices, spoken on the spot by espeak-ng."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from workbench import Audio, Espeak, Example, RecipeError, Speech, Split, phonemise, resample
from workbench_corpora.draws import Draws
from workbench_corpora.options import SyntheticSpeechOptions
from workbench_corpora.speech.acoustics import Wave, recorded
from workbench_corpora.speech.sentences import Rules, Utterance, draw_utterance
from workbench_corpora.speech.speakers import NATIVE, Speaker, speakers

GENERATOR_VERSION = 2
"""Raised whenever the same options give other audio or texts; a test reminds of it."""

_AHEAD = 4
"""Utterances that are spoken ahead, since recordings are mostly asked for in order."""
_SILENCE = 0.08
"""Seconds before the first sound and after the last."""


class SyntheticSpeech:
    """Sentences spoken by many voices; each is a pure function of (seed, split, number)."""

    def __init__(self, options: SyntheticSpeechOptions) -> None:
        self._options = options
        self._espeak = Espeak()
        self._sizes: dict[Split, int] = {
            "train": options.train,
            "validation": options.validation,
            "test": options.test,
        }
        self._rules = Rules(
            tuple(options.languages), options.vocabulary, options.min_words, options.max_words
        )
        self._speakers = self._cast()
        self._known: dict[Split, list[Example]] = {}
        self._speaking = ThreadPoolExecutor(max_workers=1)
        self._spoken: dict[tuple[Split, int], Future[Speech]] = {}

    def fingerprint(self) -> str:
        """Hash of the generator's and espeak-ng's versions and of all options."""
        content = [GENERATOR_VERSION, self._espeak.version, asdict(self._options)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def examples(self, split: Split) -> Iterator[Example]:
        """The utterances of one split, with their phonemes, accents and voices as details."""
        if split not in self._known:
            self._known[split] = self._listed(split)
        yield from self._known[split]

    def audio(self, example: Example) -> Audio:
        """The recording of an utterance, mono."""
        index = int(example.id.rsplit("-", 1)[1])
        rate = self._options.sample_rate
        speech = self._speech(example.split, index)
        draws = Draws("recording", self._options.seed, example.split, index)
        formants = self._utterance(example.split, index).speaker.formants
        wave = _padded(speech, formants, rate)
        wave = recorded(wave, rate, draws, self._options.variety)
        return Audio(torch.from_numpy(wave)[None], rate)

    def _speech(self, split: Split, index: int) -> Speech:
        """What espeak-ng says; it goes on to the next utterances while this one is dealt with."""
        if (split, index) not in self._spoken:
            self._spoken.clear()
        for near in range(index, min(index + _AHEAD, self._sizes[split])):
            if (split, near) not in self._spoken:
                utterance = self._utterance(split, near)
                told = self._speaking.submit(self._espeak.speak, utterance.text, utterance.voice)
                self._spoken[split, near] = told
        return self._spoken.pop((split, index)).result()

    def _cast(self) -> dict[Split, list[Speaker]]:
        """The speakers of each split."""
        options = self._options
        unknown = [name for name in options.accents if name not in self._espeak.voices]
        if unknown:
            known = ", ".join(self._espeak.voices)
            raise RecipeError(
                [f"accents = {name!r}: espeak-ng has no such voice; it has {known}"
                 for name in unknown],
                "synthetic-speech corpus",
            )  # fmt: skip
        share = (options.accents, options.accented)
        seen = speakers(options.voice_pool, False, options.voices, *share)
        unseen = speakers(options.voice_pool, True, options.test_voices, *share)
        return {"train": seen, "validation": seen, "test": unseen or seen}

    def _utterance(self, split: Split, index: int) -> Utterance:
        return draw_utterance(self._rules, self._speakers[split], self._options.seed, split, index)

    def _listed(self, split: Split) -> list[Example]:
        utterances = [self._utterance(split, index) for index in range(self._sizes[split])]
        phonemes: dict[tuple[str, str], str] = {}
        for language in self._rules.languages:
            texts = list({u.text: None for u in utterances if u.language == language})
            lines = phonemise(texts, language, self._espeak)
            phonemes.update(zip(((language, text) for text in texts), lines, strict=True))
        return [
            Example(
                id=f"{split}-{index:05d}",
                split=split,
                text=utterance.text,
                language=utterance.language,
                speaker=utterance.speaker.name,
                details={
                    "phonemes": phonemes[utterance.language, utterance.text],
                    **self._details(utterance),
                },
                domain="speech",
            )
            for index, utterance in enumerate(utterances)
        ]

    def _details(self, utterance: Utterance) -> dict[str, Any]:
        accented = utterance.accent != NATIVE
        details: dict[str, Any] = {
            "accent": utterance.accent,
            "language_accent": utterance.language + f" ({utterance.accent})" * accented,
            "voice": utterance.voice.name,
        }
        if self._options.alignments:
            speech = self._espeak.speak(utterance.text, utterance.voice)
            details["alignment"] = _alignment(speech, utterance.speaker.formants)
        return details


def _padded(speech: Speech, formants: float, sample_rate: int) -> Wave:
    """The voice with its formants moved, and no more than a short silence before and after it."""
    rate = speech.audio.sample_rate
    first, last = speech.phonemes[0].start, speech.phonemes[-1].end + _SILENCE * formants
    spoken = speech.audio.samples[0, round(first * rate) : round(last * rate)]
    # To play it faster moves all frequencies up; the speaker's pace makes up for it.
    moved = resample(spoken, round(rate * formants), sample_rate).numpy()
    return np.pad(moved, (round(_SILENCE * sample_rate), 0))


def _alignment(speech: Speech, formants: float) -> list[list[Any]]:
    """``[start, end, phoneme]`` of each phoneme, in seconds of the recording."""
    first = speech.phonemes[0].start

    def time(seconds: float) -> float:
        return round(_SILENCE + (seconds - first) / formants, 4)

    return [[time(p.start), time(p.end), p.text] for p in speech.phonemes]
