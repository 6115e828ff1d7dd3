"""WARP-Q's worker, in an environment of its own with a stand-in for the library."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.plugins.quality import made
from workbench import Context, ModelAbsent, load_catalog


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    python = made.stand_in_environment(tmp_path_factory.mktemp("environment"))
    context = Context(load_catalog("quality"), "cpu", seed=0)
    return lambda: context.build("metric", "warp-q", {"python": str(python)})


def test_costs_come_from_the_other_environment(build, scored, voice):
    truth = voice(0.5)
    figure = scored(build(), (truth, truth), (truth + 0.25, truth))["warp-q"]
    assert figure.per_item == pytest.approx({"i0": 0, "i1": 0.25}, abs=1e-6)
    assert not figure.higher_is_better
    assert figure.settings["libraries"]["warpq"] == "unknown"  # the stand-in was not installed


def test_audio_beyond_full_scale_is_brought_within_it(build, scored, voice):
    truth = voice(0.5)
    figure = scored(build(), (8 * truth, 8 * truth + 0.25))["warp-q"]
    assert 0 < figure.value < 0.25


def test_silence_costs_most_and_a_silent_truth_is_left_out(build, scored, voice):
    truth, silence = voice(0.5), torch.zeros(8000)
    figure = scored(build(), (silence, truth), (truth, silence))["warp-q"]
    assert figure.per_item == {"i0": 3.5}


def test_an_interpreter_without_the_library_is_an_absent_model():
    context = Context(load_catalog("quality"), "cpu", seed=0)
    with pytest.raises(ModelAbsent, match=r"warpq==1.5.2[\s\S]*No module named 'warpq'"):
        context.build("metric", "warp-q", {"python": sys.executable})
