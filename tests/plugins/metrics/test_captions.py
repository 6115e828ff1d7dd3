"""CLAP score: what it measures, what it needs, what it shares."""

import math
from dataclasses import replace

import pytest
import torch
from workbench_metrics.captions import ClapScore, shared_judge

from workbench import Audio, EvaluationItem, Example, RecipeError, WorkbenchError
from workbench.host.context import Context as RealContext

RATE = 800


class Compass(torch.nn.Module):
    """Audio's mean is its direction in degrees; a caption names one."""

    sample_rate = 100
    embedding_dim = 2

    def __init__(self):
        super().__init__()
        self.offset = torch.nn.Parameter(torch.zeros(()))
        self.calls = []

    def embed_audio(self, wav, sample_rate):
        assert (wav.dim(), sample_rate) == (2, RATE)
        self.calls.append("audio")
        return self._vectors(wav.mean(dim=1) * 100)

    def embed_text(self, texts):
        self.calls.append("text")
        return self._vectors(torch.tensor([float(text) for text in texts]))

    def _vectors(self, degrees):
        angle = torch.deg2rad(degrees) + self.offset
        return torch.stack([angle.cos(), angle.sin()], dim=1)


class Context:
    device = "cpu"
    seed = 0

    def __init__(self, encoder):
        self.encoder = encoder
        self.built = 0

    def build(self, kind, name, options=None):
        assert (kind, name) == ("semantic_encoder", "compass")
        self.built += 1
        return self.encoder


def item(name, degrees, caption, channels=1):
    audio = Audio(torch.full((channels, 40), degrees / 100), RATE)
    return EvaluationItem(name, Example(name, "test", caption=caption), audio, audio)


def metric(context):
    return ClapScore(shared_judge("compass", {}, context), "compass")


def test_score_is_the_cosine_of_audio_and_caption():
    score = metric(Context(Compass()))
    score.update(item("same", 30, "30"))
    score.update(item("apart", 10, "70"))
    score.update(item("against", 0, "180"))
    (figure,) = score.compute()
    expected = {"same": 1.0, "apart": 0.5, "against": -1.0}
    assert figure.per_item == pytest.approx(expected, abs=1e-5)
    assert figure.value == pytest.approx(0.5 / 3, abs=1e-5)
    assert (figure.name, figure.n, figure.higher_is_better) == ("clap-score", 3, True)


def test_it_is_the_generated_audio_that_is_scored_its_channels_averaged():
    stereo = item("a", 0, "45", channels=2)
    samples = torch.stack([torch.full((40,), 0.2), torch.full((40,), 0.7)])
    score = metric(Context(Compass()))
    score.update(replace(stereo, generated=Audio(samples, RATE)))
    assert score.compute()[0].value == pytest.approx(1.0, abs=1e-5)


def test_an_item_without_a_caption_is_named():
    with pytest.raises(WorkbenchError, match="item 'a' has no caption; use a corpus with captions"):
        metric(Context(Compass())).update(item("a", 30, None))


def test_systems_share_a_judge_that_hears_and_reads_each_thing_once():
    compass = Compass()
    context = Context(compass)
    scores = [metric(context) for _ in range(3)]
    for score in scores:
        score.update(item("a", 30, "30"))
        score.update(item("b", 30, "60"))
    assert context.built == 1
    assert sorted(compass.calls) == ["audio", "text", "text"]
    assert scores[0].compute() == scores[2].compute()


def test_figures_of_other_judges_are_told_apart():
    settings = []
    for offset in (0.0, 1.0):
        compass = Compass()
        compass.offset.data += offset
        score = ClapScore(shared_judge("compass", {"offset": offset}, Context(compass)), "compass")
        score.update(item("a", 30, "30"))
        settings.append(score.compute()[0].settings["models"])
    assert settings[0] != settings[1]


def test_a_judge_without_captions_is_refused_by_name(catalog):
    options = {"judge": {"name": "mert", "options": {"weights": "embedded"}}}
    with pytest.raises(RecipeError, match=r"judge\.name = 'mert': must be an encoder of audio and"):
        RealContext(catalog, "cpu", 0).build("metric", "clap-score", options)


def test_clap_judges_by_default_and_any_of_its_weights_may(catalog):
    default = catalog.options("metric", "clap-score", {})
    assert default.judge.name == "clap"
    assert default.judge.options["weights"] == "embedded-judge"
    size = {"patch_width": 8, "heads": [1, 1, 1, 1], "text_width": 32, "text_layers": 1}
    options = {"judge": {"name": "clap", "options": {"weights": "random", "size": size}}}
    score = RealContext(catalog, "cpu", 0).build("metric", "clap-score", options)
    time = torch.arange(8000) / 8000
    audio = Audio(0.3 * torch.sin(2 * math.pi * 440 * time)[None], 8000)
    score.update(EvaluationItem("a", Example("a", "test", caption="a tone"), audio, audio))
    assert -1 <= score.compute()[0].value <= 1
