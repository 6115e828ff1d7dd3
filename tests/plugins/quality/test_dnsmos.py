"""DNSMOS hears what its authors' program gives its models, and scales what they say."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from workbench_quality.dnsmos import P808, P835, SCALES, WINDOW, Dnsmos, mel_levels, windows

from tests.plugins.quality import made
from workbench import ModelAbsent, WeightsError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made.save_dnsmos(tmp_path_factory.mktemp("dnsmos"))


def noise(samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(samples)


def test_scores_are_the_models_scaled_by_the_published_polynomials(folder):
    metric = Dnsmos(str(folder), personalised=False)
    wav = noise(WINDOW)
    raw = metric._p835(wav[None])[0]
    found = metric.judge(wav)
    assert found["sig"] == pytest.approx(0.0052439 + 1.22083953 * raw[0] - 0.08397278 * raw[0] ** 2)
    assert found["p808"] == pytest.approx(metric._p808(mel_levels(wav[:-160])[None])[0, 0])


def test_the_personalised_model_has_scales_of_its_own(folder):
    wav = noise(WINDOW)
    raw = Dnsmos(str(folder), False)._p835(wav[None])[0]
    found = Dnsmos(str(folder), personalised=True).judge(wav)
    assert found["ovr"] == pytest.approx(SCALES[True]["ovr"](raw[2]))
    assert found["ovr"] != pytest.approx(Dnsmos(str(folder), False).judge(wav)["ovr"])


def test_short_audio_is_doubled_until_it_is_long_enough(folder):
    metric = Dnsmos(str(folder), False)
    wav = noise(20_000)
    assert metric.judge(wav) == pytest.approx(metric.judge(np.tile(wav, 8)))


def test_long_audio_is_the_mean_of_windows_a_second_apart(folder):
    metric = Dnsmos(str(folder), False)
    wav = noise(11 * 16_000 + 500)
    parts = [metric.judge(wav[start : start + WINDOW]) for start in (0, 16_000)]
    found = metric.judge(wav)
    for name, value in found.items():
        assert value == pytest.approx(np.mean([part[name] for part in parts]))


def test_windows_that_the_authors_rounding_leaves_out_are_left_out():
    wav = np.arange(40 * 16_000, dtype=np.float64)
    starts = [int(window[0]) // 16_000 for window in windows(wav)]
    assert starts == [*range(7), *range(24, 31)]
    assert {len(window) for window in windows(wav)} == {WINDOW}


def test_the_truth_is_not_heard(folder, scored):
    wav = torch.from_numpy(noise(16_000))
    one = scored(Dnsmos(str(folder), False), (wav, wav))
    other = scored(Dnsmos(str(folder), False), (wav, torch.zeros(16_000)))
    assert [f.value for f in one.values()] == [f.value for f in other.values()]
    assert list(one) == ["dnsmos-p808", "dnsmos-sig", "dnsmos-bak", "dnsmos-ovr"]


def test_mel_levels_say_which_band_and_how_far_below_the_loudest():
    time = np.arange(WINDOW - 160) / 16_000
    loud, soft = np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 500 * time)
    soft[len(soft) // 2 :] *= 0.01
    levels = mel_levels(soft)
    assert levels.shape == (900, 120)
    assert levels.max() == pytest.approx(1)
    assert levels[-20].max() == pytest.approx((-40 + 40) / 40, abs=0.01)
    assert levels.min() >= -1
    higher = np.sin(2 * np.pi * 3000 * time)
    assert mel_levels(loud)[100].argmax() < mel_levels(higher)[100].argmax()


def test_which_models_judged_is_known_by_their_hash(tmp_path, scored):
    wav = torch.from_numpy(noise(16_000))
    hashes = []
    for seed in (0, 1):
        folder = made.save_dnsmos(tmp_path / str(seed), seed)
        figure = scored(Dnsmos(str(folder), False), (wav, wav))["dnsmos-ovr"]
        hashes.append(figure.settings["models"])
    assert hashes[0].keys() == {P835, P808}
    assert hashes[0][P835] != hashes[1][P835]


def test_without_weights_or_package_it_is_absent(folder, monkeypatch):
    with pytest.raises(ModelAbsent, match=r"weights = ''.*sig_bak_ovr.onnx"):
        Dnsmos("", False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelAbsent, match=r"onnxruntime is not installed; pip install .*dnsmos"):
        Dnsmos(str(folder), False)


def test_a_file_that_is_missing_or_no_model_is_named(folder, tmp_path):
    (tmp_path / P835).write_bytes(b"no model")
    with pytest.raises(WeightsError, match=f"{P835} can't be loaded as ONNX"):
        Dnsmos(str(tmp_path), False)
    (tmp_path / P835).write_bytes((folder / P835).read_bytes())
    with pytest.raises(WeightsError, match=f"holds no {P808}"):
        Dnsmos(str(tmp_path), False)
