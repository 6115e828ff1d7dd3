"""Log-mel spectra in a teacher's place: as many frames and numbers as HuBERT's, nothing learnt."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from workbench_hubert.plugin import SpeechEncoderSize

from tests.plugins.encoder_checks import HUBERT_LENGTHS, check_encoder, hubert_frames
from workbench import Catalog, Context, RecipeError
from workbench.codec.semantic import describe_teacher


def build(catalog: Catalog, **options: Any) -> Any:
    return Context(catalog, "cpu", 0).build("semantic_encoder", "log-mel", options)


def test_rates_frames_and_width_are_huberts(catalog: Catalog) -> None:
    encoder = build(catalog)
    assert encoder.sample_rate == 16000
    assert encoder.frame_rate == 50
    assert encoder.dim == SpeechEncoderSize().hidden == 192
    check_encoder(encoder, hubert_frames, HUBERT_LENGTHS)


@pytest.mark.parametrize(
    ("options", "dim", "rate"),
    [
        ({"bands": 20}, 60, 50),
        ({"neighbours": 0}, 64, 50),
        ({"sample_rate": 24000, "hop": 240, "window": 1024, "bands": 8, "neighbours": 2}, 40, 100),
    ],
)
def test_options_set_width_and_rate(
    catalog: Catalog, options: dict[str, Any], dim: int, rate: int
) -> None:
    encoder = build(catalog, **options)
    assert (encoder.dim, encoder.frame_rate) == (dim, rate)
    side = round(encoder.sample_rate / rate / 2)
    wav = F.pad(torch.ones(1, encoder.sample_rate), (side, side))
    assert encoder(wav).shape == (1, dim, rate)


def test_a_click_is_heard_in_the_frame_that_it_lies_in(catalog: Catalog) -> None:
    encoder = build(catalog, window=320, neighbours=0)
    wav = torch.full((1, 16000), 1e-6)
    wav[0, 20 * 320 + 200] = 1.0  # the middle of frame 20
    loudness = encoder(wav)[0].mean(dim=0)
    assert int(loudness.argmax()) == 20
    assert bool((loudness[:19] < loudness[20] - 1).all())


def test_neighbours_are_the_frames_beside(catalog: Catalog) -> None:
    wav = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    alone, beside = build(catalog, neighbours=0)(wav), build(catalog)(wav)
    before, here, after = beside.chunk(3, dim=1)
    assert torch.equal(here, alone)
    assert torch.equal(before[..., 1:], alone[..., :-1])
    assert torch.equal(after[..., :-1], alone[..., 1:])


def test_speech_lies_about_zero_with_deviation_one(catalog: Catalog) -> None:
    options = {"train": 12, "validation": 1, "test": 1, "variety": 1.0, "languages": ["en"]}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-speech", options)
    encoder = build(catalog)
    heard = [encoder(corpus.audio(e).samples)[0] for e in corpus.examples("train")]
    features = torch.cat(heard, dim=-1)
    assert math.isclose(float(features.mean()), 0, abs_tol=0.5)
    assert 0.7 < float(features.std()) < 1.3


def test_a_codec_knows_a_teacher_of_other_settings(catalog: Catalog) -> None:
    hashes = {
        describe_teacher("log-mel", build(catalog, **options), 1.0).fingerprint
        for options in ({}, {"window": 400}, {"bands": 96, "neighbours": 0})
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [({"window": 100}, "at least hop = 320"), ({"bands": 300}, "at most 256")],
)
def test_what_can_not_be_is_refused(
    catalog: Catalog, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        build(catalog, **options)
