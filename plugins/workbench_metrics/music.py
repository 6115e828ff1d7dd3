"""Does a continuation stay in its piece's key, tempo and chords?

Where an example carries a score (``details`` with ``key``, ``tempo`` and ``chords``, as the
embedded music does), the generated audio is held against it. Elsewhere it is held against what the
same analysis hears in the prompt (key, tempo) or in the true continuation (chords). The figures'
settings say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench import Audio, EvaluationItem, Figure, mean_figure, metric_settings
from workbench_metrics.music_analysis import (
    FASTEST,
    RATE,
    SLOWEST,
    Triad,
    estimate_key,
    estimate_tempo,
    recognise_chords,
)

TEMPO_TOLERANCE = 0.08
"""Largest relative error of a tempo that counts as right."""
_OCTAVES = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
"""Factors that tempi may differ by where octave errors are allowed."""
_GRID = 0.5
"""Seconds in each segment that chords are compared over where there is no score."""
_SHORTEST = 0.2
"""Seconds of a chord that must fall into the audio for it to be looked for."""


def mirex_key_score(heard: Triad, truth: Triad) -> float:
    """MIREX's weighted score of a key estimate, as ``mir_eval.key.weighted_score`` defines it.

    1 for the same key, 0.5 for the one a fifth above, 0.3 for the relative, 0.2 for the parallel.
    """
    interval = (heard.root - truth.root) % 12
    if heard.quality == truth.quality:
        return {0: 1.0, 7: 0.5}.get(interval, 0.0)
    relative = 9 if truth.quality == "major" else 3
    return {relative: 0.3, 0: 0.2}.get(interval, 0.0)


def tempo_matches(heard: float, truth: float, octaves: bool) -> bool:
    """Whether ``heard`` lies within 8 % of ``truth`` or, with ``octaves``, of a simple multiple."""
    factors = _OCTAVES if octaves else _OCTAVES[:1]
    wanted = [truth * factor for factor in factors]
    return any(abs(heard - tempo) <= TEMPO_TOLERANCE * tempo for tempo in wanted)


class _Against:
    """Remembers what items were held against, for the figures' settings."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def add(self, kind: str) -> None:
        self._kinds.add(kind)

    def settings(self, definition: str, version: int = 1) -> Mapping[str, Any]:
        stated = metric_settings(definition, version, heard_at=RATE)
        return {**stated, "against": " or ".join(sorted(self._kinds))}


def _heard(item: EvaluationItem) -> tuple[str, Audio]:
    """What stands in for a score: the prompt or, where there is none, the truth."""
    if item.prompt is not None:
        return "estimate of the prompt", item.prompt
    return "estimate of the truth", item.reference


class KeyAgreement:
    """Share of items whose estimated key is the piece's; and MIREX's weighted score."""

    def __init__(self) -> None:
        self._exact: dict[str, float] = {}
        self._weighted: dict[str, float] = {}
        self._against = _Against()

    def update(self, item: EvaluationItem) -> None:
        """Take in one item; one without a score whose prompt holds no key is left out."""
        truth = self._truth(item)
        if truth is None:
            return
        heard = estimate_key(item.generated)
        self._exact[item.id] = float(heard == truth)
        self._weighted[item.id] = mirex_key_score(heard, truth) if heard else 0.0

    def compute(self) -> list[Figure]:
        """``key-agreement`` and ``key-agreement-weighted``; none where no item had a key."""
        if not self._exact:
            return []
        exact = self._against.settings("estimated key of the audio equals the piece's")
        weighted = self._against.settings("same 1, fifth above 0.5, relative 0.3, parallel 0.2")
        return [
            mean_figure("key-agreement", self._exact, True, settings=exact),
            mean_figure("key-agreement-weighted", self._weighted, True, settings=weighted),
        ]

    def _truth(self, item: EvaluationItem) -> Triad | None:
        key = item.example.details.get("key")
        if key is not None:
            self._against.add("score")
            return Triad(int(key["tonic"]), str(key["mode"]))
        source, audio = _heard(item)
        self._against.add(source)
        return estimate_key(audio)


class TempoAgreement:
    """Share of items whose estimated tempo is the piece's, with and without octave errors."""

    def __init__(self) -> None:
        self._loose: dict[str, float] = {}
        self._strict: dict[str, float] = {}
        self._against = _Against()

    def update(self, item: EvaluationItem) -> None:
        """Take in one item; one without a score whose prompt holds no tempo is left out."""
        truth = self._truth(item)
        if truth is None:
            return
        heard = estimate_tempo(item.generated)
        for scores, octaves in ((self._loose, True), (self._strict, False)):
            right = heard is not None and tempo_matches(heard, truth, octaves)
            scores[item.id] = float(right)

    def compute(self) -> list[Figure]:
        """``tempo-agreement`` and ``tempo-agreement-strict``; none where no item had a tempo."""
        if not self._loose:
            return []
        range_ = f"estimates from {SLOWEST:g} to {FASTEST:g} a minute"
        loose = f"within {TEMPO_TOLERANCE:.0%} of the tempo or 2, 3, 1/2, 1/3 times it; {range_}"
        strict = f"within {TEMPO_TOLERANCE:.0%} of the tempo; {range_}"
        return [
            mean_figure(name, scores, True, settings=self._against.settings(definition, version=2))
            for name, scores, definition in (
                ("tempo-agreement", self._loose, loose),
                ("tempo-agreement-strict", self._strict, strict),
            )
        ]

    def _truth(self, item: EvaluationItem) -> float | None:
        tempo = item.example.details.get("tempo")
        if tempo is not None:
            self._against.add("score")
            return float(tempo)
        source, audio = _heard(item)
        self._against.add(source)
        return estimate_tempo(audio)


class ChordAgreement:
    """Share of time in which the chord that is heard is the one that belongs there."""

    def __init__(self) -> None:
        self._scores: dict[str, float] = {}
        self._against = _Against()

    def update(self, item: EvaluationItem) -> None:
        """Take in one item; one without chords to compare with is left out."""
        segments, wanted = self._wanted(item)
        known = [i for i, chord in enumerate(wanted) if chord is not None]
        if not known:
            return
        heard = recognise_chords(item.generated, [segments[i] for i in known])
        seconds = [segments[i][1] - segments[i][0] for i in known]
        right = [s for s, i, chord in zip(seconds, known, heard, strict=True) if chord == wanted[i]]
        self._scores[item.id] = sum(right) / sum(seconds)

    def compute(self) -> list[Figure]:
        """``chord-agreement``; none where no item had chords."""
        if not self._scores:
            return []
        settings = self._against.settings("share of time with the same major or minor triad")
        return [mean_figure("chord-agreement", self._scores, True, settings=settings)]

    def _wanted(self, item: EvaluationItem) -> tuple[list[tuple[float, float]], list[Triad | None]]:
        """Segments in seconds of the generated audio, and the chord that belongs in each.

        The generated audio starts where the prompt ends; without a prompt, with the piece.
        """
        expected = item.reference.seconds
        if "chords" not in item.example.details:
            self._against.add("chords heard in the true continuation")
            starts = [i * _GRID for i in range(int(expected / _GRID))]
            segments = [(start, start + _GRID) for start in starts]
            return segments, recognise_chords(item.reference, segments)
        self._against.add("score")
        offset = item.prompt.seconds if item.prompt else 0.0
        segments, chords = [], list[Triad | None]()
        for chord in item.example.details["chords"]:
            start = max(float(chord["start"]) - offset, 0.0)
            end = min(float(chord["end"]) - offset, expected)
            if end - start >= _SHORTEST:
                segments.append((start, end))
                chords.append(Triad(int(chord["root"]), str(chord["quality"])))
        return segments, chords
