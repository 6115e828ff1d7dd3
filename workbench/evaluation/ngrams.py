"""A small language model of codes: how predictable each codebook is from what came before it.

A trigram model with interpolated Kneser-Ney smoothing (Kneser and Ney 1995; discounts after Ney,
Essen and Kneser 1994), down to equal chances of all entries. It is quick and has nothing to tune,
and so serves to compare codecs and depths on the same audio; it sees two codes back, and its
perplexity is not to be set beside a trained transformer's.

Codebook 1 is predicted from its two codes before. Others are predicted from the codebook before
them in the same frame and from their own code before: what a model that emits a frame's codebooks
one after another has at hand. Where a codebook is looked at by itself, all are predicted like the
first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Codes = NDArray[np.int64]
START = 0
"""Stands for what came before a recording; entries count from 1 in contexts."""
HALF = 0.5
"""Discount where nothing was seen just once."""


def code_nats(
    train: Sequence[Tensor], test: Sequence[Tensor], codebook_size: int, alone: bool = False
) -> NDArray[np.float64]:
    """Negative log-likelihood ``[N, K]`` of each test recording's codes, in nats, by codebook.

    Recordings are codes int64 ``[K, F]``. ``alone``: each codebook without the one before it.
    """
    codebooks = len(train[0])
    totals = np.zeros((len(test), codebooks))
    for level in range(codebooks):
        known = np.concatenate([_grams(codes, level, alone) for codes in train])
        model = Trigrams(known, codebook_size)
        for number, codes in enumerate(test):
            totals[number, level] = -np.log(model.chances(_grams(codes, level, alone))).sum()
    return totals


class Trigrams:
    """Chances of a code after a context of two, learnt from rows (far, near, code)."""

    def __init__(self, grams: Codes, codebook_size: int) -> None:
        self.size = codebook_size
        longest = _Counts(self._keys(grams, 2), codebook_size)
        # In shorter contexts a code counts by how many longer ones it was seen in.
        middle = _Counts(longest.seen % ((codebook_size + 1) * codebook_size), codebook_size)
        shortest = _Counts(middle.seen % codebook_size, codebook_size)
        self.orders = (shortest, middle, longest)

    def chances(self, grams: Codes) -> NDArray[np.float64]:
        """Probability float64 ``[N]`` of the last code of each row, given the others."""
        chances = np.full(len(grams), 1 / self.size)
        for order, counts in enumerate(self.orders):
            chances = counts.smoothed(self._keys(grams, order), chances)
        return chances

    def _keys(self, grams: Codes, order: int) -> Codes:
        """A number for each row's last ``order`` codes of context and its code."""
        context = np.zeros(len(grams), dtype=np.int64)
        for column in range(2 - order, 2):
            context = context * (self.size + 1) + grams[:, column]
        return context * self.size + grams[:, 2] - 1


class _Counts:
    """How often contexts and codes in them were seen."""

    def __init__(self, keys: Codes, codebook_size: int) -> None:
        self.size = codebook_size
        self.seen, self.times = np.unique(keys, return_counts=True)
        once, twice = ((self.times == count).sum() for count in (1, 2))
        self.discount = float(once / (once + 2 * twice)) if once else HALF
        contexts = self.seen // codebook_size
        self.contexts, first = np.unique(contexts, return_index=True)
        self.kinds = np.diff(np.append(first, len(contexts)))
        self.totals = np.add.reduceat(self.times, first)

    def smoothed(self, keys: Codes, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chances of codes in contexts; what is taken off seen codes is shared out by ``lower``."""
        times = _looked_up(self.seen, self.times, keys)
        contexts = keys // self.size
        kinds = _looked_up(self.contexts, self.kinds, contexts)
        totals = _looked_up(self.contexts, self.totals, contexts)
        kept = np.maximum(times - self.discount, 0) + self.discount * kinds * lower
        return np.where(totals > 0, kept / np.maximum(totals, 1), lower)


def _looked_up(known: Codes, values: Codes, wanted: Codes) -> Codes:
    """The value of each wanted key among the sorted ``known`` ones; 0 where it is not."""
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, values[places], 0)


def _grams(codes: Tensor, level: int, alone: bool) -> Codes:
    """Rows (far, near, code) int64 ``[F, 3]`` of one codebook, entries counted from 1."""
    values = codes.numpy().astype(np.int64) + 1
    own = values[level]
    before = np.concatenate([[START], own[:-1]])
    if alone or level == 0:
        columns = [np.concatenate([[START], before[:-1]]), before, own]
    else:
        columns = [before, values[level - 1], own]
    return np.stack(columns, axis=1)
