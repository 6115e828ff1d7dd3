"""Speech quality and intelligibility as the standards' models of hearing judge them."""

from __future__ import annotations

import warnings
from contextlib import suppress
from importlib.metadata import version
from typing import Literal

import numpy as np

from workbench import EvaluationItem, Figure, ModelAbsent, mean_figure, metric_settings
from workbench_quality.pairs import Signal, mono_pair

Band = Literal["wide", "narrow"]

HINT = "pip install 'audio-workbench[quality]'"
SILENT = 1.0
"""MOS that silence in place of speech scores; the library fails on it."""


class Pesq:
    """PESQ: ITU-T P.862.2 (wide band, 16 kHz) or P.862.1 (narrow band, 8 kHz), in MOS-LQO.

    By the package ``pesq``, which contains the ITU's own program. It aligns level and delay. Items
    in whose truth it finds no speech, or that are shorter than a quarter of a second, are left out.
    """

    def __init__(self, band: Band) -> None:
        try:
            import pesq
        except ImportError as error:
            raise ModelAbsent(f"pesq: the package pesq is not installed; {HINT}") from error
        self._library = pesq
        self.wide = band == "wide"
        self.sample_rate = 16_000 if self.wide else 8_000
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = mono_pair(item, self.sample_rate)
        if not self._has_speech(reference):
            return
        self._scores[item.id] = SILENT
        if generated.any():
            with suppress(self._library.NoUtterancesError):  # it is then as good as silent
                self._scores[item.id] = self._judge(reference, generated)

    def compute(self) -> list[Figure]:
        """``pesq-wb`` or ``pesq-nb``, from about 1 to 4.64 (4.55), higher is better."""
        standard = "P.862.2, wide band" if self.wide else "P.862.1, narrow band"
        settings = metric_settings(
            f"PESQ, ITU-T {standard}, MOS-LQO; items without speech left out; silence scores 1",
            f"1 (pesq {version('pesq')})",
            heard_at=self.sample_rate,
            loudness="aligned by PESQ",
        )
        name = "pesq-wb" if self.wide else "pesq-nb"
        return [mean_figure(name, self._scores, True, "MOS", settings)]

    def _judge(self, reference: Signal, generated: Signal) -> float:
        mode = "wb" if self.wide else "nb"
        return float(self._library.pesq(self.sample_rate, reference, generated, mode))

    def _has_speech(self, reference: Signal) -> bool:
        if not reference.any():
            return False
        try:
            self._judge(reference, reference)
        except (self._library.NoUtterancesError, self._library.BufferTooShortError):
            return False
        return True


class Stoi:
    """STOI (Taal et al. 2011) and ESTOI (Jensen and Taal 2016), by the package ``pystoi``.

    Both hear frames in which the truth is not silent; items with less than 0.4 s of them are left
    out. Meaningful where the audio should follow its truth in time.
    """

    sample_rate = 10_000

    def __init__(self) -> None:
        try:
            import pystoi
        except ImportError as error:
            raise ModelAbsent(f"stoi: the package pystoi is not installed; {HINT}") from error
        self._library = pystoi
        self._scores: dict[str, dict[str, float]] = {"stoi": {}, "estoi": {}}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = mono_pair(item, self.sample_rate)
        if not reference.any():
            return
        for name, scores in self._scores.items():
            try:
                scores[item.id] = self._judge(reference, generated, extended=name == "estoi")
            except RuntimeWarning:  # too few frames: the library would say 1e-5
                return

    def compute(self) -> list[Figure]:
        """``stoi`` and ``estoi``, up to 1, higher is better."""
        settings = metric_settings(
            "short-time objective intelligibility (estoi: extended); items with under 0.4 s of "
            "sound in their truth left out",
            f"1 (pystoi {version('pystoi')})",
            heard_at=self.sample_rate,
            loudness="normalised by band and segment",
        )
        return [
            mean_figure(name, scores, True, settings=settings)
            for name, scores in self._scores.items()
        ]

    def _judge(self, reference: Signal, generated: Signal, extended: bool) -> float:
        """One score. The library adds noise of 1e-16 from NumPy's global state to ESTOI."""
        state = np.random.get_state()
        np.random.seed(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                return float(
                    self._library.stoi(reference, generated, self.sample_rate, extended=extended)
                )
        finally:
            np.random.set_state(state)
