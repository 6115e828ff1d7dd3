"""The embedded CLAPs, where shipped: captions find their sounds; the judge is not the teacher."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest
import torch
from workbench_clap.checkpoint import EMBEDDED
from workbench_clap.encoder import build_encoder
from workbench_clap.plugin import ClapOptions
from workbench_clap.quality import distinct_pairs, recall

from workbench import Audio, AudioDataset, Catalog, Context, Example
from workbench.audio.dataset import prepare

PAIRS = 60
LARGEST = 4.5e6
"""Bytes of weights that a plugin may carry."""

pytestmark = pytest.mark.skipif(
    not all((folder / "model.safetensors").is_file() for folder in EMBEDDED.values()),
    reason="the weights are not trained yet",
)


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
    encoder = build_encoder(ClapOptions(weights=weights), 0)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    pairs = distinct_pairs(scenes, "test", PAIRS)
    chance = 10 / len(pairs)
    found = {figure.name: figure.low for figure in recall(encoder, scenes, pairs)}
    assert found["text-to-audio-recall-10"] > 1.5 * chance
    assert found["audio-to-text-recall-10"] > 1.5 * chance


@torch.no_grad()
def test_the_judge_is_another_than_the_teacher() -> None:
    teacher, judge = (build_encoder(ClapOptions(weights=weights), 0) for weights in EMBEDDED)
    assert not torch.allclose(teacher.embed_text(["a bell"]), judge.embed_text(["a bell"]))
    assert teacher.frame_rate == judge.frame_rate


@pytest.mark.parametrize("folder", EMBEDDED.values(), ids=lambda folder: Path(folder).name)
def test_they_are_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
