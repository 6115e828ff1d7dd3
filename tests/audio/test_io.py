"""Reading and writing audio files: what comes in is valid, what can't be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from workbench import Audio, read_audio, write_audio
from workbench.api.errors import AudioError


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats_survive_a_round_trip(tmp_path: Path, suffix: str) -> None:
    time = torch.arange(16000) / 16000
    wav = torch.stack([torch.sin(2 * torch.pi * f * time) * 0.3 for f in (300.0, 500.0)])
    path = tmp_path / "deep" / f"x.{suffix}"
    write_audio(path, Audio(wav, 16000))
    back = read_audio(path)
    assert (back.sample_rate, back.channels) == (16000, 2)
    frames = min(back.samples.shape[-1], 16000)
    error = (back.samples[:, :frames] - wav[:, :frames]).abs()[:, 2000:-2000]
    assert float(error.max()) < (1e-4 if suffix in ("wav", "flac", "aiff") else 0.1)


def test_a_part_is_cut_by_seconds(tmp_path: Path) -> None:
    wav = torch.linspace(-0.5, 0.5, 8000)[None]
    write_audio(tmp_path / "x.wav", Audio(wav, 8000))
    part = read_audio(tmp_path / "x.wav", start=0.25, end=0.75)
    torch.testing.assert_close(part.samples, wav[:, 2000:6000], rtol=0, atol=1e-4)


def test_loud_audio_is_scaled_not_clipped(tmp_path: Path) -> None:
    wav = torch.tensor([[2.0, -1.0, 0.5]])
    write_audio(tmp_path / "x.wav", Audio(wav, 8000))
    back = read_audio(tmp_path / "x.wav").samples
    torch.testing.assert_close(back, wav / 2, rtol=0, atol=1e-4)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"this is no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 16000)
    soundfile.write(tmp_path / "nan.wav", np.full(10, np.nan), 16000, subtype="FLOAT")
    for name, reason in (
        ("missing.wav", "can't be read as audio"),
        ("noise.wav", "can't be read as audio"),
        ("empty.wav", "holds no samples"),
        ("nan.wav", "not finite"),
    ):
        with pytest.raises(AudioError, match=reason) as error:
            read_audio(tmp_path / name)
        assert name in str(error.value)


def test_nothing_that_is_not_audio_is_written(tmp_path: Path) -> None:
    for samples in (torch.zeros(5), torch.zeros(1, 0), torch.tensor([[float("inf")]])):
        with pytest.raises(AudioError):
            write_audio(tmp_path / "x.wav", Audio(samples, 8000))
