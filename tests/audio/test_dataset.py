"""Prepared audio: rates and channels, crops as functions of their arguments, skipped files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from workbench import Audio, AudioDataset, Example
from workbench.api.errors import AudioError
from workbench.audio.dataset import prepare


def tone(rate: int, seconds: float, channels: int = 1, frequency: float = 220.0) -> Audio:
    time = torch.arange(round(rate * seconds)) / rate
    return Audio(0.5 * torch.sin(2 * torch.pi * frequency * time).repeat(channels, 1), rate)


def recordings() -> Iterator[tuple[Example, Audio | AudioError]]:
    yield Example("mono", "train", details={"n": 1}), tone(16000, 1.0)
    yield Example("stereo 44.1", "train"), tone(44100, 2.0, channels=2)
    yield Example("broken", "train"), AudioError("broken.wav: can't be read as audio")
    yield Example("8 kHz", "test"), tone(8000, 0.5)


@pytest.fixture
def data(tmp_path: Path) -> AudioDataset:
    return prepare(tmp_path, recordings(), 16000, 1, "fingerprint")


def test_everything_comes_at_one_rate_and_channel_count(data: AudioDataset) -> None:
    lengths = {clip.example.id: clip.samples for clip in data.clips("train")}
    assert lengths == {"mono": 16000, "stereo 44.1": 32000}
    assert data.seconds("train") == 3.0
    for clip in (*data.clips("train"), *data.clips("test")):
        wav = data.read(clip)
        assert wav.shape == (1, clip.samples)
        time = torch.arange(clip.samples) / 16000
        expected = 0.5 * torch.sin(2 * torch.pi * 220 * time)
        inner = slice(200, -200)  # resampling has edges
        torch.testing.assert_close(wav[0, inner], expected[inner], rtol=0, atol=2e-3)


def test_unusable_recordings_are_named(data: AudioDataset) -> None:
    assert [(entry.id, entry.reason) for entry in data.skipped] == [
        ("broken", "broken.wav: can't be read as audio")
    ]


def test_examples_survive_the_round_trip(data: AudioDataset) -> None:
    assert data.clips("train")[0].example == Example("mono", "train", details={"n": 1})


def test_crops_are_a_function_of_seed_and_step(data: AudioDataset) -> None:
    one = data.crops("train", 4, 4000, seed=1, step=7)
    two = AudioDataset(data.folder).crops("train", 4, 4000, seed=1, step=7)
    other = data.crops("train", 4, 4000, seed=1, step=8)
    assert torch.equal(one.wav, two.wav)
    assert one.starts != other.starts
    for row, (index, start) in enumerate(zip(one.indices, one.starts, strict=True)):
        whole = data.read(data.clips("train")[index])
        assert torch.equal(one.wav[row], whole[:, start : start + 4000])


def test_processes_share_a_batch(data: AudioDataset) -> None:
    whole = data.crops("train", 4, 1000, seed=0, step=0)
    parts = [data.crops("train", 4, 1000, 0, 0, part=(rank, 2)) for rank in (0, 1)]
    assert torch.equal(whole.wav, torch.cat([part.wav for part in parts]))


def test_short_recordings_are_padded_and_say_so(data: AudioDataset) -> None:
    crops = data.crops("test", 1, 10000, seed=0, step=0)
    assert crops.lengths == (8000,)
    assert bool((crops.wav[..., 8000:] == 0).all())


def test_an_empty_split_is_an_error(data: AudioDataset) -> None:
    with pytest.raises(AudioError, match="no validation recordings"):
        data.crops("validation", 1, 100, 0, 0)
