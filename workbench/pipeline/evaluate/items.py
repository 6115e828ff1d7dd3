"""Items whose audio lies in files and is read where and when it is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.api.types import EvaluationItem, Example
from workbench.audio.io import read_audio
from workbench.audio.signal import convert
from workbench.evaluation.table import Role
from workbench.pipeline.store import content_key

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ItemFiles:
    """An item for metrics, as files.

    ``rate`` (Hz) and ``channels`` are what all of its audio is brought to; 0 is the reference's
    own. Codes are int64 ``[K, F]``.
    """

    id: str
    example: Example
    generated: Path
    reference: Path
    prompt: Path | None = None
    generated_codes: IntArray | None = None
    reference_codes: IntArray | None = None
    continues: bool = True
    rate: int = 0
    channels: int = 0

    def read(self) -> EvaluationItem:
        """The item with its audio; ``AudioError`` names a file that can't be used."""
        reference = read_audio(self.reference)
        layout = (self.rate or reference.sample_rate, self.channels or reference.channels)
        return EvaluationItem(
            id=self.id,
            example=self.example,
            generated=convert(read_audio(self.generated), *layout),
            reference=convert(reference, *layout),
            prompt=None if self.prompt is None else convert(read_audio(self.prompt), *layout),
            generated_codes=_tensor(self.generated_codes),
            reference_codes=_tensor(self.reference_codes),
            continues=self.continues,
        )

    def key(self) -> str:
        """A hash of all that a score can hang on: the files' content, codes, what is known."""
        codes = [_array_key(array) for array in (self.generated_codes, self.reference_codes)]
        files = [file_key(path) for path in (self.generated, self.reference, self.prompt)]
        said = [self.id, self.continues, self.rate, self.channels]
        return content_key({"example": asdict(self.example), "of": [*said, *codes, *files]})


@dataclass(frozen=True)
class FileSystem:
    """A system whose audio lies in files."""

    name: str
    role: Role
    items: Sequence[ItemFiles]


def file_key(path: Path | None) -> str:
    """A hash of a file's content; empty for no file."""
    if path is None:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _array_key(array: IntArray | None) -> str:
    return "" if array is None else hashlib.blake2b(array.tobytes()).hexdigest()[:32]


def _tensor(array: IntArray | None) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(array)
