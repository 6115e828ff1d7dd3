"""What a tagger makes of generated audio: against the truth, and over the set.

- ``class-divergence`` is the field's paired KL (Kreuk et al. 2022, arXiv 2209.15352): of a
  clip's classes from those of its own truth, KL(truth || generated) in nats, mean over clips;
- ``inception-score`` (Salimans et al. 2016, arXiv 1606.03498) is exp of the mean divergence of a
  clip's classes from all clips' mean: high where each clip is clearly something and the set is
  varied. It knows no truth; the truth's own score says what is high.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from workbench import (
    Audio,
    BuildContext,
    EvaluationItem,
    Figure,
    RecipeError,
    Tagger,
    audio_hash,
    convert,
    freeze_judge,
    judge_key,
    mean_figure,
    metric_settings,
    set_figure,
)
from workbench_metrics.gaussian import Array

SMALLEST = 1e-7
"""Probabilities are at least this, so that a class never expected costs no infinity."""
RESAMPLES = 1000


class ClassJudge:
    """A frozen tagger that remembers the classes of what it has heard."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger
        self.fingerprint = freeze_judge(tagger)
        self._known: dict[str, Array] = {}

    def __call__(self, audio: Audio) -> Array:
        """A distribution float64 ``[C]`` over classes for ``audio``, its channels averaged."""
        key = audio_hash(audio)
        if key not in self._known:
            wav = convert(audio, self.tagger.sample_rate, 1).samples[0]
            shares = self.tagger.classify(wav).detach().cpu().double().numpy()
            shares = np.maximum(shares, SMALLEST)
            self._known[key] = shares / shares.sum()
        return self._known[key]

    def settings(self, definition: str, name: str) -> dict[str, Any]:
        """What its figures state of how they were made."""
        rate = self.tagger.sample_rate
        models = {name: self.fingerprint}
        return metric_settings(definition, version=1, models=models, heard_at=rate)


class ClassDivergence:
    """``class-divergence``; see the module."""

    def __init__(self, judge: ClassJudge, name: str) -> None:
        self.judge = judge
        self.name = name
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        truth, generated = self.judge(item.reference), self.judge(item.generated)
        self._scores[item.id] = float(truth @ np.log(truth / generated))

    def compute(self) -> list[Figure]:
        """``class-divergence``, lower is better; nothing where no item was seen."""
        if not self._scores:
            return []
        definition = "KL(truth || generated) of a tagger's classes; mean over clips"
        settings = self.judge.settings(definition, self.name)
        return [mean_figure("class-divergence", self._scores, False, "nats", settings)]


class InceptionScore:
    """``inception-score``; see the module."""

    def __init__(self, judge: ClassJudge, name: str) -> None:
        self.judge = judge
        self.name = name
        self._shares: list[Array] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        self._shares.append(self.judge(item.generated))

    def compute(self) -> list[Figure]:
        """``inception-score``, at least 1, higher is better; nothing where no item was seen."""
        if not self._shares:
            return []
        shares = np.stack(self._shares)
        settings = self.judge.settings("exp of mean KL(clip || mean of the clips)", self.name)
        return [
            set_figure(
                "inception-score",
                len(shares),
                lambda weights: inception(shares, weights),
                True,
                settings=settings,
                resamples=RESAMPLES,
            )
        ]


def inception(shares: Array, weights: Array) -> float:
    """The score of distributions ``[N, C]``, each counted ``weights`` times."""
    total = weights.sum()
    mean = weights @ shares / total
    gained = np.sum(shares * np.log(shares / mean), axis=1)
    return math.exp(max(0.0, float(weights @ gained / total)))


_shared: WeakValueDictionary[str, ClassJudge] = WeakValueDictionary()


def shared_class_judge(name: str, options: Mapping[str, Any], context: BuildContext) -> ClassJudge:
    """The judge of this tagger and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    judge = _shared.get(key)
    if judge is None:
        tagger = context.build("semantic_encoder", name, options)
        if not isinstance(tagger, Tagger):
            raise RecipeError([f"judge = {name!r}: can't name classes; 'tagger' can"])
        judge = _shared[key] = ClassJudge(tagger)
    return judge
