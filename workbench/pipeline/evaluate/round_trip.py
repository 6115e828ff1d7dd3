"""A codec's round trip of a corpus, at all codebooks and at fewer, as systems of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from workbench.api.errors import AudioError, RecipeError
from workbench.api.protocols import Codec, Corpus
from workbench.api.types import Audio, Example, Skipped
from workbench.audio.io import read_audio, write_audio
from workbench.audio.signal import convert
from workbench.codec.long import decode_stream, encode_long
from workbench.evaluation.groups import in_turns, labels
from workbench.evaluation.table import Role
from workbench.pipeline.evaluate.folders import audio_stems
from workbench.pipeline.evaluate.items import FileSystem, IntArray, ItemFiles
from workbench.pipeline.generation import file_name
from workbench.pipeline.systems import ANOTHER_ITEM, GROUND_TRUTH, ROUND_TRIP, at_depth
from workbench.training.progress import StepProgress

PIECE_FRAMES = 1000
"""Frames of codes that are given to the decoder at a time."""
TRUTH = "truth"
"""Folder of the recordings."""


@dataclass(frozen=True)
class RoundTrips:
    """What a codec made of some recordings: systems of files, and what could not be used."""

    systems: Sequence[FileSystem]
    skipped: tuple[Skipped, ...]


class AudioFolder:
    """A folder of audio as a corpus whose recordings are all test recordings."""

    def __init__(self, folder: Path, texts: Mapping[str, Example]) -> None:
        problems: list[str] = []
        self._files = audio_stems(folder, "--corpus", problems)
        if problems:
            raise RecipeError(problems, "evaluate")
        self._texts = texts

    def fingerprint(self) -> str:
        """Changes with the files' names, sizes and times."""
        states = [(stem, path.stat()) for stem, path in self._files.items()]
        return repr([(stem, state.st_size, state.st_mtime_ns) for stem, state in states])

    def examples(self, split: str) -> Iterator[Example]:
        """All files, in order of their paths."""
        if split == "test":
            for stem in self._files:
                yield self._texts.get(stem, Example(stem, "test"))

    def audio(self, example: Example) -> Audio:
        """The file, at its own rate."""
        return read_audio(self._files[example.id])


class RoundTripper:
    """Writes recordings and what a codec makes of them, each file once.

    ``depths`` are numbers of codebooks that are decoded beside all of them.
    """

    def __init__(self, codec: Codec, folder: Path, depths: Sequence[int], device: str) -> None:
        self.codec = codec
        self.folder = folder
        self.device = device
        every = codec.num_codebooks
        if any(depth >= every for depth in depths):
            raise RecipeError(
                [f"depths = {list(depths)}: each must be below the codec's {every} codebooks"],
                "evaluate",
            )
        self.depths = {ROUND_TRIP: every} | {at_depth(ROUND_TRIP, d): d for d in depths}

    def write(self, example: Example, corpus: Corpus) -> None:
        """Write an item's files, unless they are there; raises ``AudioError`` for unusable ones."""
        if self._codes_path(example).exists():
            return
        audio = corpus.audio(example)
        codes, samples = self._encode(audio)
        self._replace(self.path(TRUTH, example), audio)
        for system, depth in self.depths.items():
            wav = self._decode(codes[:, :depth])[:, :samples]
            self._replace(self.path(system, example), Audio(wav, self.codec.sample_rate))
        path = self._codes_path(example)  # the last: where it is, all is
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".partial").open("wb") as file:
            np.save(file, codes[0].numpy())
        path.with_suffix(".partial").replace(path)

    def path(self, system: str, example: Example) -> Path:
        """Where a system's audio for an item lies."""
        return self.folder / system.replace(",", "").replace(" ", "-") / file_name(example.id)

    def codes(self, example: Example) -> IntArray:
        """An item's codes ``[K, F]``."""
        codes: IntArray = np.load(self._codes_path(example), allow_pickle=False)
        return codes

    def _codes_path(self, example: Example) -> Path:
        return self.path("codes", example).with_suffix(".npy")

    @torch.inference_mode()
    def _encode(self, audio: Audio) -> tuple[Tensor, int]:
        """Codes ``[1, K, F]`` of a recording of any length, and its samples at the codec's rate."""
        wav = convert(audio, self.codec.sample_rate, self.codec.channels).samples[None]
        wav = wav.to(self.device)
        pieces = encode_long(self.codec, lambda: [wav], wav.shape[-1])
        codes = torch.cat([piece.cpu() for piece in pieces], dim=-1)
        return codes, int(wav.shape[-1])

    @torch.inference_mode()
    def _decode(self, codes: Tensor) -> Tensor:
        """Audio ``[C, T]`` of codes ``[1, k, F]``."""
        pieces = torch.split(codes.to(self.device), PIECE_FRAMES, dim=-1)
        wavs = [wav[0].float().cpu() for wav in decode_stream(self.codec, pieces)]
        return torch.cat(wavs, dim=-1)

    def _replace(self, path: Path, audio: Audio) -> None:
        partial = path.with_name(f"partial-{path.name}")
        write_audio(partial, audio, subtype="FLOAT")
        partial.replace(path)


def round_trips(
    tripper: RoundTripper, corpus: Corpus, items: int, by: Sequence[str], rate: int
) -> RoundTrips:
    """The systems over the first ``items`` test recordings, groups of ``by`` taking turns.

    All are compared at ``rate`` Hz, 0 being the codec's own, in the codec's channels.
    """
    examples = {example.id: example for example in corpus.examples("test")}
    grouped = [labels(examples, name) for name in by] if examples else []
    order = in_turns({key: tuple(group[key] for group in grouped) for key in examples})
    chosen: list[Example] = []
    skipped: list[Skipped] = []
    with StepProgress("round trip", 0, min(items, len(order))) as progress:
        for key in order:
            if len(chosen) == items:
                break
            try:
                tripper.write(examples[key], corpus)
            except AudioError as error:
                skipped.append(Skipped(key, str(error)))
                continue
            chosen.append(examples[key])
            progress.advance()
    if len(chosen) < 2:
        raise RecipeError(
            [f"--corpus: {len(chosen)} usable test recordings; figures need at least 2"], "evaluate"
        )
    return RoundTrips(_systems(tripper, chosen, rate), tuple(skipped))


def _systems(tripper: RoundTripper, examples: Sequence[Example], rate: int) -> list[FileSystem]:
    codec = tripper.codec
    true = {example.id: tripper.path(TRUTH, example) for example in examples}
    beside = dict(zip(true, [*list(true.values())[1:], true[examples[0].id]], strict=True))

    def system(name: str, role: Role, files: Mapping[str, Path]) -> FileSystem:
        items = [
            ItemFiles(
                example.id, example, files[example.id], true[example.id],
                rate=rate or codec.sample_rate, channels=codec.channels,
            )
            for example in examples
        ]  # fmt: skip
        return FileSystem(name, role, items)

    systems = [system(GROUND_TRUTH, "truth", true)]
    for name, depth in tripper.depths.items():
        made = system(name, "result", {e.id: tripper.path(name, e) for e in examples})
        coded = [_with_codes(i, tripper.codes(i.example), depth) for i in made.items]
        systems.append(FileSystem(name, "result", coded))
    return [*systems, system(ANOTHER_ITEM, "floor", beside)]


def _with_codes(item: ItemFiles, codes: IntArray, depth: int) -> ItemFiles:
    """An item with the codes that its audio was made of, and all of them as the reference."""
    return replace(item, generated_codes=codes[:depth], reference_codes=codes)
