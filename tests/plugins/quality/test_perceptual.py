"""PESQ and STOI rank what they should, and leave out what they can't judge."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from workbench_quality.perceptual import Pesq, Stoi

from workbench import ModelAbsent, PluginError


def noisy(wav, level):
    return wav + level * torch.randn(len(wav), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("band", "best"), [("wide", 4.64), ("narrow", 4.55)])
def test_pesq_gives_its_best_to_the_truth_and_less_to_more_noise(scored, voice, band, best):
    truth = voice()
    pairs = [(truth, truth), (noisy(truth, 0.01), truth), (noisy(truth, 0.1), truth)]
    (figure,) = scored(Pesq(band), *pairs).values()
    same, little, much = figure.per_item.values()
    assert same == pytest.approx(best, abs=0.01)
    assert same > little > much >= 1
    assert figure.name == f"pesq-{band[0]}b"


def test_pesq_does_not_hear_the_level(scored, voice):
    truth, rough = voice(), noisy(voice(), 0.02)
    (figure,) = scored(Pesq("wide"), (rough, truth), (0.1 * rough, truth)).values()
    loud, soft = figure.per_item.values()
    assert soft == pytest.approx(loud, abs=0.05)


def test_silence_in_place_of_speech_scores_lowest_and_a_silent_truth_is_left_out(scored, voice):
    truth = voice()
    silence = torch.zeros_like(truth)
    (figure,) = scored(Pesq("wide"), (silence, truth), (truth, silence)).values()
    assert figure.per_item == {"i0": 1.0}


def test_pesq_leaves_out_what_is_too_short(scored, voice):
    short = voice()[:2000]
    with pytest.raises(PluginError, match="no items"):
        scored(Pesq("wide"), (short, short))


def test_stoi_gives_1_to_the_truth_and_less_to_more_noise(scored, voice):
    truth = voice()
    pairs = [(truth, truth), (noisy(truth, 0.05), truth), (noisy(truth, 0.5), truth)]
    for figure in scored(Stoi(), *pairs).values():
        same, little, much = figure.per_item.values()
        assert same == pytest.approx(1, abs=1e-3)
        assert same > little > much


def test_stoi_leaves_out_silent_and_short_truths_and_gives_silence_nothing(scored, voice):
    truth = voice()
    silence = torch.zeros_like(truth)
    pairs = [(silence, truth), (truth, silence), (truth[:4000], truth[:4000])]
    for figure in scored(Stoi(), *pairs).values():
        assert figure.per_item.keys() == {"i0"}
        assert figure.value == pytest.approx(0, abs=0.05)


def test_estoi_neither_hears_nor_moves_the_global_random_state(scored, voice):
    truth, rough = voice(), noisy(voice(), 0.1)
    found = []
    for seed in (1, 2):
        np.random.seed(seed)
        before = np.random.get_state()[1].copy()
        found.append(scored(Stoi(), (rough, truth))["estoi"].value)
        np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert found[0] == found[1]


@pytest.mark.parametrize(("library", "build"), [("pesq", lambda: Pesq("wide")), ("pystoi", Stoi)])
def test_a_package_that_is_not_installed_is_named_with_what_to_do(monkeypatch, library, build):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelAbsent, match=rf"package {library} is not installed; pip install"):
        build()
