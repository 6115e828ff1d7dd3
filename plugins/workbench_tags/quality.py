"""How well a tagger hears the events of annotated scenes: the figures of the model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from workbench import AudioDataset, Clip, Figure, Tagger, mean_figure
from workbench_tags.listening import Ear, Heard
from workbench_tags.recall import Judgement, columns, judgement
from workbench_tags.truth import annotated, ordered_pairs
from workbench_tags.wishes import Wish


@dataclass(frozen=True)
class Scored:
    """What a tagger made of some scenes."""

    figures: list[Figure]
    average_precision: dict[str, float]
    """By class, over scenes: how well its presence ranks the scenes that have it."""

    @property
    def mean_average_precision(self) -> float:
        """mAP over the classes that some scene has."""
        return float(np.mean(list(self.average_precision.values())))


def truth(clip: Clip) -> Wish:
    """What is to be heard in a scene."""
    events = annotated(clip.example)
    kinds = tuple(dict.fromkeys(event.kind for event in events))
    return Wish(kinds, tuple(ordered_pairs(events)))


def listen(tagger: Tagger, data: AudioDataset, clips: Sequence[Clip]) -> list[Heard]:
    """What the tagger hears in each scene."""
    ear = Ear(tagger)
    return [ear(data.audio(clip)) for clip in clips]


def score(
    classes: Sequence[str], wishes: Sequence[Wish], heard: Sequence[Heard], threshold: float = 0.5
) -> Scored:
    """Event recall and precision, share of ordered pairs in order, and average precision.

    Chance is what another scene's ``heard`` gives: the same events as often, in other scenes.
    """
    table = columns(classes, {})
    counts = [judgement(w, h, table, threshold) for w, h in zip(wishes, heard, strict=True)]
    figures = [
        _ratio("recall", [(c.found, c.wished) for c in counts]),
        _ratio("precision", [(c.found, c.found + c.false_alarms) for c in counts]),
        _ratio("order", [(c.pairs_right, c.pairs) for c in counts]),
        _ratio("order where heard", [(c.pairs_right, c.pairs_heard) for c in counts]),
    ]
    presence = torch.stack([h.presence for h in heard])
    return Scored([figure for figure in figures if figure], _precision(classes, wishes, presence))


def best_threshold(classes: Sequence[str], wishes: Sequence[Wish], heard: Sequence[Heard]) -> float:
    """The threshold at which recall and precision together (F1) are best."""
    table = columns(classes, {})

    def f1(threshold: float) -> float:
        counts = [judgement(w, h, table, threshold) for w, h in zip(wishes, heard, strict=True)]
        found, alarms = _total(counts)
        return 2 * found / (found + alarms + sum(c.wished for c in counts))

    return max((step / 20 for step in range(2, 19)), key=f1)


def _total(counts: Sequence[Judgement]) -> tuple[int, int]:
    return sum(c.found for c in counts), sum(c.false_alarms for c in counts)


def _ratio(name: str, counts: Sequence[tuple[int, int]]) -> Figure | None:
    """A ratio of sums over scenes; None where there is nothing to count."""
    some = {str(k): (part, whole) for k, (part, whole) in enumerate(counts) if whole}
    if not some:
        return None
    shares = {item: part / whole for item, (part, whole) in some.items()}
    return mean_figure(
        name, shares, True, weights={item: float(whole) for item, (_, whole) in some.items()}
    )


def _precision(
    classes: Sequence[str], wishes: Sequence[Wish], presence: Tensor
) -> dict[str, float]:
    found = {}
    for column, name in enumerate(classes):
        there = np.array([name in wish.kinds for wish in wishes])
        if there.any():
            found[name] = float(average_precision_score(there, presence[:, column].numpy()))
    return found
