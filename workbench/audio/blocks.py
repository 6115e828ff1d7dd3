"""Audio files of any length, read, converted and written block by block in bounded memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

from workbench.api.errors import AudioError
from workbench.audio.io import audio_file, check_finite, file_subtype, reason_of

BLOCK_SECONDS = 10.0
"""Audio read or written at a time."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: rate in Hz, channels, samples in each channel."""

    sample_rate: int
    channels: int
    samples: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate


def audio_info(path: str | os.PathLike[str]) -> AudioInfo:
    """A file's rate, channels and length; its samples are not read."""
    with audio_file(path) as file:
        return AudioInfo(int(file.samplerate), int(file.channels), int(file.frames))


def read_blocks(path: str | os.PathLike[str], sample_rate: int, channels: int) -> Iterator[Tensor]:
    """A file's audio at another rate and channel count, in blocks float32 ``[C, t]``.

    Put together they are what reading the whole file and :func:`~workbench.convert` give. Raises
    ``AudioError`` as :func:`~workbench.read_audio` does, though perhaps after some blocks.
    """
    with audio_file(path) as file:
        rate = int(file.samplerate)
        count = 0
        resampler = (
            None
            if rate == sample_rate
            else soxr.ResampleStream(rate, sample_rate, channels, dtype="float32", quality="VHQ")
        )
        while True:
            try:
                block = file.read(round(BLOCK_SECONDS * rate), dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise AudioError(f"{path}: can't be read as audio ({reason_of(error)})") from error
            check_finite(block, str(path))
            count += len(block)
            mixed = _mixed(block, channels)
            if resampler is not None:
                mixed = resampler.resample_chunk(mixed, last=len(block) == 0)
            if len(mixed):
                yield torch.from_numpy(np.ascontiguousarray(mixed.T))
            if len(block) == 0:
                break
    if count == 0:
        raise AudioError(f"{path}: holds no samples")


def _mixed(block: np.ndarray, channels: int) -> np.ndarray:
    """``[T, C']`` with another channel count, as :func:`~workbench.convert` mixes them."""
    if block.shape[1] == channels:
        return block
    mono = torch.from_numpy(block.T).mean(dim=0).numpy()
    return np.repeat(mono[:, None], channels, axis=1)


def write_blocks(
    path: str | os.PathLike[str],
    blocks: Iterable[Tensor],
    sample_rate: int,
    subtype: str = "PCM_16",
) -> float:
    """Write audio that comes in blocks ``[C, t]``; returns its seconds.

    As :func:`~workbench.write_audio`, which can't know the peak of what is still to come: the
    samples wait in a temporary file beside the target.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    peak, count, channels = 0.0, 0, 0
    with tempfile.TemporaryFile(dir=target.parent) as waiting:
        for block in blocks:
            samples = block.detach().to("cpu", torch.float32).T.contiguous().numpy()
            check_finite(samples, str(path))
            peak = max(peak, float(np.abs(samples).max(initial=0.0)))
            count, channels = count + len(samples), samples.shape[1]
            waiting.write(samples.tobytes())
        if count == 0:
            raise AudioError(f"{path}: there are no samples to write")
        waiting.seek(0)
        chosen = file_subtype(target, subtype)
        try:
            with soundfile.SoundFile(
                os.fspath(target), "w", sample_rate, channels, subtype=chosen
            ) as file:
                size = 4 * channels * round(BLOCK_SECONDS * sample_rate)
                while part := waiting.read(size):
                    samples = np.frombuffer(part, np.float32).reshape(-1, channels)
                    file.write(samples / peak if peak > 1.0 else samples)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise AudioError(f"{path}: can't be written ({reason_of(error)})") from error
    return count / sample_rate
