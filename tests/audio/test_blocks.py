from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from workbench import Audio, AudioError, convert, read_audio, write_audio
from workbench.audio.blocks import BLOCK_SECONDS, audio_info, read_blocks, write_blocks
from workbench.audio.signal import resample_in_graph
from workbench.audio.stream import Stream, resample_pieces


def noise(channels: int, samples: int, seed: int = 0) -> Tensor:
    return 0.2 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [
        ("wav", 44100, 2),
        ("flac", 16000, 1),
        ("ogg", 48000, 2),
        ("mp3", 22050, 1),
        ("opus", 48000, 1),
    ],
)
@pytest.mark.parametrize(("target", "layout"), [(16000, 1), (44100, 2)])
def test_blocks_are_the_whole_file_converted(
    suffix: str, rate: int, channels: int, target: int, layout: int, tmp_path: Path
) -> None:
    path = tmp_path / f"noise.{suffix}"
    samples = noise(channels, round(23.4 * rate)).T.numpy()
    form = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
    soundfile.write(path, samples, rate, **form)
    blocks = list(read_blocks(path, target, layout))
    assert all(block.shape[1] <= (BLOCK_SECONDS + 1) * target for block in blocks)
    assert len(blocks) >= 3
    whole = convert(read_audio(path), target, layout)
    joined = torch.cat(blocks, dim=1)
    assert joined.shape == whole.samples.shape
    # MP3's decoder rounds otherwise after a seek.
    assert torch.allclose(joined, whole.samples, atol=2e-6 if suffix == "mp3" else 0, rtol=0)
    info = audio_info(path)
    assert (info.sample_rate, info.channels) == (rate, channels)
    assert info.seconds == pytest.approx(whole.seconds, abs=1e-3)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    bad = {name: tmp_path / f"{name}.wav" for name in ("missing", "empty", "text", "late")}
    soundfile.write(bad["empty"], np.zeros((0, 1)), 8000)
    bad["text"].write_text("no audio")
    late = np.zeros(8000 * 15, dtype=np.float32)
    late[-5] = np.nan
    soundfile.write(bad["late"], late, 8000, subtype="FLOAT")
    reasons = {"missing": "no such file", "empty": "no samples", "text": "read", "late": "finite"}
    for name, path in bad.items():
        with pytest.raises(AudioError, match=rf"{name}\.wav.*{reasons[name]}"):
            list(read_blocks(path, 16000, 1))
    assert len(next(read_blocks(bad["late"], 8000, 1))) == 1


@pytest.mark.parametrize("peak", [0.5, 2.0])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_writing_in_blocks_is_writing_the_whole(peak: float, suffix: str, tmp_path: Path) -> None:
    samples = noise(2, 200_000).clamp(-0.5, 0.5)
    samples[1, 170_000] = peak
    write_audio(tmp_path / f"whole.{suffix}", Audio(samples, 8000))
    path = tmp_path / "sub" / f"blocks.{suffix}"
    assert write_blocks(path, samples.split(7001, dim=1), 8000) == 25.0
    written = [read_audio(p).samples for p in (tmp_path / f"whole.{suffix}", path)]
    assert torch.equal(written[0], written[1])
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"a\.wav: there are no samples"):
        write_blocks(tmp_path / "a.wav", [], 8000)
    with pytest.raises(AudioError, match=r"b\.wav.*finite"):
        write_blocks(tmp_path / "b.wav", [torch.full((1, 5), torch.nan)], 8000)
    with pytest.raises(AudioError, match=r"c\.xyz: can't be written"):
        write_blocks(tmp_path / "c.xyz", [noise(1, 5)], 8000)


@pytest.mark.parametrize("rates", [(16000, 24000), (24000, 16000), (44100, 16000), (8000, 8000)])
@pytest.mark.parametrize("seconds", [0.01, 9.99, 25.7])
def test_resampling_pieces_is_resampling_the_whole(rates: tuple[int, int], seconds: float) -> None:
    wav = noise(1, round(seconds * rates[0]))
    parts = list(resample_pieces(wav.split(3001, dim=1), *rates))
    whole = resample_in_graph(wav, *rates)
    joined = torch.cat(parts, dim=1)
    assert joined.shape == whole.shape
    assert torch.allclose(joined, whole, atol=1e-6)


def test_a_stream_is_zero_outside_of_what_came_and_holds_no_more_than_is_needed() -> None:
    wav = torch.arange(1.0, 101.0)
    stream = Stream(wav.split(7))
    stream.pull(20)
    assert stream.came == 21
    assert stream.cut(-2, 3).tolist() == [0, 0, 1, 2, 3]
    stream.forget(10)
    assert stream.cut(10, 12).tolist() == [11, 12]
    stream.pull(1000)
    assert (stream.came, stream.ended) == (100, True)
    stream.forget(97)
    assert stream.cut(98, 103).tolist() == [99, 100, 0, 0, 0]
    assert stream.cut(105, 107).tolist() == [0, 0]
    assert sum(piece.numel() for piece in stream._held) == 3
