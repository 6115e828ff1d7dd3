"""Pitch errors of tracks that are known, and of tones whose pitch is."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from workbench_quality.pitch import PitchErrors, compare
from workbench_quality.plugin import PitchOptions

from workbench import ModelAbsent


def tone(pitch, seconds=0.8, rate=16_000):
    time = torch.arange(round(seconds * rate)) / rate
    return 0.1 * sum(torch.sin(2 * math.pi * pitch * k * time) / k for k in range(1, 9))


def test_errors_are_those_of_the_frames_that_are_voiced_in_both():
    truth = np.array([100.0, 100.0, 100.0, 100.0, 0.0, 0.0])
    made = np.array([100.0, 100 * 2 ** (1 / 12), 150.0, 0.0, 90.0, 0.0])
    errors = compare(made, truth)
    assert errors.voicing == pytest.approx(2 / 6)
    assert errors.gross == pytest.approx(1 / 3)
    cents = [0, 100, 1200 * math.log2(1.5)]
    assert errors.cents == pytest.approx(math.sqrt(np.mean(np.square(cents))))


def test_without_a_frame_voiced_in_both_only_voicing_is_known():
    errors = compare(np.zeros(4), np.array([0, 100.0, 100, 0]))
    assert (errors.cents, errors.gross, errors.voicing) == (None, None, 0.5)


@pytest.mark.parametrize("tracker", ["dio", "harvest"])
def test_a_semitone_is_100_cents(scored, tracker):
    metric = PitchErrors(tracker, 71.0, 800.0)
    found = scored(metric, (tone(220 * 2 ** (1 / 12)), tone(220)), (tone(220), tone(220)))
    off, right = found["f0-rmse"].per_item.values()
    assert off == pytest.approx(100, abs=3)
    assert right == 0
    assert found["voicing-error"].value < 0.05
    assert found["gross-pitch-error"].value == 0


def test_an_octave_is_gross_and_noise_is_a_voicing_error(scored):
    noise = 0.1 * torch.randn(12_800, generator=torch.Generator().manual_seed(0))
    metric = PitchErrors("dio", 71.0, 800.0)
    found = scored(metric, (tone(440), tone(220)), (noise, tone(220)))
    assert found["gross-pitch-error"].per_item["i0"] > 0.95
    octave, hiss = found["voicing-error"].per_item.values()
    assert hiss > 0.5 > octave


def test_pitches_beyond_floor_and_ceiling_are_not_heard():
    wav = tone(600).double().numpy()
    heard = PitchErrors("dio", 71.0, 800.0).track(wav)
    assert np.median(heard[heard > 0]) == pytest.approx(600, rel=0.01)
    limited = PitchErrors("dio", 71.0, 400.0).track(wav)
    assert not (limited > 500).any()
    raised = PitchErrors("dio", 700.0, 800.0).track(wav)
    assert not ((raised > 0) & (raised < 650)).any()


def test_without_any_pitch_there_is_only_the_voicing_error(scored):
    silence = torch.zeros(8000)
    found = scored(PitchErrors("dio", 71.0, 800.0), (silence, silence))
    assert found.keys() == {"voicing-error"}
    assert found["voicing-error"].value == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [({"floor": 900.0}, "floor = 900"), ({"floor": 5.0}, "floor = 5"),
     ({"ceiling": 9000.0}, "ceiling = 9000")],
)  # fmt: skip
def test_a_range_without_sense_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        PitchOptions(**given)


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(ModelAbsent, match="package pyworld is not installed; pip install"):
        PitchErrors("dio", 71.0, 800.0)
