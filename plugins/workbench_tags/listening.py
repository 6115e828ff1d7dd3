"""A tagger that remembers what it has heard: the truth is the same for every system of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from workbench import (
    Audio,
    BuildContext,
    RecipeError,
    Tagger,
    audio_hash,
    convert,
    freeze_judge,
    judge_key,
)


@dataclass(frozen=True)
class Heard:
    """What a tagger heard of each class: how surely it is there ``[C]``, and around which second.

    ``presence`` is the mean of a class' probabilities over time weighted by themselves (linear
    softmax, arXiv 1810.09050), so that a short event counts as much as a long one; ``centre`` is
    the mean time weighted by their squares.
    """

    presence: Tensor
    centre: Tensor


class Ear:
    """A frozen tagger that resamples and remembers; audio is recognised by its content."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger
        self.fingerprint = freeze_judge(tagger)
        self._known: dict[str, Heard] = {}

    def __call__(self, audio: Audio) -> Heard:
        """What is audible in ``audio``, its channels averaged."""
        key = audio_hash(audio)
        if key not in self._known:
            wav = convert(audio, self.tagger.sample_rate, 1).samples[0]
            self._known[key] = summed_up(self.tagger.tag(wav).double().cpu(), self.tagger.tag_rate)
        return self._known[key]


def summed_up(tags: Tensor, rate: float) -> Heard:
    """Presence and centre of probabilities ``[S, C]``, ``rate`` segments a second."""
    squares = tags.square()
    presence = squares.sum(dim=0) / tags.sum(dim=0).clamp_min(1e-12)
    seconds = (torch.arange(len(tags), dtype=tags.dtype) + 0.5) / rate
    centre = (squares * seconds[:, None]).sum(dim=0) / squares.sum(dim=0).clamp_min(1e-24)
    return Heard(presence, centre)


_ears: WeakValueDictionary[str, Ear] = WeakValueDictionary()


def shared_ear(name: str, options: Mapping[str, Any], context: BuildContext) -> Ear:
    """The ear of this tagger and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    found = _ears.get(key)
    if found is None:
        tagger = context.build("semantic_encoder", name, options)
        if not isinstance(tagger, Tagger):
            raise RecipeError([f"judge = {name!r}: can't name sound events; 'tagger' can"])
        found = _ears[key] = Ear(tagger)
    return found
