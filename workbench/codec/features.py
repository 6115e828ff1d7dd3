"""What the teachers say of training audio: of each crop by itself, or of the recording around it.

A teacher's features of a whole recording depend on that recording alone. So they may be computed
once, stored, and read back cropped in step with the audio: :class:`StoredFeatures` gives bit for
bit what :class:`RecordingFeatures` computes anew for each batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.api.errors import WeightsError, WorkbenchError
from workbench.api.settings import TrainingSettings
from workbench.api.types import Split
from workbench.audio.dataset import AudioDataset, Clip, Crops
from workbench.training.progress import StepProgress

if TYPE_CHECKING:
    from workbench.codec.xcodec import XCodec

SHARD_SECONDS = 600.0
"""Audio behind one file of stored features, or one recording where that is longer. What a killed
run loses."""
HEADER = "features.json"


class FeatureSource(Protocol):
    """Gives the teachers' features of a batch of crops."""

    def __call__(self, crops: Crops) -> list[Tensor]:
        """For each teacher float32 ``[B, D, F']``, not normalised, on the codec's device."""
        ...


@dataclass(frozen=True)
class Hearing:
    """How recordings are heard: in windows of whole code frames, with context at their seams.

    ``hop`` samples and ``factor`` feature frames make a code frame; all else is in code frames.
    Audio is heard from multiples of ``grid`` on, where frames of all teachers start. Recordings of
    fewer than ``shortest`` frames, a crop's length, are followed by silence.
    """

    hop: int
    factor: int
    window: int
    context: int
    grid: int
    shortest: int

    @classmethod
    def of(cls, codec: XCodec, settings: TrainingSettings) -> Hearing:
        """As the codec's options say, for crops of the settings' length."""
        teaching, rate = codec.config.teaching, codec.frame_rate
        return cls(
            hop=codec.config.hop,
            factor=math.prod(codec.config.semantic.strides),
            window=max(1, round(teaching.window_seconds * rate)),
            context=round(teaching.context_seconds * rate),
            grid=codec.config.teacher_grid,
            shortest=crop_frames(codec, settings),
        )

    def frames(self, clip: Clip) -> int:
        """Code frames that a recording is heard for."""
        return max(self.shortest, -(-clip.samples // self.hop))

    def windows(self, frames: int) -> list[tuple[int, int]]:
        """First and last code frame (not included) of each window: as few, as even as can be."""
        count = -(-frames // self.window)
        edges = [frames * number // count for number in range(count + 1)]
        return list(pairwise(edges))

    def surroundings(self, clip: Clip, window: tuple[int, int]) -> tuple[int, int]:
        """First and last code frame (not included) of what is heard for a window."""
        begin = max(0, window[0] - self.context) // self.grid * self.grid
        return begin, min(self.frames(clip), window[1] + self.context)


def crop_frames(codec: XCodec, settings: TrainingSettings) -> int:
    """Code frames in a training crop: whole ones, so that audio and features end together."""
    return math.ceil(settings.segment_seconds * codec.frame_rate - 1e-9)


class CropFeatures:
    """Each crop is heard by itself."""

    def __init__(self, codec: XCodec) -> None:
        self.codec = codec

    def __call__(self, crops: Crops) -> list[Tensor]:
        """Features of the crops' audio."""
        return self.codec.heard(crops.wav.to(self.codec.device))


class RecordingFeatures:
    """The recordings that crops are from are heard, in the windows that the crops lie in."""

    def __init__(
        self, codec: XCodec, data: AudioDataset, hearing: Hearing, split: Split = "train"
    ) -> None:
        self.codec = codec
        self.data = data
        self.hearing = hearing
        self.clips = data.clips(split)

    def __call__(self, crops: Crops) -> list[Tensor]:
        """Features of the crops, which must start and end on code frames."""
        factor = self.hearing.factor
        length = crops.wav.shape[-1] // self.hearing.hop
        heard: dict[tuple[int, int], Tensor] = {}
        rows = []
        for index, start in zip(crops.indices, crops.starts, strict=True):
            first = start // self.hearing.hop
            parts = []
            for window in self.hearing.windows(self.hearing.frames(self.clips[index])):
                low, high = max(first, window[0]), min(first + length, window[1])
                if low >= high:
                    continue
                key = (index, window[0])
                if key not in heard:
                    heard[key] = self.window(index, window)
                inside = slice((low - window[0]) * factor, (high - window[0]) * factor)
                parts.append(heard[key][:, inside])
            rows.append(torch.cat(parts, dim=1))
        return split_teachers(self.codec, torch.stack(rows))

    @torch.no_grad()
    def window(self, index: int, window: tuple[int, int]) -> Tensor:
        """Features ``[sum of D, F']`` of all teachers over one window of a recording.

        Windows are heard one by one: a larger batch could round otherwise.
        """
        hop, factor = self.hearing.hop, self.hearing.factor
        clip = self.clips[index]
        begin, end = self.hearing.surroundings(clip, window)
        wav = self.data.read(clip, begin * hop, (end - begin) * hop)
        wav = F.pad(wav, (0, (end - begin) * hop - wav.shape[-1]))
        features = self.codec.heard(wav[None].to(self.codec.device))
        inside = slice((window[0] - begin) * factor, (window[1] - begin) * factor)
        return torch.cat([part[0] for part in features])[:, inside]


class FeatureFiles:
    """Where each training recording's features lie: shards of consecutive recordings."""

    def __init__(self, folder: Path, data: AudioDataset, hearing: Hearing) -> None:
        self.folder = folder
        self.shards: list[list[int]] = []
        self.places: list[tuple[int, int]] = []
        self.frames = [hearing.frames(clip) * hearing.factor for clip in data.clips("train")]
        full = SHARD_SECONDS * data.sample_rate / hearing.hop * hearing.factor
        rows = math.inf
        for index, count in enumerate(self.frames):
            if rows + count > full:
                self.shards.append([])
                rows = 0
            self.places.append((len(self.shards) - 1, int(rows)))
            self.shards[-1].append(index)
            rows += count

    def path(self, shard: int) -> Path:
        """The file of one shard: a NumPy array ``[frames, sum of D]``."""
        return self.folder / f"features-{shard:05d}.npy"


class StoredFeatures:
    """Features are read from the folder that :func:`write_features` filled."""

    def __init__(self, codec: XCodec, data: AudioDataset, hearing: Hearing, folder: Path) -> None:
        self.codec = codec
        self.hearing = hearing
        self.files = FeatureFiles(folder, data, hearing)
        header = _header(codec, data, hearing)
        found = json.loads((folder / HEADER).read_text())
        if found != header:
            raise WeightsError(
                f"{folder}: these features were made for another training ({found}; wanted: "
                f"{header}). Delete the folder to have them made again"
            )

    def __call__(self, crops: Crops) -> list[Tensor]:
        """Features of the crops, which must start and end on code frames."""
        factor = self.hearing.factor
        count = crops.wav.shape[-1] // self.hearing.hop * factor
        rows = []
        for index, start in zip(crops.indices, crops.starts, strict=True):
            shard, row = self.files.places[index]
            row += start // self.hearing.hop * factor
            # Mapped, so that a crop alone is read; opened anew, so that no file stays open.
            mapped = np.load(self.files.path(shard), mmap_mode="r")
            rows.append(torch.from_numpy(np.array(mapped[row : row + count], dtype=np.float32)))
        stacked = torch.stack(rows).transpose(1, 2)
        return split_teachers(self.codec, stacked.to(self.codec.device))


def split_teachers(codec: XCodec, features: Tensor) -> list[Tensor]:
    """Each teacher's part of features ``[B, sum of D, F']``."""
    dims = [teacher.dim for teacher in codec.config.teachers]
    return list(torch.split(features, dims, dim=1))


def write_features(
    codec: XCodec, data: AudioDataset, settings: TrainingSettings, folder: Path
) -> dict[str, Any]:
    """Hear every training recording once and store the features; shards that are there are kept.

    Returns facts: seconds of audio and bytes of features.
    """
    hearing = Hearing.of(codec, settings)
    files = FeatureFiles(folder, data, hearing)
    source = RecordingFeatures(codec, data, hearing)
    windows = [len(hearing.windows(hearing.frames(clip))) for clip in data.clips("train")]
    folder.mkdir(parents=True, exist_ok=True)
    with StepProgress("features: windows", 0, sum(windows)) as progress:
        for shard, indices in enumerate(files.shards):
            if files.path(shard).exists():
                progress.advance(count=sum(windows[index] for index in indices))
                continue
            partial = files.path(shard).with_suffix(".partial")
            _write_shard(source, indices, files, partial, progress)
            partial.replace(files.path(shard))
    (folder / HEADER).write_text(json.dumps(_header(codec, data, hearing), indent=1))
    size = sum(files.path(shard).stat().st_size for shard in range(len(files.shards)))
    return {"seconds_of_audio": round(data.seconds("train"), 3), "bytes": size}


def _write_shard(
    source: RecordingFeatures,
    indices: list[int],
    files: FeatureFiles,
    path: Path,
    progress: StepProgress,
) -> None:
    """Hear the recordings of one shard and write it to ``path``, window by window."""
    codec = source.codec
    dtype = np.float16 if codec.config.teaching.store == "fp16" else np.float32
    width = sum(teacher.dim for teacher in codec.config.teachers)
    shape = (sum(files.frames[index] for index in indices), width)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    row = 0
    for index in indices:
        for window in source.hearing.windows(source.hearing.frames(source.clips[index])):
            features = source.window(index, window).T.cpu().numpy()
            with np.errstate(over="ignore"):
                rounded = features.astype(dtype)
            if not np.isfinite(rounded).all():
                raise WorkbenchError(
                    f"{source.clips[index].example.id}: a teacher's features reach "
                    f"{np.abs(features).max():g}, which {codec.config.teaching.store} does not "
                    "hold: set codec.options.teaching.store=fp32"
                )
            mapped[row : row + len(rounded)] = rounded
            row += len(rounded)
            progress.advance()
    mapped.flush()


def feature_inputs(codec: XCodec, settings: TrainingSettings) -> Mapping[str, Any]:
    """What stored features depend on beside the audio; empty where none are wanted."""
    if codec.config.teaching.store == "none" or not codec.config.teachers:
        return {}
    return {
        "hearing": asdict(Hearing.of(codec, settings)),
        "store": codec.config.teaching.store,
        "sample_rate": codec.sample_rate,
        "teachers": [
            {"fingerprint": teacher.fingerprint, "padding": teacher.padding, "dim": teacher.dim}
            for teacher in codec.config.teachers
        ],
    }


def _header(codec: XCodec, data: AudioDataset, hearing: Hearing) -> dict[str, Any]:
    return {
        "hearing": asdict(hearing),
        "store": codec.config.teaching.store,
        "dims": [teacher.dim for teacher in codec.config.teachers],
        "recordings": len(data.clips("train")),
    }
