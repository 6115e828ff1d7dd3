"""Errors of pitch and voicing beside the truth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench import EvaluationItem, Figure, ModelAbsent, mean_figure, metric_settings
from workbench_quality.pairs import Signal, mono_pair

Tracker = Literal["harvest", "dio"]
Array = NDArray[np.float64]

GROSS = 0.2
"""Deviation as a share of the true pitch from which an error is gross (Rabiner et al. 1976)."""


@dataclass(frozen=True)
class Errors:
    """Errors of one pitch track beside the truth's; None where no frame is voiced in both."""

    cents: float | None
    gross: float | None
    voicing: float


class PitchErrors:
    """F0 RMSE in cents, gross pitch errors and voicing errors, by WORLD's trackers (``pyworld``).

    Frames are compared as they lie, every 5 ms. Audio that is voiced nowhere has no pitch errors
    and many voicing errors: read them together.
    """

    sample_rate = 16_000

    def __init__(self, tracker: Tracker, floor: float, ceiling: float) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # it asks pkg_resources its version
                import pyworld
        except ImportError as error:
            raise ModelAbsent(
                "pitch: the package pyworld is not installed; "
                "pip install 'audio-workbench[quality]'"
            ) from error
        self._library = pyworld
        self.tracker = tracker
        self.floor = floor
        self.ceiling = ceiling
        self._scores: dict[str, Errors] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = (self.track(wav) for wav in mono_pair(item, self.sample_rate))
        self._scores[item.id] = compare(generated, reference)

    def compute(self) -> list[Figure]:
        """``f0-rmse`` in cents, ``gross-pitch-error`` and ``voicing-error`` as shares."""
        both = "over frames voiced in both; items without any left out"
        cents = {i: e.cents for i, e in self._scores.items() if e.cents is not None}
        gross = {i: e.gross for i, e in self._scores.items() if e.gross is not None}
        voicing = {i: e.voicing for i, e in self._scores.items()}
        figures = [
            ("voicing-error", voicing, "", "share of frames voiced in one and not in the other"),
        ]
        if cents:
            figures = [
                ("f0-rmse", cents, "cents", f"root mean square error of the pitch {both}"),
                ("gross-pitch-error", gross, "", f"share of pitches off by {GROSS:.0%}, {both}"),
                *figures,
            ]
        return [
            mean_figure(name, scores, False, unit, self._settings(definition))
            for name, scores, unit, definition in figures
        ]

    def track(self, wav: Signal) -> Array:
        """Pitch in Hz every 5 ms, 0 where unvoiced, of ``[T]`` at ``sample_rate``."""
        method = self._library.harvest if self.tracker == "harvest" else self._library.dio
        f0, times = method(wav, self.sample_rate, f0_floor=self.floor, f0_ceil=self.ceiling)
        if self.tracker == "dio":  # harvest refines by itself
            f0 = self._library.stonemask(wav, f0, times, self.sample_rate)
        result: Array = f0
        return result

    def _settings(self, definition: str) -> dict[str, object]:
        made_by = f"1 (pyworld {version('pyworld')})"
        return metric_settings(definition, made_by, heard_at=self.sample_rate)


def compare(generated: Array, reference: Array) -> Errors:
    """Errors of pitch tracks ``[F]`` in Hz, 0 where unvoiced."""
    voicing = float(((generated > 0) != (reference > 0)).mean())
    both = (generated > 0) & (reference > 0)
    if not both.any():
        return Errors(None, None, voicing)
    ratio = generated[both] / reference[both]
    cents = float(np.sqrt(np.square(1200 * np.log2(ratio)).mean()))
    return Errors(cents, float((np.abs(ratio - 1) > GROSS).mean()), voicing)
