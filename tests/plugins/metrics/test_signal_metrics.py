import dataclasses
import math

import pytest
import torch
from workbench_metrics.mel import MelDistance
from workbench_metrics.sisdr import SiSdr

from workbench.api.errors import WorkbenchError
from workbench.api.types import Audio, EvaluationItem, Example

RATE = 8000


def item(generated, reference, name="a"):
    return EvaluationItem(
        name, Example(name, "test"), Audio(generated, RATE), Audio(reference, RATE)
    )


def score(metric, *items):
    for each in items:
        metric.update(each)
    (figure,) = metric.compute()
    return figure.value


@pytest.fixture
def noise():
    return 0.3 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))


def mel():
    return MelDistance([256, 512], [20, 40])


def test_mel_distance_of_a_gain_is_that_gain(noise):
    # Half the amplitude is log10(2) in every bin.
    assert score(mel(), item(noise / 2, noise)) == pytest.approx(math.log10(2), rel=1e-3)
    assert score(mel(), item(noise, noise)) == 0


def test_mel_distance_ignores_the_sign_and_sees_the_colour(noise):
    assert score(mel(), item(-noise, noise)) == pytest.approx(0, abs=1e-5)
    smooth = (noise + noise.roll(1, -1)) / 2
    assert score(mel(), item(smooth, noise)) > 0.1


def test_mel_distance_is_the_mean_over_its_resolutions(noise):
    other = noise.roll(7, -1) + 0.1
    one = score(MelDistance([256], [20]), item(other, noise))
    two = score(MelDistance([512], [40]), item(other, noise))
    assert score(mel(), item(other, noise)) == pytest.approx((one + two) / 2)


def test_si_sdr_of_known_noise(noise):
    generator = torch.Generator().manual_seed(1)
    clean = noise - noise.mean()
    dirt = torch.randn(clean.shape, generator=generator)
    dirt = dirt - dirt.mean()
    dirt = dirt - (dirt * clean).sum() / clean.square().sum() * clean
    dirt = dirt * clean.norm() / dirt.norm() / 10  # 20 dB below
    assert score(SiSdr(), item(clean + dirt, clean)) == pytest.approx(20, abs=1e-3)
    # Neither scale nor offset of the generated audio matters.
    assert score(SiSdr(), item(0.1 * (clean + dirt) + 0.5, clean)) == pytest.approx(20, abs=1e-3)


def test_si_sdr_is_bounded(noise):
    assert score(SiSdr(), item(noise, noise)) == 100
    assert score(SiSdr(), item(torch.zeros_like(noise), noise)) == pytest.approx(0, abs=1e-6)
    assert score(SiSdr(), item(noise, torch.zeros_like(noise))) == -100


@pytest.mark.parametrize("metric", [mel, SiSdr])
def test_audio_that_ends_early_scores_worse(metric, noise):
    figure = metric()
    figure.update(item(noise[:, : RATE // 2], noise, "short"))
    figure.update(item(noise, noise, "whole"))
    (result,) = figure.compute()
    short, whole = result.per_item["short"], result.per_item["whole"]
    assert (short < whole) == result.higher_is_better


@pytest.mark.parametrize("metric", [mel, SiSdr])
def test_unlike_rates_are_refused(metric, noise):
    pair = item(noise, noise)
    other = dataclasses.replace(pair, generated=Audio(noise, RATE * 2))
    with pytest.raises(WorkbenchError, match=r"'a'.*sample rate is 16000.*8000"):
        metric().update(other)
    stereo = dataclasses.replace(pair, generated=Audio(noise.repeat(2, 1), RATE))
    with pytest.raises(WorkbenchError, match="channel count is 2"):
        metric().update(stereo)
