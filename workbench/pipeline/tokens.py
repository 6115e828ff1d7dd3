"""Token stage: the codes of every recording, stored in shards and read back on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from workbench.api.protocols import Codec
from workbench.api.types import SPLITS, Split, TokenizedExample
from workbench.audio.dataset import AudioDataset, Clip
from workbench.codec.long import encode_long
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.store import StageFolder, weights_key
from workbench.training.progress import StepProgress

BATCH_SECONDS = 60.0
"""Audio encoded at a time, padding included; bounds memory."""
WHOLE_SECONDS = 30.0
"""Longer recordings are encoded by themselves, by chunks: as `workbench encode` does."""
BLOCK_SECONDS = 10.0
"""Audio of a long recording that is read at a time."""
SHARD_CLIPS = 512
"""Recordings in one file."""


class TokenizedSplit(Sequence[TokenizedExample]):
    """The tokenized recordings of one split; codes are read when an item is asked for."""

    def __init__(
        self, folder: Path, clips: Sequence[Clip], split: Split, frame_rate: float
    ) -> None:
        self.clips = clips
        self.numbers = {clip.example.id: number for number, clip in enumerate(clips)}
        self.frame_rate = frame_rate
        self.shards: list[Any] = [
            safe_open(_shard_path(folder, split, number), "pt")
            for number in range(-(-len(clips) // SHARD_CLIPS))
        ]

    def index_of(self, identifier: str) -> int:
        """The position of an example."""
        return self.numbers[identifier]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> TokenizedExample:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        codes: Tensor = self.shards[index // SHARD_CLIPS].get_tensor(str(index))
        return TokenizedExample(self.clips[index].example, codes.long(), self.frame_rate)


def tokenize(
    experiment: Experiment, data: AudioDataset, corpus_key: str, codec: Codec
) -> tuple[dict[Split, TokenizedSplit], str]:
    """Codes of every recording by split, and the stage's key."""
    inputs = {
        "corpus": corpus_key,
        "codec": experiment.identity("codec", experiment.recipe.codec),
        "encoders": [
            experiment.identity("semantic_encoder", slot) for slot in experiment.recipe.encoders
        ],
        "weights": weights_key(codec),
        "codebooks": codec.num_codebooks,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        total = sum(len(data.clips(split)) for split in SPLITS)
        with StepProgress("tokens", 0, total) as progress:
            for split in SPLITS:
                encode_split(folder.path, data, split, codec, progress, experiment.device)
        return {"clips": total}

    stage = experiment.stage("tokens", inputs, build)
    splits = {
        split: TokenizedSplit(stage.path, data.clips(split), split, codec.frame_rate)
        for split in SPLITS
    }
    return splits, stage.key


def encode_split(
    folder: Path,
    data: AudioDataset,
    split: Split,
    codec: Codec,
    progress: StepProgress,
    device: str,
) -> None:
    """Write one split's shards; those that are there already are kept."""
    clips = data.clips(split)
    for number in range(-(-len(clips) // SHARD_CLIPS)):
        path = _shard_path(folder, split, number)
        indices = range(number * SHARD_CLIPS, min(len(clips), (number + 1) * SHARD_CLIPS))
        if not path.exists():
            codes = {}
            for batch in length_batches(indices, clips, data.sample_rate):
                chosen = [clips[index] for index in batch]
                if chosen[0].samples > WHOLE_SECONDS * data.sample_rate:
                    codes[str(batch[0])] = encode_recording(codec, data, chosen[0], device)
                else:
                    codes.update(encode_batch(codec, data, chosen, batch, device))
                progress.advance(count=len(batch))
            partial = path.with_suffix(".partial")
            save_file(codes, partial)
            partial.replace(path)
        else:
            progress.advance(count=len(indices))


def length_batches(
    indices: Sequence[int], clips: Sequence[Clip], sample_rate: int
) -> Iterator[list[int]]:
    """Batches of recordings of like length, each at most ``BATCH_SECONDS`` when padded.

    Recordings longer than ``WHOLE_SECONDS`` come one by one.
    """
    batch: list[int] = []
    for index in sorted(indices, key=lambda i: clips[i].samples):
        longest = clips[index].samples / sample_rate
        if batch and (longest * (len(batch) + 1) > BATCH_SECONDS or longest > WHOLE_SECONDS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@torch.inference_mode()
def encode_batch(
    codec: Codec, data: AudioDataset, clips: Sequence[Clip], indices: Sequence[int], device: str
) -> dict[str, Tensor]:
    """Codes int16 or int32 ``[K, F]`` by the recording's index."""
    lengths = torch.tensor([clip.samples for clip in clips])
    wav = torch.zeros(len(clips), data.channels, int(lengths.max()))
    for row, clip in enumerate(clips):
        wav[row, :, : clip.samples] = data.read(clip)
    codes = codec.encode(wav.to(device), lengths.to(device))
    frames = [codes.frames] * len(clips) if codes.lengths is None else codes.lengths.tolist()
    values = codes.values.to("cpu", _dtype(codec))
    return {
        str(index): values[row, :, : frames[row]].contiguous() for row, index in enumerate(indices)
    }


@torch.inference_mode()
def encode_recording(codec: Codec, data: AudioDataset, clip: Clip, device: str) -> Tensor:
    """Codes int16 or int32 ``[K, F]`` of a recording of any length, in bounded memory."""
    size = round(BLOCK_SECONDS * data.sample_rate)

    def read() -> Iterator[Tensor]:
        for start in range(0, clip.samples, size):
            yield data.read(clip, start, size)[None].to(device)

    pieces = [piece[0].to("cpu", _dtype(codec)) for piece in encode_long(codec, read, clip.samples)]
    return torch.cat(pieces, dim=-1)


def _dtype(codec: Codec) -> torch.dtype:
    """What holds the codec's codes."""
    return torch.int16 if codec.codebook_size <= 2**15 else torch.int32


def _shard_path(folder: Path, split: Split, number: int) -> Path:
    return folder / f"{split}-{number:05d}.safetensors"
