"""Codes of many recordings in one NumPy archive that says which codec made them.

``numpy.load`` reads it: ``codes/NAME`` holds a recording's codes ``[K, F]``; ``frame_rate``,
``codebook_size``, ``sample_rate``, ``channels`` and ``codec_key`` are numbers and a text. ``index``
is JSON: the same, how to build the codec again, the recordings and what was set aside.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.api.errors import WorkbenchError
from workbench.api.types import Skipped

FORMAT = "workbench-codes"
_FOLDER = "codes/"


@dataclass(frozen=True)
class CodesHeader:
    """What all codes of an archive have in common.

    ``codec_key`` tells codecs apart: codes of one mean nothing to another. ``codec`` holds plain
    JSON values from which it can be built again.
    """

    codec_key: str
    sample_rate: int
    channels: int
    frame_rate: float
    codebook_size: int
    codec: Mapping[str, Any]


@dataclass(frozen=True)
class StoredCodes:
    """One recording of an archive: its name, and its length in samples at the codec's rate."""

    name: str
    samples: int


class CodesWriter:
    """Adds recordings to the archive that :func:`write_archive` opened."""

    def __init__(self, archive: zipfile.ZipFile, codebook_size: int) -> None:
        self._archive = archive
        self._dtype = np.int16 if codebook_size <= 2**15 else np.int32
        self.recordings: list[StoredCodes] = []
        self.skipped: list[Skipped] = []

    def add(self, name: str, codes: Tensor, samples: int) -> None:
        """Add the codes ``[K, F]`` of a recording of so many samples."""
        self._array(_FOLDER + name, codes.cpu().numpy().astype(self._dtype))
        self.recordings.append(StoredCodes(name, samples))

    def set_aside(self, name: str, reason: str) -> None:
        """Note a recording that could not be used."""
        self.skipped.append(Skipped(name, reason))

    def _array(self, name: str, values: np.ndarray) -> None:
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, values, allow_pickle=False)

    def _finish(self, header: CodesHeader) -> None:
        for name in ("frame_rate", "codebook_size", "sample_rate", "channels", "codec_key"):
            self._array(name, np.array(getattr(header, name)))
        index = {
            "format": FORMAT,
            "version": 1,
            **asdict(header),
            "recordings": [asdict(entry) for entry in self.recordings],
            "skipped": [asdict(entry) for entry in self.skipped],
        }
        self._array("index", np.array(json.dumps(index, ensure_ascii=False)))


@contextmanager
def write_archive(path: Path, header: CodesHeader) -> Iterator[CodesWriter]:
    """Write an archive recording by recording; it is there once all are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            writer = CodesWriter(archive, header.codebook_size)
            yield writer
            writer._finish(header)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class CodesArchive:
    """An archive that was written; codes are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        try:
            self._arrays = np.load(path, allow_pickle=False)
            index = json.loads(str(self._arrays["index"]))
            if index["format"] != FORMAT:
                raise ValueError(f"format {index['format']!r}")
            names = CodesHeader.__dataclass_fields__
            self.header = CodesHeader(**{name: index[name] for name in names})
            self.recordings = tuple(StoredCodes(**entry) for entry in index["recordings"])
            self.skipped = tuple(Skipped(**entry) for entry in index["skipped"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkbenchError(
                f"{path}: is no archive of codes that `workbench encode` wrote ({error})"
            ) from error
        for entry in self.recordings:
            _check_name(entry.name, path)
        self.path = path

    def codes(self, recording: StoredCodes) -> Tensor:
        """Codes int64 ``[K, F]`` of a recording."""
        try:
            values = self._arrays[_FOLDER + recording.name]
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise WorkbenchError(
                f"{self.path}: the codes of {recording.name!r} can't be read ({error})"
            ) from error
        return torch.from_numpy(values.astype(np.int64))


def _check_name(name: str, path: Path) -> None:
    """Names become paths below a folder, so they must not lead out of it."""
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts:
        raise WorkbenchError(f"{path}: a recording's name leads out of its folder: {name!r}")
