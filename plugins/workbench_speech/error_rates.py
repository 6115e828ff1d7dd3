"""Word and character error rates of speech, as a recogniser hears it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from workbench import EvaluationItem, Figure, WorkbenchError, set_figure
from workbench_speech.listening import Transcriber
from workbench_speech.text import characters, words


class ErrorRates:
    """``wer`` and ``cer``: all insertions, deletions and substitutions over all true units.

    Counted over the whole set, as the field does, so that a long sentence weighs more than a short
    one; rates above 1 are possible. Text is normalised as Whisper's authors do (see ``text.py``);
    languages without spaces count characters as words. The interval is a bootstrap over items.
    """

    def __init__(self, transcriber: Transcriber, judge: str) -> None:
        self.transcriber = transcriber
        self.judge = judge
        self._words: list[tuple[int, int]] = []
        self._characters: list[tuple[int, int]] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in one item, whose example must have a text."""
        text, language = item.example.text, item.example.language
        if not text or not characters(text, language):
            raise WorkbenchError(
                f"error-rates: item {item.id!r} has no text to compare with; use a corpus with "
                "transcripts, or leave this metric out"
            )
        said = self.transcriber(item.generated, language)
        self._words.append(errors(words(text, language), words(said, language)))
        self._characters.append(errors(characters(text, language), characters(said, language)))

    def compute(self) -> list[Figure]:
        """``wer`` and ``cer``, lower is better; nothing where no item was seen."""
        if not self._words:
            return []
        settings = {
            "judge": self.judge,
            "judge_weights": self.transcriber.fingerprint,
            "normaliser": "whisper-normalizer: English, else basic with diacritics kept",
        }
        return [
            rate_figure("wer", self._words, settings),
            rate_figure("cer", self._characters, settings),
        ]


def rate_figure(name: str, counts: Sequence[tuple[int, int]], settings: dict[str, Any]) -> Figure:
    """Errors over true units of all items, with a bootstrap interval over items."""
    table: NDArray[np.float64] = np.array(counts, dtype=np.float64)

    def rate(weights: NDArray[np.float64]) -> float:
        wrong, total = weights @ table
        return float(wrong / total)

    definition = {"definition": "errors over true units, counted over the set", **settings}
    return set_figure(name, len(table), rate, False, settings=definition)


def errors(truth: Sequence[str], said: Sequence[str]) -> tuple[int, int]:
    """Fewest insertions, deletions and substitutions from ``truth`` to ``said``; units of truth."""
    return int(Levenshtein.distance(truth, said)), len(truth)
