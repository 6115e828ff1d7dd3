"""Codes of a split: batches of short recordings, and long ones by themselves."""

import pytest
import torch

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from workbench import Audio, Example
from workbench.audio.dataset import prepare
from workbench.pipeline import tokens
from workbench.pipeline.tokens import TokenizedSplit, encode_split, length_batches
from workbench.training.progress import StepProgress

LENGTHS = (3000, 40_000, 8000, 7999, 24_001)


@pytest.fixture
def data(tmp_path):
    wav = tones(1, max(LENGTHS))[0]
    recordings = (
        (Example(f"r{n}", "train"), Audio(wav[:, n : n + n_samples], 8000))
        for n, n_samples in enumerate(LENGTHS)
    )
    return prepare(tmp_path / "data", recordings, 8000, 1, "tones")


def test_long_recordings_are_encoded_by_themselves_and_in_blocks(data, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "WHOLE_SECONDS", 1.5)
    monkeypatch.setattr(tokens, "BLOCK_SECONDS", 0.4)
    codec = small_codec("spectral", (FakeTeacher(),))
    read: list[int] = []
    whole = type(data).read

    def watched(self, clip, start=0, samples=None):
        read.append(clip.samples if samples is None else samples)
        return whole(self, clip, start, samples)

    monkeypatch.setattr(type(data), "read", watched)
    with StepProgress("tokens", 0, len(LENGTHS)) as progress:
        encode_split(tmp_path, data, "train", codec, progress, "cpu")
    assert max(read) <= 8000
    assert progress.done == len(LENGTHS)
    split = TokenizedSplit(tmp_path, data.clips("train"), "train", codec.frame_rate)
    for clip, item in zip(data.clips("train"), split, strict=True):
        expected = codec.encode(whole(data, clip)[None]).values[0]
        assert torch.equal(item.codes, expected)


def test_batches_are_bounded_and_long_recordings_alone(data, monkeypatch):
    monkeypatch.setattr(tokens, "WHOLE_SECONDS", 1.5)
    monkeypatch.setattr(tokens, "BATCH_SECONDS", 2.5)
    batches = list(length_batches(range(5), data.clips("train"), 8000))
    assert batches == [[0, 3], [2], [4], [1]]
