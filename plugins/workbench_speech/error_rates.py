"""Word and character error rates of speech, as a recogniser hears it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from workbench import EvaluationItem, Figure, ItemLacks, mean_figure, metric_settings
from workbench_speech.lexicon import Lexicon
from workbench_speech.listening import Transcriber
from workbench_speech.text import characters, has_no_spaces, normalise, words


class ErrorRates:
    """``wer`` and ``cer``: all insertions, deletions and substitutions over all true units.

    Counted over the whole set, as the field does, so that a long sentence weighs more than a short
    one; rates above 1 are possible. Text is normalised as Whisper's authors do (see ``text.py``);
    languages without spaces count characters as words. Where speech goes on from a prompt, both are
    heard, since the text is that of both.

    With ``lexicons`` by language there is ``closed-wer`` beside them: what was heard is read as the
    nearest sequence of the lexicon's words, which takes a recogniser's spelling out of the figure
    where the vocabulary is known. Languages without a lexicon or without spaces have none.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        judge: str,
        lexicons: Mapping[str | None, Lexicon] | None = None,
    ) -> None:
        self.transcriber = transcriber
        self.judge = judge
        self.lexicons = lexicons or {}
        self._words: dict[str, tuple[int, int]] = {}
        self._characters: dict[str, tuple[int, int]] = {}
        self._closed: dict[str, tuple[int, int]] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item, whose example must have a text."""
        text, language = item.example.text, item.example.language
        if not text or not characters(text, language):
            raise ItemLacks(
                f"error-rates: item {item.id!r} has no text to compare with; use a corpus with "
                "transcripts, or leave this metric out"
            )
        said = self.transcriber(item.whole, language)
        self._words[item.id] = errors(words(text, language), words(said, language))
        self._characters[item.id] = errors(characters(text, language), characters(said, language))
        if language in self.lexicons and not has_no_spaces(language):
            heard = self.lexicons[language].nearest(normalise(said, language))
            self._closed[item.id] = errors(words(text, language), heard)

    def compute(self) -> list[Figure]:
        """``wer``, ``cer`` and, with lexicons, ``closed-wer``; nothing where no item was seen."""
        if not self._words:
            return []
        settings = metric_settings(
            "insertions, deletions, substitutions over true units of the whole set",
            version=1,
            models={self.judge: self.transcriber.fingerprint},
            heard_at=self.transcriber.judge.sample_rate,
        )
        settings["normaliser"] = "whisper-normalizer: English, else basic with diacritics kept"
        figures = [
            rate_figure("wer", self._words, settings),
            rate_figure("cer", self._characters, settings),
        ]
        if self._closed:
            sizes = {
                str(lang): len(found.words)
                for lang, found in sorted(self.lexicons.items(), key=str)
            }
            figures.append(rate_figure("closed-wer", self._closed, settings | {"lexicon": sizes}))
        return figures


def rate_figure(
    name: str, counts: Mapping[str, tuple[int, int]], settings: Mapping[str, Any]
) -> Figure:
    """Errors over true units of all items; each item's own rate counts by its units."""
    rates = {item: wrong / total for item, (wrong, total) in counts.items()}
    units = {item: float(total) for item, (_, total) in counts.items()}
    return mean_figure(name, rates, False, settings=settings, weights=units)


def errors(truth: Sequence[str], said: Sequence[str]) -> tuple[int, int]:
    """Fewest insertions, deletions and substitutions from ``truth`` to ``said``; units of truth."""
    return int(Levenshtein.distance(truth, said)), len(truth)
