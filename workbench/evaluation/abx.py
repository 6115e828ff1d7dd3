"""ABX: are two spoken phones of a kind nearer to each other than to a phone of another kind?

Schatz et al. 2013 ("Evaluating speech features with the minimal-pair ABX task"), as the ZeroSpeech
challenges use it: A and X are one phone, B is another; the error is the share of triples in which X
lies nearer to B than to A, ties counting half. A and B are one speaker's; X is the same speaker's
(within) or another's (across). A cell holds the triples of one ordered pair of phones, one context
and one choice of speakers. The figure is the mean over pairs of phones of the mean over speakers of
the mean over that speaker's cells; 0.5 is chance.

Three kinds of item: ``any`` compares phones whatever their neighbours are, ``within`` compares
those with the same neighbours, and ``triphone`` compares such phones together with both neighbours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.api.types import Figure
from workbench.evaluation.dtw import Segments, warped_distances, whole_units
from workbench.evaluation.statistics import set_figure

Context = Literal["any", "within", "triphone"]
Array = NDArray[np.float64]
Distance = Callable[[Tensor, Tensor], Tensor]
"""Distances ``[N, M]`` between frames ``[N, D]`` and ``[M, D]``."""

BORDER = "#"
"""Neighbour of a recording's first and last phone."""
RESAMPLES = 1000
DEFINITION = (
    "share of triples in which a phone is nearer to another phone than to its own kind "
    "(ABX, Schatz et al. 2013); mean over speakers, then over ordered pairs of phones; "
    "0.5 is chance; interval over speakers"
)


@dataclass(frozen=True)
class Phone:
    """One phone of a recording (its number ``clip``), from ``onset`` to ``offset`` in seconds."""

    clip: int
    onset: float
    offset: float
    name: str
    context: tuple[str, ...]
    speaker: str


@dataclass(frozen=True)
class AbxErrors:
    """Mean error of each speaker (rows) on each ordered pair of phones (columns), NaN for none."""

    within: Array
    across: Array


def angular(one: Tensor, other: Tensor) -> Tensor:
    """Angle between vectors as a share of half a turn."""
    first, second = (torch.nn.functional.normalize(x.double(), dim=1) for x in (one, other))
    return (first @ second.T).clamp(-1, 1).acos() / math.pi


def differing(one: Tensor, other: Tensor) -> Tensor:
    """Share of the codebooks in which two frames of codes ``[., K]`` differ."""
    unlike = torch.zeros(len(one), len(other))
    for mine, theirs in zip(one.unbind(1), other.unbind(1), strict=True):
        unlike += mine[:, None] != theirs[None]
    return unlike / one.shape[1]


def draw_phones(
    alignments: Sequence[tuple[Sequence[tuple[float, float, str]], str]],
    context: Context,
    most: int,
    seed: int,
) -> list[Phone]:
    """The items of a test: at most ``most`` of each phone, context and speaker, drawn by ``seed``.

    ``alignments`` holds each recording's phones (start, end, name), end to end, and its speaker.
    Items that no cell can use (no other phone in their context) are left out.
    """
    groups: dict[tuple[str, tuple[str, ...]], dict[str, list[Phone]]] = {}
    for clip, (spans, speaker) in enumerate(alignments):
        for phone in _phones(clip, spans, speaker, context):
            kinds = groups.setdefault((speaker, phone.context), {})
            kinds.setdefault(phone.name, []).append(phone)
    rng = np.random.default_rng(seed)
    drawn: list[Phone] = []
    for kinds in groups.values():
        for phones in kinds.values():
            if len(kinds) > 1:
                chosen = rng.permutation(len(phones))[:most]
                drawn += [phones[number] for number in sorted(chosen)]
    return drawn


def _phones(
    clip: int, spans: Sequence[tuple[float, float, str]], speaker: str, context: Context
) -> Iterable[Phone]:
    names = [BORDER, *(name for _, _, name in spans), BORDER]
    for number, (onset, offset, name) in enumerate(spans):
        neighbours = () if context == "any" else (names[number], names[number + 2])
        if context == "triphone":
            if BORDER in neighbours:
                continue
            onset, offset = spans[number - 1][0], spans[number + 1][1]
        yield Phone(clip, onset, offset, name, neighbours, speaker)


def frames_of(phone: Phone, frame_rate: float, frames: int) -> tuple[int, int]:
    """First frame and the one after the last, of those whose middles lie within a phone.

    Where none does (a phone shorter than a frame), the frame that its own middle lies in; so coarse
    and fine frames are tested on the same phones.
    """
    start = max(0, math.ceil(phone.onset * frame_rate - 0.5 - 1e-6))
    end = min(frames, math.floor(phone.offset * frame_rate - 0.5 + 1e-6) + 1)
    if start < end:
        return start, end
    middle = int((phone.onset + phone.offset) / 2 * frame_rate)
    middle = min(max(middle, 0), frames - 1)
    return middle, middle + 1


def abx_errors(
    phones: Sequence[Phone],
    features: Sequence[Tensor],
    frame_rate: float,
    distance: Distance,
) -> AbxErrors:
    """Errors on ``phones``, whose recordings have ``features [F, D]`` at ``frame_rate``."""
    pieces = []
    for phone in phones:
        start, end = frames_of(phone, frame_rate, len(features[phone.clip]))
        pieces.append(features[phone.clip][start:end])
    everything = _segments(pieces)
    frames = torch.cat(pieces)
    cells = _Cells(phones)
    for speaker, numbers in cells.by_speaker.items():
        mine = [pieces[number] for number in numbers]
        costs = whole_units(distance(torch.cat(mine), frames))
        distances = warped_distances(costs, _segments(mine), everything)
        cells.score(speaker, distances.numpy())
    return AbxErrors(cells.errors(cells.within), cells.errors(cells.across))


def abx_figures(errors: AbxErrors, settings: Mapping[str, Any]) -> list[Figure]:
    """``abx-within`` and ``abx-across`` with intervals over speakers; those that there are."""
    return [
        _figure(name, table, settings)
        for name, table in (("abx-within", errors.within), ("abx-across", errors.across))
        if np.isfinite(table).any()
    ]


def _figure(name: str, table: Array, settings: Mapping[str, Any]) -> Figure:
    heard = table[np.isfinite(table).any(axis=1)]
    there = np.isfinite(heard)
    filled = np.where(there, heard, 0.0)

    def error(weights: Array) -> float:
        counts = weights @ there
        pairs = counts > 0
        return float(np.mean((weights @ filled)[pairs] / counts[pairs]))

    described = {"definition": DEFINITION, **settings}
    return set_figure(name, len(heard), error, False, settings=described, resamples=RESAMPLES)


def _segments(pieces: Sequence[Tensor]) -> Segments:
    """Where pieces lie that are put end to end."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    return Segments(lengths.cumsum(0) - lengths, lengths)


Totals = dict[tuple[str, str, str], list[float]]
"""Sum and number of cells by speaker of A and B, phone of A and phone of B."""


class _Cells:
    """Sorts phones into cells and adds up the cells' errors."""

    def __init__(self, phones: Sequence[Phone]) -> None:
        self.by_speaker: dict[str, list[int]] = defaultdict(list)
        self.kinds: dict[tuple[str, tuple[str, ...]], dict[str, list[int]]] = {}
        for number, phone in enumerate(phones):
            self.by_speaker[phone.speaker].append(number)
            kinds = self.kinds.setdefault((phone.speaker, phone.context), {})
            kinds.setdefault(phone.name, []).append(number)
        self.within: Totals = defaultdict(lambda: [0.0, 0.0])
        self.across: Totals = defaultdict(lambda: [0.0, 0.0])

    def score(self, x_speaker: str, distances: Array) -> None:
        """Add all cells whose X is a speaker's, from its phones' ``distances`` to all phones."""
        row_of = {number: row for row, number in enumerate(self.by_speaker[x_speaker])}
        for (speaker, context), kinds in self.kinds.items():
            same = speaker == x_speaker
            totals = self.within if same else self.across
            x_kinds = self.kinds.get((x_speaker, context), {})
            for phone in sorted(kinds.keys() & x_kinds.keys()):
                if same and len(kinds[phone]) < 2:
                    continue
                rows = distances[[row_of[number] for number in x_kinds[phone]]]
                for other, error in _cell_errors(rows, phone, kinds, same):
                    total = totals[speaker, phone, other]
                    total[0] += error
                    total[1] += 1

    def errors(self, totals: Totals) -> Array:
        """Mean error ``[speakers, ordered pairs of phones]``, NaN where there is no cell."""
        speakers = {name: row for row, name in enumerate(self.by_speaker)}
        pairs = {pair: i for i, pair in enumerate(sorted({(a, b) for _, a, b in totals}))}
        table = np.full((len(speakers), len(pairs)), np.nan)
        for (speaker, a, b), (total, count) in totals.items():
            table[speakers[speaker], pairs[a, b]] = total / count
        return table


def _cell_errors(
    rows: Array, phone: str, kinds: Mapping[str, Sequence[int]], same: bool
) -> Iterable[tuple[str, float]]:
    """Error against each other phone; ``rows [X, N]``: distances of the Xs to all phones.

    ``same``: the Xs are the As, in the same order, and none is its own A.
    """
    to_a = rows[:, kinds[phone]]
    others = {name: numbers for name, numbers in kinds.items() if name != phone}
    to_b = rows[:, [number for numbers in others.values() for number in numbers]]
    nearer, as_near = (compare(to_b[:, None], to_a[:, :, None]) for compare in (np.less, np.equal))
    pairs = ~np.eye(len(to_a), dtype=bool) if same else np.ones(to_a.shape, dtype=bool)
    errors = (nearer + 0.5 * as_near)[pairs].mean(axis=0)
    start = 0
    for name, numbers in others.items():
        yield name, float(errors[start : start + len(numbers)].mean())
        start += len(numbers)
