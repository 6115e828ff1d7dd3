"""The embedded CLAPs, where shipped: captions find their sounds; the judge is not the teacher."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import pytest
import torch
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel
from workbench_clap.checkpoint import EMBEDDED
from workbench_clap.encoder import build_encoder
from workbench_clap.plugin import ClapOptions
from workbench_clap.quality import distinct_pairs, recall

from tests.plugins.encoder_checks import noise
from workbench import Audio, AudioDataset, Catalog, Context, Example
from workbench.audio.dataset import prepare

PAIRS = 60
LARGEST = 4e6
"""Bytes of weights that a plugin may carry."""


def shipped(weights: str) -> str:
    """The option's value, or a skip where these weights are not trained yet."""
    if not (EMBEDDED[weights] / "model.safetensors").is_file():
        pytest.skip(f"{weights} is not trained yet")
    return weights


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> AudioDataset:
    """Test scenes of a draw that no shipped model was trained on."""
    options = {"train": 0, "validation": 0, "test": PAIRS + 10, "seed": 7}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-sound", options)

    def recordings() -> Iterable[tuple[Example, Audio]]:
        for example in islice(corpus.examples("test"), PAIRS + 10):
            yield example, corpus.audio(example)

    return prepare(tmp_path_factory.mktemp("scenes"), recordings(), 16_000, 1, "scenes")


@pytest.mark.parametrize("weights", EMBEDDED)
def test_captions_find_their_sounds(weights: str, scenes: AudioDataset) -> None:
    encoder = build_encoder(ClapOptions(weights=shipped(weights)), 0)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    pairs = distinct_pairs(scenes, "test", PAIRS)
    chance = 10 / len(pairs)
    found = {figure.name: figure.low for figure in recall(encoder, scenes, pairs)}
    assert found["text-to-audio-recall-10"] > 3 * chance
    assert found["audio-to-text-recall-10"] > 3 * chance


@torch.no_grad()
def test_the_judge_is_another_than_the_teacher() -> None:
    teacher, judge = (build_encoder(ClapOptions(weights=shipped(name)), 0) for name in EMBEDDED)
    assert not torch.allclose(teacher.embed_text(["a bell"]), judge.embed_text(["a bell"]))
    assert teacher.frame_rate == judge.frame_rate


@pytest.mark.parametrize("weights", EMBEDDED)
def test_they_are_small(weights: str) -> None:
    folder = EMBEDDED[shipped(weights)]
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST


@torch.no_grad()
@pytest.mark.parametrize("weights", EMBEDDED)
def test_transformers_loads_them_as_they_lie(weights: str) -> None:
    folder = EMBEDDED[shipped(weights)]
    encoder = build_encoder(ClapOptions(weights=weights), 0)
    model = ClapModel.from_pretrained(folder, dtype=torch.float32).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    wav = noise(2, 40_000)
    views = extractor(list(wav.numpy()), sampling_rate=16_000, return_tensors="pt")
    audio = model.get_audio_features(**views).pooler_output
    texts = ["a dog barks", "rain, then two rings of a bell"]
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    text = model.get_text_features(**tokens).pooler_output
    torch.testing.assert_close(encoder.embed_audio(wav, 16_000), audio, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoder.embed_text(texts), text, rtol=1e-4, atol=1e-5)
