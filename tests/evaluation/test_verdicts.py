"""Differences that were planted are found, and seeds alone make none."""

from __future__ import annotations

import pytest
import torch

from workbench import Audio, Context, EvaluationItem, Example, paired_difference

RATE, SAMPLES, ITEMS = 16000, 8000, 16
METRICS = {"mel-distance": {"fft_sizes": [512], "mels": [40]}, "si-sdr": {}}
CHANCE = 3
"""Of 20 comparisons at the 95 % level, more false verdicts than this come in 1.6 % of all cases."""


def pieces():
    """Chirps of other pitches and slopes, each at its own level."""
    time = torch.arange(SAMPLES) / RATE
    starts = torch.linspace(150, 900, ITEMS)[:, None]
    levels = torch.linspace(0.05, 0.3, ITEMS)[:, None]
    return levels * torch.sin(6.283 * (starts + 300 * time) * time)


def coder(wavs, damage, seed):
    """A codec of a kind: it rounds, and makes an error in a share of its samples at random."""
    generator = torch.Generator().manual_seed(seed)
    rounded = (wavs * 200).round() / 200
    struck = torch.rand(wavs.shape, generator=generator) < damage
    other = 0.3 * torch.randn(wavs.shape, generator=generator)
    return torch.where(struck, rounded + other, rounded)


@pytest.fixture(scope="module")
def figures(catalog):
    truth = pieces()

    def score(damage, seed):
        found = {}
        for name, options in METRICS.items():
            metric = Context(catalog, "cpu", 0).build("metric", name, options)
            for n, (made, wav) in enumerate(zip(coder(truth, damage, seed), truth, strict=True)):
                audio, reference = Audio(made[None], RATE), Audio(wav[None], RATE)
                metric.update(EvaluationItem(f"{n}", Example(f"{n}", "test"), audio, reference))
            found |= {figure.name: figure for figure in metric.compute()}
        return found

    return score


def test_a_codec_that_was_damaged_ranks_lower_by_an_interval_clear_of_zero(figures):
    whole, hurt = figures(0.01, seed=1), figures(0.015, seed=2)
    for name in METRICS:
        gap = paired_difference(hurt[name], whole[name])
        assert gap.better == 2, name
        assert not gap.low <= 0 <= gap.high, name


def test_seeds_alone_give_no_more_verdicts_than_chance(figures):
    false = dict.fromkeys(METRICS, 0)
    for repeat in range(20):
        one, two = (figures(0.01, seed=10 + 2 * repeat + k) for k in (0, 1))
        for name in METRICS:
            false[name] += paired_difference(one[name], two[name]).better is not None
    assert all(count <= CHANCE for count in false.values()), false
