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


def test_filling_is_the_share_of_crops_that_is_audio(data: AudioDataset) -> None:
    assert data.filling("train", 8000) == 1.0
    expected = 1 / 3 * 16000 / 24000 + 2 / 3  # crops are drawn in proportion to length
    assert data.filling("train", 24000) == pytest.approx(expected)
    padded = [(data.crops("train", 1, 24000, 0, step).lengths[0]) for step in range(400)]
    assert sum(padded) / 400 / 24000 == pytest.approx(expected, abs=0.03)


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


def test_crops_start_on_the_grid_and_everywhere_on_it(data: AudioDataset) -> None:
    starts = {"mono": set(), "stereo 44.1": set()}
    for step in range(60):
        crops = data.crops("train", 8, 4000, seed=0, step=step, grid=4000)
        for index, start in zip(crops.indices, crops.starts, strict=True):
            starts[data.clips("train")[index].example.id].add(start)
        assert crops.lengths == (4000,) * 8
    assert starts["mono"] == {0, 4000, 8000, 12000}
    assert starts["stereo 44.1"] == set(range(0, 32000, 4000))


def domains(folder: Path, shares: dict[str, float]) -> AudioDataset:
    """Three recordings of speech (7 s in all), one of music (1 s) and one to test on."""
    lengths = {
        "a": ("speech", 1.0),
        "b": ("speech", 4.0),
        "c": ("music", 1.0),
        "d": ("speech", 2.0),
    }
    found = [
        (Example(name, "train", details={"domain": domain}), tone(8000, seconds))
        for name, (domain, seconds) in lengths.items()
    ]
    found += [(Example("e", "test", details={"domain": "music"}), tone(8000, 1.0))]
    return prepare(folder, iter(found), 8000, 1, "fingerprint", shares)


def test_domains_have_the_shares_that_are_stated(tmp_path: Path) -> None:
    data = domains(tmp_path, {"speech": 3.0, "music": 1.0})
    chances = [0.75 / 7, 0.75 * 4 / 7, 0.25, 0.75 * 2 / 7]
    assert data.chances("train").tolist() == pytest.approx(chances)
    assert AudioDataset(tmp_path).chances("train").tolist() == pytest.approx(chances)
    assert data.chances("test").tolist() == [1.0]
    draws = 4000
    music = sum(
        data.crops("train", 100, 100, seed=0, step=step).indices.count(2)
        for step in range(draws // 100)
    )
    assert abs(music - 0.25 * draws) < 4 * (draws * 0.25 * 0.75) ** 0.5  # four sigma


def test_without_shares_every_moment_is_equally_likely(tmp_path: Path) -> None:
    assert domains(tmp_path, {}).chances("train").tolist() == [1 / 8, 4 / 8, 1 / 8, 2 / 8]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"speech": 1.0, "music": 1.0, "sound": 2.0}, "2 of the training crops .* 'sound'"),
        ({"speech": 1.0}, "shares of speech, and holds recordings of the domain 'music'"),
    ],
)
def test_shares_that_do_not_fit_the_recordings_are_errors(
    shares: dict[str, float], message: str, tmp_path: Path
) -> None:
    with pytest.raises(AudioError, match=message):
        domains(tmp_path, shares).crops("train", 1, 100, 0, 0)
