"""A stretch of a long recording, heard as a part of the whole of it, by models like HuBERT.

Attention over a whole recording takes time that grows with its square, so a long one is heard in
windows. What a window says of a moment differs from what the whole says for two reasons: the first
convolution's output is normalised over all of time (where ``feat_extract_norm`` is ``group``, and
the waveform itself where the checkpoint wants that), and attention reaches all frames. A survey, a
first pass in bounded memory, gathers what windows lack:

- the moments of the waveform, from which that normalisation follows exactly;
- landmarks: keys and values, at each layer, of about a thousand frames spread evenly over the
  recording. A window attends to them beside its own frames. A landmark stands for all the frames
  around it, so the logarithm of their number is added to its scores.

Landmarks come from excerpts, which are heard twice: by themselves, and then with the landmarks that
this gave.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from workbench.audio.moments import Moments, first_convolution, normalised_layer

LANDMARKS = 1000
"""Frames that stand for the whole recording, unless said otherwise."""
EXCERPTS = 24
"""Stretches of the recording that landmarks are taken from; bounds the cost."""
EXCERPT_SECONDS = 5.0
"""Greatest length of each of them."""
MARGIN_SECONDS = 1.3
"""What is heard on each side of an excerpt: published models' convolution for positions sees it."""
ROUNDS = 2
"""How often excerpts are heard."""
ATTENTION = "workbench_landmarks"
"""Name of the attention function below among transformers'."""

KeysValues = tuple[Tensor, Tensor]
"""Each ``[1, H, N, d]``: H heads of width d, N frames."""


@dataclass(frozen=True)
class Geometry:
    """Frame i of a model sees ``field`` samples from ``hop`` * i on; ``rate`` is its Hz."""

    rate: int
    hop: int
    field: int

    def frames(self, samples: int) -> int:
        """Frames of so many samples."""
        return max(0, samples - self.field) // self.hop + 1


@dataclass(frozen=True)
class Survey:
    """What stretches of a recording need to know of the whole of it.

    ``scale``: offset and deviation that are taken out of the waveform. ``first``: weight and bias
    of the first convolution with its normalisation over the recording, where it has one.
    ``positions``: frames ``[N]`` of the landmarks, whose keys and values ``landmarks`` holds for
    each attention module.
    """

    frames: int
    scale: tuple[float, float]
    first: tuple[Tensor, Tensor] | None
    positions: Tensor
    landmarks: dict[nn.Module, KeysValues]


def survey_recording(
    model: Any,
    geometry: Geometry,
    normalize: bool,
    blocks: Iterable[Tensor],
    samples: int,
    landmarks: int = LANDMARKS,
) -> Survey:
    """Survey a recording that comes in ``blocks`` ``[1, t]``, ``samples`` in all.

    ``normalize``: whether the waveform is to have mean 0 and variance 1. The result does not depend
    on where the blocks are cut. Models whose attention can't be changed get no landmarks.
    """
    frames = geometry.frames(samples)
    layer = normalised_layer(model)
    attends = landmarks > 0 and bool(getattr(model, "_supports_sdpa", False))
    excerpts = _plan(geometry, frames, landmarks) if attends else []
    waves = [torch.zeros(1, 0)] * len(excerpts)
    moments = Moments(None if layer is None else layer.conv)
    start = 0
    for block in blocks:
        moments.add(block)
        for number, excerpt in enumerate(excerpts):
            inside = block[:, max(0, excerpt.first - start) : max(0, excerpt.last - start)]
            waves[number] = torch.cat([waves[number], inside], dim=1)
        start += block.shape[1]
    scale = moments.scale() if normalize else (0.0, 1.0)
    first = None if layer is None else moments.fold(layer.conv, layer.layer_norm, scale)
    survey = Survey(frames, scale, first, torch.zeros(0, dtype=torch.int64), {})
    return _mark(model, geometry, survey, excerpts, waves) if excerpts else survey


def hear_window(model: Any, wav: Tensor, survey: Survey, start: int, geometry: Geometry) -> Any:
    """What ``model`` says, hidden states included, of the window ``[1, T]`` from ``start`` on.

    ``start``, in samples of the recording, is a multiple of the hop.
    """
    features = _extract(model, wav, survey, geometry)
    listener = _Listener.of(survey, start // geometry.hop, features.shape[-1])
    return _attend_to(model, features, listener)


def _extract(model: Any, wav: Tensor, survey: Survey, geometry: Geometry) -> Tensor:
    """What the model's convolutions make, ``[1, D, F]``, of ``[1, T]``."""
    offset, deviation = survey.scale
    wav = F.pad((wav - offset) / deviation, (0, max(0, geometry.field - wav.shape[-1])))
    with first_convolution(model, survey.first):
        features: Tensor = model.feature_extractor(wav)
    return features


def _attend_to(model: Any, features: Tensor, attention: _Attention | None) -> Any:
    """What the model says of its convolutions' ``features``, with other keys and values."""
    extractor = model.feature_extractor
    model.feature_extractor = nn.Identity()
    try:
        with nullcontext() if attention is None else _attention(model, attention):
            return model(features, output_hidden_states=True)
    finally:
        model.feature_extractor = extractor


# --- landmarks ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Excerpt:
    """Samples ``first`` to ``last`` from frame ``frame`` on; ``marks`` count frames from there."""

    frame: int
    first: int
    last: int
    marks: Tensor


def _plan(geometry: Geometry, frames: int, landmarks: int) -> list[_Excerpt]:
    """Excerpts that lie evenly over the recording; all of it, where it is short."""
    rate = geometry.rate / geometry.hop
    most, margin = round(EXCERPT_SECONDS * rate), round(MARGIN_SECONDS * rate)
    count = min(EXCERPTS, -(-frames // most))
    each = -(-landmarks // count)
    plan = []
    for number in range(count):
        low, high = frames * number // count, frames * (number + 1) // count
        spare = max(0, high - low - most) // 2
        low, high = low + spare, high - spare
        marks = torch.unique(low + (torch.arange(each) * 2 + 1) * (high - low) // (2 * each))
        begin, end = max(0, low - margin), min(frames, high + margin)
        last = (end - 1) * geometry.hop + geometry.field
        plan.append(_Excerpt(begin, begin * geometry.hop, last, marks - begin))
    return plan


def _mark(
    model: Any,
    geometry: Geometry,
    survey: Survey,
    excerpts: list[_Excerpt],
    waves: list[Tensor],
) -> Survey:
    """The survey with landmarks from the excerpts' ``waves``."""
    device = next(model.parameters()).device
    heard = [_extract(model, wav.to(device), survey, geometry) for wav in waves]
    positions = torch.cat([excerpt.marks + excerpt.frame for excerpt in excerpts])
    for _ in range(ROUNDS):
        kept: dict[nn.Module, list[KeysValues]] = {}
        for excerpt, features in zip(excerpts, heard, strict=True):
            listener = _Listener.of(survey, excerpt.frame, features.shape[-1])
            _attend_to(model, features, _Recorder(kept, excerpt.marks, listener))
        joined = {
            module: (torch.cat([k for k, _ in parts], 2), torch.cat([v for _, v in parts], 2))
            for module, parts in kept.items()
        }
        survey = replace(survey, positions=positions, landmarks=joined)
    return survey


class _Listener:
    """Attention to the landmarks that lie ``far``, outside the window, beside its own frames."""

    def __init__(self, survey: Survey, far: Tensor, stood_for: int) -> None:
        self.survey = survey
        self.far = far
        self.weight = math.log(stood_for / int(far.sum()))

    @classmethod
    def of(cls, survey: Survey, begin: int, frames: int) -> _Listener | None:
        """For a window of so many frames from ``begin`` on; None where it has all landmarks."""
        far = (survey.positions < begin) | (survey.positions >= begin + frames)
        return cls(survey, far, survey.frames - frames) if bool(far.any()) else None

    def __call__(
        self, module: nn.Module, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """More keys and values, and what is added to their scores ``[1, 1, 1, N]``."""
        far_keys, far_values = self.survey.landmarks[module]
        far = self.far.to(keys.device)
        added = keys.new_zeros(keys.shape[2] + int(far.sum()))
        added[keys.shape[2] :] = self.weight
        return (
            torch.cat([keys, far_keys[:, :, far]], dim=2),
            torch.cat([values, far_values[:, :, far]], dim=2),
            added[None, None, None],
        )


class _Recorder:
    """Keeps keys and values of the frames ``marks``; attention is ``listener``'s."""

    def __init__(
        self,
        kept: dict[nn.Module, list[KeysValues]],
        marks: Tensor,
        listener: _Listener | None,
    ) -> None:
        self.kept = kept
        self.marks = marks
        self.listener = listener

    def __call__(
        self, module: nn.Module, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As the listener; keys and values as they are where there is none."""
        marks = self.marks.to(keys.device)
        self.kept.setdefault(module, []).append((keys[:, :, marks], values[:, :, marks]))
        return (
            (keys, values, None) if self.listener is None else self.listener(module, keys, values)
        )


_Attention = _Listener | _Recorder

_active: ContextVar[tuple[_Attention, str]] = ContextVar("landmarks")
"""What changes keys and values at present, and the model's own attention function by name."""


@contextmanager
def _attention(model: Any, attention: _Attention) -> Iterator[None]:
    """Let the model's attention modules go through ``attention``."""
    own = model.config._attn_implementation
    token = _active.set((attention, own))
    model.config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = own
        _active.reset(token)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """The model's own attention function with other keys and values.

    Recordings are heard one by one, so there is no mask but what is added to the landmarks' scores.
    """
    del attention_mask
    attention, own = _active.get()
    keys, values, added = attention(module, key, value)
    attend = ALL_ATTENTION_FUNCTIONS.get(own, sdpa_attention_forward)
    mixed: tuple[Tensor, Tensor | None] = attend(module, query, keys, values, added, **settings)
    return mixed


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
