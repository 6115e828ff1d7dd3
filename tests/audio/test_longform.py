from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from workbench import WaveformEncoder
from workbench.audio import longform
from workbench.audio.longform import ATTENTION, Survey

RATE, HOP = 16_000, 320
FAMILIES = {"hubert": transformers.HubertConfig, "wavlm": transformers.WavLMConfig}
SEVEN = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}


def encoder(
    family: str = "hubert", layers: int = 1, normalize: bool = False, **changes: Any
) -> WaveformEncoder:
    """A small random model in which all depends on everything."""
    torch.manual_seed(0)
    config = FAMILIES[family](
        hidden_size=24, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=32,
        **{**SEVEN, **changes},
    )  # fmt: skip
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return WaveformEncoder(model, RATE, "mean", normalize)


def recording(frames: int) -> Tensor:
    """Noise whose loudness and offset change, of so many frames."""
    samples = (frames - 1) * HOP + 400
    generator = torch.Generator().manual_seed(frames)
    loudness = torch.linspace(0.05, 1, samples)
    return loudness * torch.randn(1, samples, generator=generator) + 0.1 * loudness


def windows(own: WaveformEncoder, wav: Tensor, survey: Survey, size: int, side: int) -> Tensor:
    """Features of all frames, heard in windows of ``size`` frames with ``side`` around them."""
    total = own.frames(wav.shape[1])
    parts = []
    for begin in range(0, total, size):
        first, last = max(0, begin - side), min(total, begin + size + side)
        heard = wav[:, first * HOP : (last - 1) * HOP + 400]
        kept = own.within(heard, survey, first * HOP)[..., begin - first :]
        parts.append(kept[..., : min(size, total - begin)])
    return torch.cat(parts, dim=-1)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_normalisation_is_that_of_the_whole_recording(
    family: str, norm: str, normalize: bool
) -> None:
    own = encoder(family, normalize=normalize, feat_extract_norm=norm, conv_bias=norm == "layer")
    own.layers = (0,)  # what the transformer is given: no attention yet
    wav = recording(150)
    survey = own.survey(wav.split(5000, dim=1), wav.shape[1])
    whole = own(wav)
    assert torch.allclose(windows(own, wav, survey, 40, 8), whole, atol=1e-4)
    alone = own(wav[:, : 47 * HOP + 400])
    same = torch.allclose(alone[..., :40], whole[..., :40], atol=1e-2)
    assert same == (norm == "layer" and not normalize)


def without_landmarks(survey: Survey) -> Survey:
    return replace(survey, positions=torch.zeros(0), landmarks={})


@torch.no_grad()
def test_with_every_frame_a_landmark_one_layer_hears_the_whole_recording() -> None:
    own = encoder()
    own.landmarks = 10_000
    wav = recording(300)
    survey = own.survey([wav], wav.shape[1])
    assert survey.positions.tolist() == list(range(300))
    whole = own(wav)
    # Frames at a window's ends lack what the convolution for positions would see beyond them.
    assert torch.allclose(windows(own, wav, survey, 60, 8), whole, atol=2e-3)
    alone = windows(own, wav, without_landmarks(survey), 60, 8)
    assert float((alone - whole).abs().max()) > 2e-2


@torch.no_grad()
def test_a_landmark_stands_for_the_frames_around_it() -> None:
    """Attention to all frames alike is their mean, which few landmarks give as well as many."""
    own = encoder()
    attention: Any = own.model.encoder.layers[0].attention
    attention.q_proj.weight.zero_()
    attention.q_proj.bias.zero_()
    own.landmarks = 80
    generator = torch.Generator().manual_seed(0)
    halves = torch.randn(2, 1, HOP, generator=generator)  # each repeated: all its frames are alike
    wav = torch.cat([half.repeat(1, 500) for half in halves], dim=1)
    survey = own.survey([wav], wav.shape[1])
    assert 80 <= len(survey.positions) < 100
    whole = own(wav)
    heard = windows(own, wav, survey, 100, 8)
    alone = windows(own, wav, without_landmarks(survey), 100, 8)
    assert float((heard - whole).norm()) < 0.1 * float((alone - whole).norm())


@pytest.mark.parametrize("normalize", [False, True])
@torch.no_grad()
def test_a_survey_does_not_depend_on_where_the_blocks_are_cut(normalize: bool) -> None:
    own = encoder(layers=2, normalize=normalize)
    wav = recording(400)
    surveys = [own.survey(wav.split(n, dim=1), wav.shape[1]) for n in (7, 999, wav.shape[1])]
    for survey in surveys[1:]:
        assert survey.positions.tolist() == surveys[0].positions.tolist()
        window = wav[:, 100 * HOP : 200 * HOP]
        heard = [own.within(window, each, 100 * HOP) for each in (survey, surveys[0])]
        assert torch.allclose(heard[0], heard[1], atol=1e-5)


@torch.no_grad()
def test_long_recordings_are_surveyed_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longform, "EXCERPTS", 4)
    monkeypatch.setattr(longform, "EXCERPT_SECONDS", 0.5)
    monkeypatch.setattr(longform, "MARGIN_SECONDS", 0.2)
    own = encoder(layers=2)
    heard: list[int] = []
    own.model.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].shape[-1]))
    own.landmarks = 40
    wav = recording(1000)
    survey = own.survey(wav.split(3000, dim=1), wav.shape[1])
    assert sum(heard) <= 2 * 4 * (26 + 2 * 10)
    positions = survey.positions.tolist()
    assert len(positions) == 40
    assert positions == sorted(set(positions))
    quarters = [sum(250 * n <= p < 250 * (n + 1) for p in positions) for n in range(4)]
    assert quarters == [10, 10, 10, 10]
    assert all(keys.shape[2] == 40 for keys, _ in survey.landmarks.values())
    assert len(survey.landmarks) == 2


@torch.no_grad()
def test_a_model_is_left_as_it_was() -> None:
    own = encoder(layers=2)
    wav = recording(200)
    before = own(wav)
    implementation = own.model.config._attn_implementation
    survey = own.survey([wav], wav.shape[1])
    own.within(wav[:, : 50 * HOP], survey, 0)
    with pytest.raises(RuntimeError):
        own.within(wav[None], survey, 0)  # of a wrong shape
    assert own.model.config._attn_implementation == implementation != ATTENTION
    assert torch.equal(own(wav), before)
