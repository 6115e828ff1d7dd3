"""Prepared audio of one corpus: every recording at one rate and channel count, ready for crops.

A folder holds PCM16 WAV files, ``clips.jsonl`` (one line a recording) and ``dataset.json``. Reading
a crop is a seek and a short read, whatever the recording's length, so hours fit in little memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.api.errors import AudioError
from workbench.api.types import SPLITS, Audio, Example, Skipped, Split
from workbench.audio.io import write_audio
from workbench.audio.signal import convert


@dataclass(frozen=True)
class Clip:
    """One prepared recording: what is known of it, its file and its length in samples."""

    example: Example
    path: str
    samples: int


@dataclass(frozen=True)
class Crops:
    """A batch of crops: float32 ``[B, C, samples]``, zero-padded where a recording is shorter.

    ``indices`` (positions in the split's clips), ``starts`` and ``lengths`` (samples) say what was
    cut, so that stored features can be cropped in step.
    """

    wav: Tensor
    indices: tuple[int, ...]
    starts: tuple[int, ...]
    lengths: tuple[int, ...]


class AudioDataset:
    """The prepared recordings of one corpus, made by :func:`prepare`."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        header = json.loads((self.folder / "dataset.json").read_text())
        self.sample_rate: int = header["sample_rate"]
        self.channels: int = header["channels"]
        self.fingerprint: str = header["fingerprint"]
        self.skipped = tuple(Skipped(**entry) for entry in header["skipped"])
        self.shares: dict[str, float] = header.get("shares", {})
        self._chances: dict[Split, NDArray[np.float64]] = {}
        self._clips: dict[Split, list[Clip]] = {split: [] for split in SPLITS}
        with (self.folder / "clips.jsonl").open() as lines:
            for line in lines:
                entry = json.loads(line)
                clip = Clip(Example(**entry["example"]), entry["path"], entry["samples"])
                self._clips[clip.example.split].append(clip)

    def clips(self, split: Split) -> tuple[Clip, ...]:
        """The recordings of one split, in the corpus' order."""
        return tuple(self._clips[split])

    def seconds(self, split: Split) -> float:
        """Total duration of one split."""
        return sum(clip.samples for clip in self._clips[split]) / self.sample_rate

    def read(self, clip: Clip, start: int = 0, samples: int | None = None) -> Tensor:
        """Float32 ``[C, T]`` from sample ``start`` on; all the rest where ``samples`` is None."""
        with soundfile.SoundFile(str(self.folder / clip.path)) as file:
            file.seek(min(start, file.frames))
            data = file.read(-1 if samples is None else samples, dtype="float32", always_2d=True)
        return torch.from_numpy(np.ascontiguousarray(data.T))

    def audio(self, clip: Clip) -> Audio:
        """The whole recording."""
        return Audio(self.read(clip), self.sample_rate)

    def chances(self, split: Split) -> NDArray[np.float64]:
        """How likely a crop is from each of a split's recordings; the numbers add up to 1.

        In proportion to their length, so that every moment is equally likely; where the corpus
        states shares of its domains, this holds within each domain of the training split.
        """
        if split not in self._chances:
            clips = self._clips[split]
            samples = np.array([clip.samples for clip in clips], dtype=np.float64)
            shares = self.shares if split == "train" else {}
            self._chances[split] = shared_out(clips, samples, shares) if shares else samples
            self._chances[split] /= self._chances[split].sum()
        return self._chances[split]

    def filling(self, split: Split, samples: int) -> float:
        """Share of crops of so many samples that is audio; silence fills up short recordings."""
        lengths = np.array([clip.samples for clip in self._clips[split]])
        return float(self.chances(split) @ np.minimum(lengths / samples, 1.0))

    def crops(
        self,
        split: Split,
        batch_size: int,
        samples: int,
        seed: int,
        step: int,
        part: tuple[int, int] = (0, 1),
        grid: int = 1,
    ) -> Crops:
        """Random crops: a pure function of its arguments, so a resumed run draws the same ones.

        Recordings are drawn by their :meth:`chances`, starts among the multiples of ``grid``
        samples. ``part = (rank, world)`` draws the whole batch and reads this process' equal share
        of it.
        """
        clips = self._clips[split]
        if not clips:
            raise AudioError(f"the corpus has no {split} recordings to crop from")
        rng = np.random.default_rng((seed, step, 0xC20B5))
        chosen = rng.choice(len(clips), size=batch_size, p=self.chances(split))
        places = [max(0, clips[i].samples - samples) // grid + 1 for i in chosen]
        starts = [grid * int(rng.integers(0, count)) for count in places]
        rank, world = part
        mine = range(batch_size * rank // world, batch_size * (rank + 1) // world)
        wav = torch.zeros(len(mine), self.channels, samples)
        lengths = []
        for row, number in enumerate(mine):
            piece = self.read(clips[chosen[number]], starts[number], samples)
            wav[row, :, : piece.shape[-1]] = piece
            lengths.append(int(piece.shape[-1]))
        return Crops(
            wav,
            tuple(int(chosen[number]) for number in mine),
            tuple(starts[number] for number in mine),
            tuple(lengths),
        )


def shared_out(
    clips: Sequence[Clip], samples: NDArray[np.float64], shares: Mapping[str, float]
) -> NDArray[np.float64]:
    """``samples`` scaled so that those of each domain sum up to its share."""
    domains = np.array([str(clip.example.details.get("domain", "")) for clip in clips])
    unknown = sorted(set(domains.tolist()) - set(shares))
    if unknown:
        raise AudioError(
            f"the corpus states shares of {', '.join(shares)}, and holds recordings of the "
            f"domain {unknown[0]!r}"
        )
    chances = np.zeros_like(samples)
    for domain, share in shares.items():
        inside = domains == domain
        if not inside.any():
            raise AudioError(
                f"{share:g} of the training crops are to come from {domain!r}, which has no usable "
                "training recordings"
            )
        chances[inside] = share * samples[inside] / samples[inside].sum()
    return chances


def prepare(
    folder: Path,
    recordings: Iterable[tuple[Example, Audio | AudioError]],
    sample_rate: int,
    channels: int,
    fingerprint: str,
    shares: Mapping[str, float] | None = None,
) -> AudioDataset:
    """Write recordings to ``folder`` at one rate and channel count, and open the result.

    An :class:`AudioError` in place of a recording, or one that comes to less than one sample, is
    recorded as skipped with its reason. ``shares`` are a corpus' shares of the training crops by
    ``details["domain"]``.
    """
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    skipped: list[Skipped] = []
    with (folder / "clips.jsonl").open("w") as lines:
        for entry in _write_recordings(folder, recordings, (sample_rate, channels), skipped):
            lines.write(json.dumps(entry) + "\n")
    header = {
        "sample_rate": sample_rate,
        "channels": channels,
        "fingerprint": fingerprint,
        "shares": dict(shares or {}),
        "skipped": [asdict(entry) for entry in skipped],
    }
    (folder / "dataset.json").write_text(json.dumps(header, indent=1))
    return AudioDataset(folder)


def _write_recordings(
    folder: Path,
    recordings: Iterable[tuple[Example, Audio | AudioError]],
    layout: Sequence[int],
    skipped: list[Skipped],
) -> Iterator[dict[str, object]]:
    """Write each usable recording and yield its line of ``clips.jsonl``."""
    sample_rate, channels = layout
    for number, (example, audio) in enumerate(recordings):
        if isinstance(audio, AudioError):
            skipped.append(Skipped(example.id, str(audio)))
            continue
        converted = convert(audio, sample_rate, channels)
        if converted.samples.shape[-1] == 0:
            skipped.append(Skipped(example.id, "shorter than one sample after resampling"))
            continue
        path = f"audio/{number:07d}.wav"
        write_audio(folder / path, converted)
        yield {
            "example": {**asdict(example), "details": dict(example.details)},
            "path": path,
            "samples": int(converted.samples.shape[-1]),
        }
