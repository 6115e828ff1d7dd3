"""Figures on held-out audio while a codec is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.codec.codec_parts import FULL, FakeTeacher, small_codec, tones
from workbench import Audio, AudioDataset, Example, TrainingSession, TrainingSettings, XCodec
from workbench.audio.dataset import prepare
from workbench.codec import validation
from workbench.codec.config import QuantizerConfig
from workbench.codec.features import CropFeatures
from workbench.codec.losses import MelDistance
from workbench.codec.validation import HeldOut, codebook_figures, held_out_crops

SETTINGS = TrainingSettings(
    steps=6, batch_size=2, segment_seconds=0.2, learning_rate=1e-3, validate_every=2
)


@pytest.fixture
def data(tmp_path: Path) -> AudioDataset:
    wav = tones(4, 6000)
    lengths = {"train": 6000, "short": 700, "validation": 5000}
    recordings = [
        (Example("a", "train"), Audio(wav[0], 8000)),
        (Example("b", "validation"), Audio(wav[1, :, : lengths["validation"]], 8000)),
        (Example("c", "validation"), Audio(wav[2, :, : lengths["short"]], 8000)),
    ]
    return prepare(tmp_path / "data", recordings, 8000, 1, "tones")


def codec_to_train() -> XCodec:
    quantizer = QuantizerConfig(codebooks=2, size=8, kmeans_step=2, dead_threshold=0.1)
    teachers = (FakeTeacher(4), FakeTeacher(5))
    codec = small_codec(teachers=teachers, losses=FULL, quantizer=quantizer)
    for codebook in codec.quantizer.codebooks:
        codebook.inited.zero_()
    return codec


def history(folder: Path) -> list[Mapping[str, float]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_held_out_crops_tile_the_split(data: AudioDataset) -> None:
    (crops,) = held_out_crops(data, 1600)
    assert (crops.indices, crops.starts) == ((0, 0, 0, 1), (0, 1600, 3200, 0))
    assert crops.lengths == (1600, 1600, 1600, 700)
    for row, (index, start) in enumerate(zip(crops.indices, crops.starts, strict=True)):
        piece = data.read(data.clips("validation")[index], start, 1600)
        assert torch.equal(crops.wav[row, :, : piece.shape[-1]], piece)
    assert bool((crops.wav[3, :, 700:] == 0).all())


def test_a_long_split_is_sampled_evenly(
    data: AudioDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "SECONDS", 0.4)
    monkeypatch.setattr(validation, "BATCH_SECONDS", 0.2)
    found = list(held_out_crops(data, 1600))
    assert [(crops.indices, crops.starts) for crops in found] == [((0,), (0,)), ((0,), (3200,))]


def test_figures_are_those_of_the_codec_on_held_out_audio(data: AudioDataset) -> None:
    codec = small_codec(teachers=(FakeTeacher(4), FakeTeacher(5)), losses=replace(FULL, mel=0))
    (crops,) = held_out_crops(data, 1600)
    figures = HeldOut(codec, data, 1600, CropFeatures(codec))()
    codes = codec.encode(crops.wav)
    mel = MelDistance(8000, [256], [20])(codec.decode(codes), crops.wav)
    assert figures["mel"] == pytest.approx(float(mel), rel=1e-5)
    for level, used in enumerate(codes.values.unbind(1), start=1):
        assert figures[f"used_{level}"] == len(used.unique()) / 16
    result = codec(crops.wav)
    errors = [
        float((features.detach() - target).square().mean())
        for features, target in zip(result.features, result.targets, strict=True)
    ]
    assert [figures["semantic_error_1"], figures["semantic_error_2"]] == pytest.approx(errors)
    assert figures["semantic_error"] == pytest.approx(sum(errors) / 2)


def test_perplexity_is_the_effective_number_of_entries() -> None:
    counts = torch.tensor([[4.0, 4.0, 0.0, 0.0], [6.0, 1.0, 1.0, 0.0]])
    figures = codebook_figures(counts)
    assert figures["used_1"] == 0.5
    assert figures["perplexity_1"] == pytest.approx(2.0)
    assert figures["used_2"] == 0.75
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.125))
    assert figures["perplexity_2"] == pytest.approx(math.exp(entropy))


def test_training_logs_them_and_is_not_changed_by_them(data: AudioDataset, tmp_path: Path) -> None:
    watched, plain = codec_to_train(), codec_to_train()
    heard: list[tuple[int, Mapping[str, float]]] = []
    watched.fit(
        data,
        TrainingSession(
            SETTINGS, tmp_path / "watched", 3, "cpu", [lambda _, step, s: heard.append((step, s))]
        ),
    )
    blind = replace(SETTINGS, validate_every=0)
    plain.fit(data, TrainingSession(blind, tmp_path / "plain", 3, "cpu"))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, watched.state_dict()[name]), name
    looks = {
        line["step"]: line for line in history(tmp_path / "watched") if "validation_mel" in line
    }
    # Not after the second step: nothing is quantised before the third.
    assert sorted(looks) == [3, 5]
    names = {"mel", "commitment", "semantic_error", "used_1", "perplexity_2"}
    assert {f"validation_{name}" for name in names} < set(looks[5])
    assert [step for step, scalars in heard if "validation_mel" in scalars] == [3, 5]
    assert not any("validation_mel" in line for line in history(tmp_path / "plain"))


def test_a_corpus_without_held_out_audio_trains_too(data: AudioDataset, tmp_path: Path) -> None:
    recordings = [(Example("a", "train"), Audio(tones(1, 6000)[0], 8000))]
    alone = prepare(tmp_path / "alone", recordings, 8000, 1, "tones")
    codec = codec_to_train()
    codec.fit(alone, TrainingSession(SETTINGS, tmp_path, 3, "cpu"))
    assert not any("validation_mel" in line for line in history(tmp_path))
