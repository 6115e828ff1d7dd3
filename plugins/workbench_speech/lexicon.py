"""What a recogniser wrote down, read as words of a known vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workbench import Example
from workbench_speech.text import words


class Lexicon:
    """The words that can occur, and the sequence of them that comes nearest to a transcript.

    Nearest by insertions, deletions and substitutions of characters, spaces among them, so that
    words may also be split or joined: the usual one-pass search over sequences of words (Ney 1984),
    for all words at once.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self.words = sorted(set(vocabulary))
        spaced = [f"{word} " for word in self.words]
        self.lengths = np.array([len(word) for word in spaced])
        width = int(self.lengths.max(initial=0))
        self.letters = np.array([list(word.ljust(width)) for word in spaced]).reshape(
            len(spaced), width
        )

    def nearest(self, said: str) -> list[str]:
        """The words nearest to ``said``; ties go to the word that is first in the alphabet."""
        if not said.strip() or not self.words:
            return []
        text = f"{' '.join(said.split())} "
        rows = np.arange(len(self.words))
        # cost[w, p]: least cost of the transcript so far where p letters of word w are done;
        # start[w, p]: where in the transcript that word began.
        cost = np.tile(np.arange(self.letters.shape[1] + 1), (len(self.words), 1))
        start = np.zeros_like(cost)
        ends = [(-1, 0)]  # for each place in the transcript: the last word up to it, its start
        for place, letter in enumerate(text, 1):
            changed, begun = cost[:, :-1] + (self.letters != letter), start[:, :-1]
            cost, start = cost + 1, start.copy()
            _take(cost[:, 1:], start[:, 1:], changed, begun)
            _skip_letters(cost, start)
            finished = cost[rows, self.lengths]
            last = int(finished.argmin())
            ends.append((last, int(start[last, self.lengths[last]])))
            _take(cost[:, :1], start[:, :1], finished[[last], None], np.array([[place]]))
            _skip_letters(cost, start)
        return self._trace(ends)

    def _trace(self, ends: Sequence[tuple[int, int]]) -> list[str]:
        found, place = [], len(ends) - 1
        while place > 0:
            word, place = ends[place]
            found.append(self.words[word])
        return found[::-1]


def _take(cost: np.ndarray, start: np.ndarray, other: np.ndarray, begun: np.ndarray) -> None:
    """Take the other way where it costs less, in place."""
    better = other < cost
    np.copyto(cost, other, where=better)
    np.copyto(start, begun, where=better)


def _skip_letters(cost: np.ndarray, start: np.ndarray) -> None:
    """A word may lack letters in the transcript: one costs 1."""
    for done in range(1, cost.shape[1]):
        _take(cost[:, done], start[:, done], cost[:, done - 1] + 1, start[:, done - 1])


def lexicons_of(examples: Iterable[Example]) -> dict[str | None, Lexicon]:
    """The words of each language that occur in texts."""
    found: dict[str | None, set[str]] = {}
    for example in examples:
        spoken = words(example.text or "", example.language)
        found.setdefault(example.language, set()).update(spoken)
    return {language: Lexicon(vocabulary) for language, vocabulary in found.items()}
