import dataclasses
import gc

import numpy as np
import pytest
import torch
from workbench_metrics.features import FeatureExtractor, shared_extractor
from workbench_metrics.frechet import FrechetMetric
from workbench_metrics.gaussian import Gaussian, frechet_distance

from workbench.api.errors import WorkbenchError
from workbench.audio.signal import RESAMPLER

KINDS = ("item", "joint", "set")


@pytest.fixture
def figures(encoder_class):
    def compute(items, kinds=KINDS):
        metric = FrechetMetric(FeatureExtractor(encoder_class(), "cpu"), kinds, "power")
        for item in items:
            metric.update(item)
        return {figure.name: figure for figure in metric.compute()}

    return compute


def test_the_truth_itself_is_at_zero(pieces, figures):
    for figure in figures(pieces(noise=0)).values():
        assert figure.value == pytest.approx(0, abs=1e-9)
        assert figure.high == pytest.approx(0, abs=1e-9)
        assert not figure.higher_is_better


def test_another_piece_is_a_floor_for_item_and_joint_and_invisible_to_set(pieces, figures):
    other = figures(pieces(noise=0, shift=5))
    close = figures(pieces(noise=0.01))
    assert other["frechet-set"].value == pytest.approx(0, abs=1e-9)
    assert close["frechet-set"].value > 0
    for name in ("frechet-item", "frechet-joint"):
        assert close[name].high < other[name].low


@pytest.mark.parametrize("kind", KINDS)
def test_more_noise_is_further_away(pieces, kind, figures):
    distances = [figures(pieces(noise=n), [kind])[f"frechet-{kind}"].value for n in (0.01, 0.1, 1)]
    assert distances == sorted(distances)
    assert distances[0] < distances[1] / 2


def test_values_are_those_of_the_definition(pieces, figures, encoder_class):
    items = pieces(noise=0.1)
    features = FeatureExtractor(encoder_class(), "cpu")
    generated = [features(item.generated) for item in items]
    reference = [features(item.reference) for item in items]
    got = figures(items)

    def distance(x, y):
        return frechet_distance(
            Gaussian.of_samples(np.asarray(x, float)), Gaussian.of_samples(np.asarray(y, float))
        )

    pooled = distance(np.concatenate(generated), np.concatenate(reference))
    assert got["frechet-set"].value == pytest.approx(pooled, rel=1e-6)
    single = [distance(x, y) for x, y in zip(generated, reference, strict=True)]
    assert got["frechet-item"].value == pytest.approx(np.mean(single), rel=1e-6)
    assert got["frechet-item"].per_item == pytest.approx(
        {item.id: value for item, value in zip(items, single, strict=True)}, rel=1e-6
    )
    prompts = [features(item.prompt).mean(axis=0) for item in items]
    joint = distance(
        [np.concatenate([p, g.mean(axis=0)]) for p, g in zip(prompts, generated, strict=True)],
        [np.concatenate([p, r.mean(axis=0)]) for p, r in zip(prompts, reference, strict=True)],
    )
    assert got["frechet-joint"].value == pytest.approx(joint, rel=1e-6)


def test_many_items_are_grouped_without_changing_the_figure(pieces, monkeypatch, figures):
    items = pieces(n=12, noise=0.1)
    single = figures(items, ["set"])["frechet-set"]
    monkeypatch.setattr("workbench_metrics.frechet.GROUPS", 5)
    grouped = figures(items, ["set"])["frechet-set"]
    assert grouped.value == pytest.approx(single.value, rel=1e-9)
    assert grouped.n == 12
    assert grouped.low < grouped.value < grouped.high


def test_joint_needs_prompts(pieces, figures):
    items = [dataclasses.replace(item, prompt=None) for item in pieces()]
    with pytest.raises(WorkbenchError, match=r"'i0' has no prompt"):
        figures(items)
    assert set(figures(items, ["item", "set"])) == {"frechet-item", "frechet-set"}


def test_provenance_names_encoder_weights_and_definition(pieces, figures, encoder_class):
    (figure,) = figures(pieces(), ["item"]).values()
    assert list(figure.settings["models"]) == ["power"]
    assert figure.settings["resampler"] == f"{RESAMPLER} to 800 Hz"
    other = FeatureExtractor(encoder_class(gain=2.0), "cpu")
    assert figure.settings["models"]["power"] != other.fingerprint
    assert (
        "own truth" in figure.settings["definition"] or "its truth" in figure.settings["definition"]
    )


def test_extractor_freezes_the_encoder_and_hears_each_clip_once(pieces, encoder_class):
    encoder = encoder_class().train()
    extractor = FeatureExtractor(encoder, "cpu")
    assert not encoder.training
    assert not encoder.gain.requires_grad
    item = pieces()[0]
    first = extractor(item.reference)
    same = dataclasses.replace(item.reference, samples=item.reference.samples.clone())
    assert extractor(same) is first
    assert encoder.calls == 1
    extractor(item.prompt)
    assert encoder.calls == 2
    assert first.shape == (10, 6)


def test_extractor_keeps_within_its_memory(pieces, encoder_class):
    encoder = encoder_class()
    extractor = FeatureExtractor(encoder, "cpu", memory_limit=10 * 6 * 4)
    one, two = pieces()[:2]
    for item in (one, two, one, two):
        extractor(item.reference)
    assert encoder.calls == 3  # the first clip fills the memory


def test_audio_is_mixed_down_and_resampled_for_the_encoder(pieces, encoder_class):
    extractor = FeatureExtractor(encoder_class(), "cpu")
    audio = pieces(noise=0)[3].reference
    plain = extractor(audio)
    left, right = audio.samples * 2, torch.zeros_like(audio.samples)
    stereo = dataclasses.replace(audio, samples=torch.cat([left, right]))
    np.testing.assert_allclose(extractor(stereo), plain, atol=1e-5)
    double = dataclasses.replace(audio, sample_rate=2 * audio.sample_rate)
    assert len(extractor(double)) == len(plain) // 2


def test_metrics_alive_together_share_an_encoder(context):
    one = shared_extractor("power", {}, context)
    assert shared_extractor("power", {}, context) is one
    assert shared_extractor("power", {"gain": 2.0}, context) is not one
    assert context.built == 2
    del one
    gc.collect()
    shared_extractor("power", {}, context)
    assert context.built == 3
