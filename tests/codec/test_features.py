"""Teacher features of whole recordings: stored or computed anew, training is the same."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.codec.codec_parts import FULL, FakeTeacher, small_codec, tones
from workbench import Audio, AudioDataset, Example, TrainingSession, TrainingSettings, XCodec
from workbench.api.errors import WeightsError, WorkbenchError
from workbench.audio.dataset import Crops, prepare
from workbench.codec import features
from workbench.codec.config import QuantizerConfig, TeachingConfig
from workbench.codec.features import (
    Hearing,
    RecordingFeatures,
    StoredFeatures,
    feature_inputs,
    write_features,
)
from workbench.codec.fit import crops_of, feature_source

SETTINGS = TrainingSettings(
    steps=6, batch_size=4, segment_seconds=0.2, learning_rate=1e-3, log_every=1
)
STORED = TeachingConfig("recording", "fp32", window_seconds=0.5, context_seconds=0.1)
LENGTHS = (6000, 700, 1601, 12345)
"""Samples at 8 kHz: several windows, less than a crop (1600), hardly more, many windows."""


class Listener(FakeTeacher):
    """A teacher whose every frame depends on all that it hears."""

    def forward(self, wav: Tensor) -> Tensor:
        features = super().forward(wav)
        return features + features.mean(dim=-1, keepdim=True)


def codec_with(teaching: TeachingConfig, balance: bool = False) -> XCodec:
    """An untrained codec with three teachers at three rates."""
    teachers = (Listener(4), Listener(5, 24000, 320), Listener(3, 12000, 2000))
    quantizer = QuantizerConfig(codebooks=2, size=8, kmeans_step=2, dead_threshold=0.5)
    losses = replace(FULL, balance=balance)
    codec = small_codec(teachers=teachers, losses=losses, quantizer=quantizer, normalise=True)
    codec.config.teaching = teaching
    for codebook in codec.quantizer.codebooks:
        codebook.inited.zero_()
    return codec


@pytest.fixture
def data(tmp_path: Path) -> AudioDataset:
    wav = tones(len(LENGTHS), max(LENGTHS))
    recordings = (
        (Example(f"tone{i}", "train"), Audio(wav[i, :, :samples], 8000))
        for i, samples in enumerate(LENGTHS)
    )
    return prepare(tmp_path / "data", recordings, 8000, 1, "tones")


def session(folder: Path) -> TrainingSession:
    return TrainingSession(SETTINGS, folder, seed=3, device="cpu")


def test_stored_features_are_bit_for_bit_those_computed_anew(
    data: AudioDataset, tmp_path: Path
) -> None:
    codec = codec_with(STORED)
    write_features(codec, data, SETTINGS, tmp_path / "features")
    hearing = Hearing.of(codec, SETTINGS)
    stored = StoredFeatures(codec, data, hearing, tmp_path / "features")
    anew = RecordingFeatures(codec, data, hearing)
    batches = crops_of(codec, data, session(tmp_path))
    seen = set()
    for number in range(12):
        crops = batches(number)
        seen |= set(crops.indices)
        assert all(start % codec.config.hop == 0 for start in crops.starts)
        for one, two in zip(stored(crops), anew(crops), strict=True):
            assert one.shape == (4, one.shape[1], 10)
            assert torch.equal(one, two)
    assert seen == {0, 1, 2, 3}


def test_training_is_the_same_with_and_without_the_store(
    data: AudioDataset, tmp_path: Path
) -> None:
    histories, results = {}, {}
    for store in ("none", "fp32", "fp16"):
        codec = codec_with(replace(STORED, store=store))  # type: ignore[arg-type]
        folder = None
        if feature_inputs(codec, SETTINGS):
            folder = tmp_path / f"features-{store}"
            codec.write_features(data, SETTINGS, folder)
        codec.fit(data, session(tmp_path / store), folder)
        lines = (tmp_path / store / "history.jsonl").read_text().splitlines()
        histories[store] = [json.loads(line) for line in lines]
        results[store] = codec.state_dict()
    losses = {store: [line["loss"] for line in lines] for store, lines in histories.items()}
    assert len(losses["none"]) == 6
    assert losses["fp32"] == losses["none"]
    assert losses["fp16"] == pytest.approx(losses["none"], rel=1e-3)
    assert losses["fp16"] != losses["none"]
    for name, value in results["none"].items():
        assert torch.equal(value, results["fp32"][name]), name


def long_crops(codec: XCodec, data: AudioDataset, folder: Path) -> Crops:
    """Crops of which one at least starts within a recording and none is padded."""
    batches = (crops_of(codec, data, session(folder))(number) for number in range(50))
    return next(crops for crops in batches if any(crops.starts) and min(crops.lengths) == 1600)


def test_the_recording_is_heard_as_when_it_is_encoded(data: AudioDataset, tmp_path: Path) -> None:
    codec = codec_with(replace(STORED, store="none", window_seconds=30.0))
    crops = long_crops(codec, data, tmp_path)
    heard = feature_source(codec, data, SETTINGS)(crops)
    for row, (index, start) in enumerate(zip(crops.indices, crops.starts, strict=True)):
        encoded = codec.features(data.read(data.clips("train")[index])[None])
        first = start // codec.config.hop
        for ours, whole in zip(heard, encoded, strict=True):
            assert torch.equal(ours[row], whole[0, :, first : first + 10])


def test_context_hides_the_seams_of_windows(data: AudioDataset, tmp_path: Path) -> None:
    codec = small_codec(teachers=(FakeTeacher(4), FakeTeacher(5, 24000, 320)))
    crops = long_crops(codec_with(STORED), data, tmp_path)
    found = []
    for window, context in ((30.0, 0.0), (0.1, 0.1)):
        codec.config.teaching = TeachingConfig("recording", "none", window, context)
        found.append(feature_source(codec, data, SETTINGS)(crops))
    for whole, windows in zip(*found, strict=True):
        assert torch.allclose(whole, windows, atol=1e-5)


def test_a_crop_hears_less_than_the_recording(data: AudioDataset, tmp_path: Path) -> None:
    by_recording = codec_with(replace(STORED, store="none"))
    by_crop = codec_with(TeachingConfig())
    crops = crops_of(by_recording, data, session(tmp_path))(0)
    ours = feature_source(by_recording, data, SETTINGS)(crops)
    theirs = feature_source(by_crop, data, SETTINGS)(crops)
    assert all(
        one.shape == two.shape and not torch.allclose(one, two, atol=1e-3)
        for one, two in zip(ours, theirs, strict=True)
    )


def test_a_killed_listening_goes_on(
    data: AudioDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD_SECONDS", 0.1)  # a shard for each recording
    codec = codec_with(STORED)
    write_features(codec, data, SETTINGS, tmp_path / "whole")
    original, heard = RecordingFeatures.window, []

    def hear(self: RecordingFeatures, index: int, window: tuple[int, int]) -> Tensor:
        heard.append(index)
        if len(heard) == 4:
            raise KeyboardInterrupt
        return original(self, index, window)

    monkeypatch.setattr(RecordingFeatures, "window", hear)
    with pytest.raises(KeyboardInterrupt):
        write_features(codec, data, SETTINGS, tmp_path / "cut")
    facts = write_features(codec, data, SETTINGS, tmp_path / "cut")
    assert heard == [0, 0, 1, 2, 2, 3, 3, 3, 3]  # the first two were kept
    assert facts["seconds_of_audio"] == pytest.approx(sum(LENGTHS) / 8000, abs=1e-3)
    for path in sorted((tmp_path / "whole").glob("*.npy")):
        assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes()


def test_a_crop_is_read_without_the_rest(tmp_path: Path) -> None:
    wav = tones(1, 8000 * 200)
    data = prepare(
        tmp_path / "data", [(Example("long", "train"), Audio(wav[0], 8000))], 8000, 1, ""
    )
    codec = small_codec(teachers=(FakeTeacher(64),))
    codec.config.teaching = TeachingConfig("recording", "fp32")
    facts = write_features(codec, data, SETTINGS, tmp_path / "features")
    assert facts["bytes"] > 200 * 50 * 64 * 4
    stored = StoredFeatures(codec, data, Hearing.of(codec, SETTINGS), tmp_path / "features")
    crops = crops_of(codec, data, session(tmp_path))(0)
    tracemalloc.start()
    stored(crops)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < facts["bytes"] / 10


def test_features_too_large_for_half_precision_are_an_error(
    data: AudioDataset, tmp_path: Path
) -> None:
    codec = codec_with(replace(STORED, store="fp16"))
    loud = codec.teachers[0].encoder
    loud.register_forward_hook(lambda _, __, features: 1e7 * features)  # type: ignore[attr-defined]
    with pytest.raises(WorkbenchError, match="store=fp32"):
        write_features(codec, data, SETTINGS, tmp_path)


def test_features_of_another_training_are_refused(data: AudioDataset, tmp_path: Path) -> None:
    codec = codec_with(STORED)
    write_features(codec, data, SETTINGS, tmp_path / "features")
    codec.config.teaching = replace(STORED, context_seconds=0.3)
    with pytest.raises(WeightsError, match="made for another training"):
        codec.fit(data, session(tmp_path), tmp_path / "features")
    with pytest.raises(WorkbenchError, match="needs the folder that write_features filled"):
        codec.fit(data, session(tmp_path))


def test_the_control_without_a_teacher_hears_the_same_crops(
    data: AudioDataset, tmp_path: Path
) -> None:
    control, taught = small_codec(), codec_with(STORED)
    control.config.teaching = STORED
    ours, theirs = (crops_of(codec, data, session(tmp_path))(3) for codec in (control, taught))
    assert torch.equal(ours.wav, theirs.wav)
    control.fit(data, session(tmp_path))
    assert int(control.quantizer.steps) == 6


def test_what_features_depend_on(data: AudioDataset) -> None:
    def inputs(seconds: float = 0.2, **changes: object) -> object:
        teaching = replace(STORED, **changes)  # type: ignore[arg-type]
        return feature_inputs(codec_with(teaching), replace(SETTINGS, segment_seconds=seconds))

    assert inputs(store="none") == {}
    assert inputs() == inputs()
    others = [inputs(0.3), inputs(store="fp16"), inputs(window_seconds=1.0)]
    assert all(other != inputs() for other in others)
    assert feature_inputs(codec_with(STORED, balance=True), SETTINGS) == inputs()
    silent = small_codec()
    silent.config.teaching = STORED
    assert feature_inputs(silent, SETTINGS) == {}
