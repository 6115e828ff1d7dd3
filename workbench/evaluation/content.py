"""What features of recordings tell: probes on held-out recordings, with an interval.

In the manner of ARCH (La Quatra et al. 2024): a linear model on frozen features, of single frames
for what changes within a recording, of the mean over its frames for what holds for the whole of it.
Probes are fitted on training recordings and scored on test recordings. A training recording whose
speaker is tested too is left out, but where the speaker is what is asked for: then the test
recordings are split into two halves, and each half is scored by a probe fitted on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.api.types import Example, Figure
from workbench.evaluation.labels import UNKNOWN, Span, frame_labels, numbered
from workbench.evaluation.probes import linear_scores
from workbench.evaluation.statistics import mean_figure

IDENTITY = "speaker"
"""What is asked within the test recordings alone, since training has other speakers."""
FIT_FRAMES = 20_000
"""Most frames that a probe is fitted on, drawn by a seed."""
FRAMES = "share of test frames whose {} a linear probe on single frames finds"
WHOLE = "share of test recordings whose {} a linear probe on the mean over frames finds"
SEVERAL = (
    "mean average precision, over test recordings, of the ranking of all {}s by a linear probe on "
    "the mean over frames"
)


@dataclass(frozen=True)
class Features:
    """Features ``[F, D]`` of recordings at ``frame_rate``, split like the recordings."""

    frame_rate: float
    train: Sequence[Tensor]
    test: Sequence[Tensor]


def probe_frames(
    name: str,
    features: Features,
    train: Sequence[Sequence[Span]],
    test: Sequence[Sequence[Span]],
    ids: Sequence[str],
    seed: int,
) -> Figure:
    """Accuracy on single frames; each test recording counts by its labelled frames."""
    numbers = numbered([label for spans in (*train, *test) for _, _, label in spans])

    def labels(pieces: Sequence[Tensor], spans: Sequence[Sequence[Span]]) -> list[Tensor]:
        return [
            frame_labels(each, len(piece), features.frame_rate, numbers)
            for piece, each in zip(pieces, spans, strict=True)
        ]

    truth, points = torch.cat(labels(features.train, train)), torch.cat(list(features.train))
    known = torch.nonzero(truth != UNKNOWN).flatten()
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
    known = known[order[:FIT_FRAMES].sort().values]
    targets = torch.nn.functional.one_hot(truth[known], len(numbers))
    found = linear_scores(points[known], targets, torch.cat(list(features.test))).argmax(dim=1)
    scores, weights = {}, {}
    wanted = labels(features.test, test)
    guesses = torch.split(found, [len(piece) for piece in wanted])
    for identifier, right, guess in zip(ids, wanted, guesses, strict=True):
        there = right != UNKNOWN
        if there.any():
            scores[identifier] = float((right == guess)[there].double().mean())
            weights[identifier] = float(there.sum())
    settings = {"definition": FRAMES.format(name), "labels": len(numbers), "seed": seed}
    return mean_figure(name, scores, True, settings=settings, weights=weights)


def probe_whole(
    name: str,
    features: Features,
    train: Sequence[Sequence[str]],
    test: Sequence[Sequence[str]],
    ids: Sequence[str],
) -> Figure:
    """Accuracy on whole recordings or, where one can have several labels, average precision."""
    numbers = numbered([label for labels in (*train, *test) for label in labels])
    single = all(len(labels) == 1 for labels in (*train, *test))
    points, wanted = pooled(features.test), _indicators(test, numbers)
    if name == IDENTITY:
        predicted = _halves(points, wanted)
    else:
        predicted = linear_scores(pooled(features.train), _indicators(train, numbers), points)
    scored = [_hit(*pair) if single else _average_precision(*pair)
              for pair in zip(predicted, wanted, strict=True)]  # fmt: skip
    definition = (WHOLE if single else SEVERAL).format(name)
    settings = {"definition": definition, "labels": len(numbers)}
    return mean_figure(name, dict(zip(ids, scored, strict=True)), True, settings=settings)


def pooled(pieces: Sequence[Tensor]) -> Tensor:
    """Means over frames ``[N, D]``."""
    return torch.stack([piece.double().mean(dim=0) for piece in pieces])


def held_out(train: Sequence[Example], test: Sequence[Example]) -> list[int]:
    """Numbers of the training recordings whose speaker is not tested."""
    tested = {example.speaker for example in test} - {None}
    return [number for number, example in enumerate(train) if example.speaker not in tested]


def _indicators(labels: Sequence[Sequence[str]], numbers: Mapping[str, int]) -> Tensor:
    """1 float64 ``[N, C]`` for each label that a recording has."""
    table = torch.zeros(len(labels), len(numbers), dtype=torch.float64)
    for row, names in enumerate(labels):
        for name in names:
            table[row, numbers[name]] = 1
    return table


def _halves(points: Tensor, wanted: Tensor) -> Tensor:
    """Predictions for each recording by the half that it is not in; halves share each label."""
    seen: dict[int, int] = {}
    half = []
    for label in wanted.argmax(dim=1).tolist():
        half.append(seen.get(label, 0) % 2)
        seen[label] = seen.get(label, 0) + 1
    sides = torch.tensor(half)
    predicted = torch.zeros_like(wanted)
    for side in (0, 1):
        predicted[sides == side] = linear_scores(
            points[sides != side], wanted[sides != side], points[sides == side]
        )
    return predicted


def _hit(predicted: Tensor, wanted: Tensor) -> float:
    return float(wanted[predicted.argmax()])


def _average_precision(predicted: Tensor, wanted: Tensor) -> float:
    """Mean, over the labels that a recording has, of the precision down to each one's rank."""
    ranked = wanted[predicted.argsort(descending=True, stable=True)]
    places = torch.nonzero(ranked).flatten().double() + 1
    return float((torch.arange(1, len(places) + 1) / places).mean())
