"""Generated audio and its truth as a pair of signals that can be laid over each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench import Audio, EvaluationItem, WorkbenchError, convert

Signal = NDArray[np.float64]


def mono_pair(item: EvaluationItem, sample_rate: int) -> tuple[Signal, Signal]:
    """Generated and reference audio, mono ``[T]`` at ``sample_rate``.

    The shorter is padded with silence, not the longer cut: audio that ends early must not score
    better for it.
    """
    generated, reference = (mono(audio, sample_rate) for audio in (item.generated, item.reference))
    length = max(len(generated), len(reference))
    return _padded(generated, length), _padded(reference, length)


def mono_pair_as_it_is(item: EvaluationItem) -> tuple[Signal, Signal]:
    """As :func:`mono_pair`, at the rate that both have."""
    ours, theirs = item.generated.sample_rate, item.reference.sample_rate
    if ours != theirs:
        raise WorkbenchError(
            f"item {item.id!r}: the generated audio's sample rate is {ours}, its truth's is "
            f"{theirs}; they must agree"
        )
    return mono_pair(item, theirs)


def mono(audio: Audio, sample_rate: int) -> Signal:
    """Audio as one channel ``[T]`` at ``sample_rate``."""
    signal: Signal = convert(audio, sample_rate, 1).samples[0].numpy().astype(np.float64)
    return signal


def _padded(signal: Signal, length: int) -> Signal:
    return np.pad(signal, (0, length - len(signal)))
