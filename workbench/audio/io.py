"""The only reader and writer of audio files.

libsndfile (through soundfile) reads and writes WAV, FLAC, Ogg Vorbis and Opus, MP3 and AIFF without
ffmpeg. Whatever leaves :func:`read_audio` has passed the checks that the rest relies on.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path

import numpy as np
import soundfile
import torch

from workbench.api.errors import AudioError
from workbench.api.types import Audio

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"}
)
"""File name endings (lower case) that are taken for audio files."""


def read_audio(path: str | os.PathLike[str], start: float = 0.0, end: float | None = None) -> Audio:
    """Read a file, or its part from ``start`` to ``end`` seconds, as float32 ``[C, T]``.

    Raises :class:`AudioError` naming the file where it is missing, unreadable, empty or holds
    non-finite samples.
    """
    _check_there(path)
    return _read(os.fspath(path), str(path), start, end)


def decode_audio(data: bytes, name: str) -> Audio:
    """As :func:`read_audio`, from a file's bytes; ``name`` stands for the file in messages."""
    return _read(io.BytesIO(data), name, 0.0, None)


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its beginning on, in parts.

    soundfile seeks after each part, to where it is already; an MP3's decoder loses its memory by
    that, and the next part begins with an error.
    """

    def seekable(self) -> bool:
        """Keep soundfile from seeking."""
        return False


def audio_file(path: str | os.PathLike[str]) -> ForwardFile:
    """The opened file; :class:`AudioError` where it is missing or no audio."""
    _check_there(path)
    try:
        return ForwardFile(os.fspath(path))
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise AudioError(f"{path}: can't be read as audio ({reason_of(error)})") from error


def _read(source: str | io.BytesIO, name: str, start: float, end: float | None) -> Audio:
    try:
        with soundfile.SoundFile(source) as file:
            rate = int(file.samplerate)
            first = min(round(start * rate), file.frames)
            count = -1 if end is None else max(0, round(end * rate) - first)
            file.seek(first)
            samples = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise AudioError(f"{name}: can't be read as audio ({reason_of(error)})") from error
    if samples.shape[0] == 0:
        part = "" if start == 0 and end is None else f" between {start:g} s and {end or 'its end'}"
        raise AudioError(f"{name}: holds no samples{part}")
    check_finite(samples, name)
    return Audio(torch.from_numpy(np.ascontiguousarray(samples.T)), rate)


def write_audio(path: str | os.PathLike[str], audio: Audio, subtype: str = "PCM_16") -> None:
    """Write ``audio``; the file name's ending gives the format.

    A waveform whose peak lies above full scale is scaled down to it, since integer formats would
    clip. Missing folders are made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    samples = audio.samples.detach().to("cpu", torch.float32)
    if samples.dim() != 2 or samples.numel() == 0:
        raise AudioError(f"{path}: expected samples [C, T], got shape {list(samples.shape)}")
    peak = float(samples.abs().max())
    if not math.isfinite(peak):
        raise AudioError(f"{path}: the samples to write are not finite (NaN or infinity)")
    if peak > 1.0:
        samples = samples / peak
    chosen = file_subtype(target, subtype)
    try:
        soundfile.write(os.fspath(target), samples.T.numpy(), audio.sample_rate, subtype=chosen)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise AudioError(f"{path}: can't be written ({reason_of(error)})") from error


def file_subtype(path: Path, subtype: str) -> str | None:
    """``subtype`` where the format that the file's name stands for has it."""
    return subtype if path.suffix.lower() in {".wav", ".flac", ".aiff", ".aif"} else None


def flac_bytes(audio: Audio) -> bytes:
    """``audio`` as a 16-bit FLAC file in memory, to be put into a page."""
    samples = audio.samples.detach().to("cpu", torch.float32)
    samples = samples / samples.abs().max().clamp_min(1.0)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T.numpy(), audio.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _check_there(path: str | os.PathLike[str]) -> None:
    if not os.path.isfile(path):
        raise AudioError(f"{path}: can't be read as audio (there is no such file)")


def check_finite(samples: np.ndarray, name: str) -> None:
    """Raise :class:`AudioError` where there are samples that are no numbers."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{name}: holds samples that are not finite (NaN or infinity)")


def reason_of(error: Exception) -> str:
    """The last, telling part of libsndfile's message."""
    words = str(error).rsplit(": ", maxsplit=1)[-1].strip().rstrip(".") or type(error).__name__
    if "possibly a pipe" in words:  # what libsndfile says of bytes that are no MP3 after all
        return "damaged, or of no known format"
    return words
