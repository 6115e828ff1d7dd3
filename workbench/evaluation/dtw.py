"""Dynamic time warping between many items at once, the way ABX tests use it.

The distance of two items is the cost of the cheapest path through the table of their frames'
distances, divided by the number of steps of that path. Between equally cheap ways into a cell, the
diagonal one goes before the one along the second item, and that before the one along the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

UNIT = 1_000_000
"""Costs are whole millionths, so that sums are exact and what ties on paper ties here: tokens that
repeat make ties common."""


@dataclass(frozen=True)
class Segments:
    """Items as stretches of frames that lie end to end: where each starts and how long it is.

    Both are int64 ``[N]``; no item is empty.
    """

    starts: Tensor
    lengths: Tensor

    def pick(self, chosen: Tensor) -> Segments:
        """Some of the items."""
        return Segments(self.starts[chosen], self.lengths[chosen])


def whole_units(distances: Tensor) -> Tensor:
    """Distances between frames, at least 0, as int64 multiples of a millionth."""
    return (distances.double() * UNIT).round().long()


def warped_distances(costs: Tensor, rows: Segments, columns: Segments) -> Tensor:
    """Distances float64 ``[R, C]`` between R items and C others.

    ``costs`` int64 ``[N, M]`` holds :func:`whole_units` between the frames that ``rows`` and
    ``columns`` lie in. All tables grow in step. Items are sorted by length, so that those that a
    cell of the tables still concerns are the first of them.
    """
    row_order, column_order = _longest_first(rows.lengths), _longest_first(columns.lengths)
    rows, columns = rows.pick(row_order), columns.pick(column_order)
    active_rows, active_columns = _longer_than(rows.lengths), _longer_than(columns.lengths)
    found = torch.zeros(len(row_order), len(column_order), dtype=torch.float64)
    above: list[tuple[Tensor, Tensor]] = []
    for i, (count, fewer) in enumerate(pairwise(active_rows)):
        line: list[tuple[Tensor, Tensor]] = []
        frames = costs[rows.starts[:count] + i]
        for j, (width, narrower) in enumerate(pairwise(active_columns)):
            here = frames[:, columns.starts[:width] + j]
            total, steps = _step(above, line, j, count, width)
            line.append((total + here, steps + 1))
            ends = (slice(fewer, count), slice(narrower, width))
            found[ends] = line[j][0][ends].double() / line[j][1][ends]
        above = line
    result = torch.empty_like(found)
    result[row_order[:, None], column_order] = found / UNIT
    return result


def _step(
    above: list[tuple[Tensor, Tensor]], line: list[tuple[Tensor, Tensor]], j: int, count: int,
    width: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Cost and steps ``[count, width]`` of the best way that leads to a cell of column ``j``."""
    here = (slice(count), slice(width))
    along = (line[j - 1][0][here], line[j - 1][1][here]) if j else None
    if not above:
        nothing = torch.zeros(count, width, dtype=torch.int64)
        return along or (nothing, nothing)
    down = (above[j][0][here], above[j][1][here])
    if along is None:
        return down
    straight = (above[j - 1][0][here], above[j - 1][1][here])
    return _cheaper(straight, _cheaper(along, down))


def _cheaper(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The cheaper of two ways; the first where they cost the same."""
    first = one[0] <= other[0]
    return torch.where(first, one[0], other[0]), torch.where(first, one[1], other[1])


def _longest_first(lengths: Tensor) -> Tensor:
    return torch.argsort(lengths, descending=True, stable=True)


def _longer_than(lengths: Tensor) -> list[int]:
    """How many of the lengths are greater than 0, 1, 2 ..., down to none."""
    return [int((lengths > i).sum()) for i in range(int(lengths.max()) + 1)]
