"""Audio files to archives of codes and back, whatever their number and length."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from workbench.api.errors import AudioError, WorkbenchError
from workbench.api.protocols import Codec
from workbench.api.types import Skipped
from workbench.audio.blocks import audio_info, read_blocks, write_blocks
from workbench.audio.io import AUDIO_SUFFIXES
from workbench.codec.archive import CodesArchive, CodesHeader, CodesWriter, write_archive
from workbench.codec.long import decode_stream, encode_long
from workbench.training.progress import StepProgress

logger = logging.getLogger("workbench.files")

HELD_SECONDS = 120.0
"""Audio up to this length is read once and kept; longer audio is read again for each pass."""
PIECE_FRAMES = 1000
"""Frames of codes that are given to the decoder at a time."""


@dataclass(frozen=True)
class FileReport:
    """What became of some files: seconds of audio, files that were used and those set aside."""

    seconds: float
    used: int
    skipped: tuple[Skipped, ...]


def find_audio(inputs: Sequence[Path]) -> dict[str, Path]:
    """Audio files by name: a file's own name, or its path below the folder that was given."""
    found: dict[str, Path] = {}
    for given in inputs:
        if given.is_dir():
            inside = sorted(p for p in given.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
            named = {path.relative_to(given).as_posix(): path for path in inside if path.is_file()}
            if not named:
                raise AudioError(f"{given}: holds no audio file ({', '.join(AUDIO_SUFFIXES)})")
        else:
            named = {given.name: given}
        for name, path in named.items():
            if found.setdefault(name, path) != path:
                raise WorkbenchError(
                    f"two files would have the name {name!r}: {found[name]} and {path}; encode "
                    "them into archives of their own, or the folder that holds both"
                )
    return found


@torch.inference_mode()
def encode_files(
    codec: Codec, files: dict[str, Path], out: Path, header: CodesHeader, device: str
) -> FileReport:
    """Write the codes of all files to ``out``; files that can't be used are set aside and named."""
    total = 0.0
    expected = [_seconds(path) for path in files.values()]
    with (
        write_archive(out, header) as writer,
        _AudioProgress("encode", sum(expected)) as progress,
    ):
        for (name, path), seconds in zip(files.items(), expected, strict=True):
            before = progress.seconds
            try:
                total += _encode_file(codec, name, path, writer, progress, device)
            except AudioError as error:
                writer.set_aside(name, str(error))
                logger.warning("set aside: %s", error)
            progress.advance_audio(max(0.0, before + seconds - progress.seconds))
        used, skipped = len(writer.recordings), tuple(writer.skipped)
        if not used:
            reasons = "".join(f"\n  - {entry.reason}" for entry in skipped)
            raise AudioError(f"none of the {len(skipped)} files can be used:{reasons}")
    return FileReport(total, used, skipped)


def _encode_file(
    codec: Codec,
    name: str,
    path: Path,
    writer: CodesWriter,
    progress: _AudioProgress,
    device: str,
) -> float:
    """Add one file's codes; returns its seconds."""
    read, samples = _open(path, codec, device)
    codes = []
    for piece in encode_long(codec, read, samples):
        codes.append(piece[0].cpu())
        progress.advance_audio(piece.shape[-1] / codec.frame_rate)
    writer.add(name, torch.cat(codes, dim=-1), samples)
    return samples / codec.sample_rate


def _open(path: Path, codec: Codec, device: str) -> tuple[Callable[[], Iterable[Tensor]], int]:
    """How to read a file's audio ``[1, C, t]`` from its beginning, and its samples.

    They are counted: what a header says of its length need not be so.
    """

    def read() -> Iterator[Tensor]:
        for block in read_blocks(path, codec.sample_rate, codec.channels):
            yield block[None].to(device)

    held: list[Tensor] = []
    samples = 0
    for block in read():
        samples += block.shape[-1]
        if samples <= HELD_SECONDS * codec.sample_rate:
            held.append(block)
    if samples == 0:
        raise AudioError(f"{path}: shorter than one sample at {codec.sample_rate} Hz")
    if sum(block.shape[-1] for block in held) == samples:
        return lambda: held, samples
    held.clear()
    return read, samples


def _seconds(path: Path) -> float:
    """A file's length as its header states it; 0 where it can't be opened."""
    try:
        return audio_info(path).seconds
    except AudioError:
        return 0.0


@torch.inference_mode()
def decode_files(
    codec: Codec, archive: CodesArchive, out: Path, suffix: str, device: str, codebooks: int = 0
) -> FileReport:
    """Write the audio of all recordings of an archive, of the first ``codebooks`` (0: of all).

    ``out`` is a folder, or, where there is a single recording, an audio file. In a folder, names
    are the recordings' with the ending ``suffix``.
    """
    targets = _targets(archive, out, suffix)
    seconds = [entry.samples / archive.header.sample_rate for entry in archive.recordings]
    total = 0.0
    with _AudioProgress("decode", sum(seconds)) as progress:
        for entry, target in zip(archive.recordings, targets, strict=True):
            codes = archive.codes(entry)[None].to(device)
            if codebooks > codes.shape[1]:
                raise WorkbenchError(
                    f"--codebooks {codebooks}: {archive.path} holds {codes.shape[1]} codebooks"
                )
            codes = codes[:, : codebooks or None]
            pieces = decode_stream(codec, torch.split(codes, PIECE_FRAMES, dim=-1))
            blocks = progress.watch(_trim(pieces, entry.samples), codec.sample_rate)
            total += write_blocks(target, blocks, codec.sample_rate)
    return FileReport(total, len(targets), ())


def _targets(archive: CodesArchive, out: Path, suffix: str) -> list[Path]:
    """Where each recording's audio goes."""
    names = [PurePosixPath(entry.name) for entry in archive.recordings]
    if out.suffix.lower() in AUDIO_SUFFIXES and not out.is_dir():
        if len(names) != 1:
            raise WorkbenchError(
                f"--out {out} is one file, and {archive.path} holds {len(names)} recordings; "
                "name a folder"
            )
        return [out]
    ending = f".{suffix.lstrip('.')}"
    if ending.lower() not in AUDIO_SUFFIXES:
        raise WorkbenchError(
            f"format {suffix!r}: allowed are {', '.join(sorted(s[1:] for s in AUDIO_SUFFIXES))}"
        )
    stems = Counter(name.with_suffix("") for name in names)
    return [
        out / (name.with_suffix(ending) if stems[name.with_suffix("")] == 1 else f"{name}{ending}")
        for name in names
    ]


def _trim(pieces: Iterable[Tensor], samples: int) -> Iterator[Tensor]:
    """Blocks ``[C, t]`` of pieces ``[1, C, t]``, up to ``samples`` in all."""
    left = samples
    for piece in pieces:
        if left > 0:
            yield piece[0, :, :left].float()
        left -= piece.shape[-1]


class _AudioProgress(StepProgress):
    """A bar over seconds of audio."""

    def __init__(self, title: str, seconds: float) -> None:
        super().__init__(title, 0, round(seconds), unit="s of audio")
        self.seconds = 0.0

    def __enter__(self) -> _AudioProgress:
        super().__enter__()
        return self

    def advance_audio(self, seconds: float) -> None:
        """So many more are done."""
        before = round(self.seconds)
        self.seconds += seconds
        self.advance(count=round(self.seconds) - before)

    def watch(self, blocks: Iterable[Tensor], sample_rate: int) -> Iterator[Tensor]:
        """The same blocks ``[C, t]``, counted as they pass."""
        for block in blocks:
            yield block
            self.advance_audio(block.shape[-1] / sample_rate)
