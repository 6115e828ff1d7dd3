"""Sentences: words in random order, each sentence of one split alone, whatever the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench import EspeakVoice, Split
from workbench_corpora.draws import Draws
from workbench_corpora.speech.speakers import NATIVE, Speaker
from workbench_corpora.speech.words import GAPS, WORDS

_PACE: Mapping[str, float] = {"en": 1.0, "es": 1.0, "cmn": 1.25}
"""espeak-ng counts a syllable of Mandarin as a word: this evens out how long sentences take."""
# An eighth of all sentences belongs to each held-out split, the rest to training.
_SPLIT_OF_EIGHTH: Mapping[int, Split] = {0: "validation", 1: "test"}


@dataclass(frozen=True)
class Rules:
    """What sentences are made of: the first words of each vocabulary, and how many."""

    languages: tuple[str, ...]
    vocabulary: int
    min_words: int
    max_words: int


@dataclass(frozen=True)
class Utterance:
    """What is said, by whom, and how."""

    text: str
    language: str
    speaker: Speaker
    voice: EspeakVoice

    @property
    def accent(self) -> str:
        """The voice whose sounds English is spoken with; ``native`` for everything else."""
        return self.speaker.accent if self.language == "en" else NATIVE


def sentence_split(text: str) -> Split:
    """The split that a sentence belongs to."""
    return _SPLIT_OF_EIGHTH.get(hashlib.sha256(text.encode()).digest()[0] % 8, "train")


def draw_utterance(
    rules: Rules, speakers: Sequence[Speaker], seed: int, split: Split, index: int
) -> Utterance:
    """Utterance number ``index`` of a split; languages take turns."""
    language = rules.languages[index % len(rules.languages)]
    attempt = 0
    while True:
        draws = Draws("synthetic-speech", seed, split, index, attempt)
        text = _draw_text(draws, rules, language)
        if sentence_split(text) == split:
            break
        attempt += 1
    speaker = draws.pick(speakers)
    return Utterance(text, language, speaker, _draw_voice(draws, speaker, language))


def _draw_text(draws: Draws, rules: Rules, language: str) -> str:
    words = WORDS[language][: rules.vocabulary]
    count = draws.integer(rules.min_words, rules.max_words)
    return GAPS[language].join(draws.pick(words) for _ in range(count))


def _draw_voice(draws: Draws, speaker: Speaker, language: str) -> EspeakVoice:
    """The speaker's voice for this utterance: nobody speaks twice at quite the same pitch."""
    voices = {"en": "en-us"} if speaker.accent == NATIVE else {"en": speaker.accent}
    pace = speaker.words_per_minute * _PACE[language] * draws.uniform(0.94, 1.06)
    return EspeakVoice(
        name=f"{voices.get(language, language)}+{speaker.variant}",
        words_per_minute=round(pace / speaker.formants),
        pitch=speaker.pitch + draws.integer(-4, 4),
        pitch_range=speaker.pitch_range,
    )
