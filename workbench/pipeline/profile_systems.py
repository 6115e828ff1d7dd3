"""What a profile looks at: recordings, codecs at each depth, and yardsticks beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.api.errors import AudioError, WorkbenchError
from workbench.api.protocols import Codec, Corpus, SemanticEncoder, VectorCodec
from workbench.api.types import Audio, Codes, Example, Split
from workbench.audio.frames import FrameGrid, LogMelFrames, MfccFrames
from workbench.audio.signal import convert
from workbench.evaluation.abx import Distance, angular, differing
from workbench.evaluation.content import Features
from workbench.pipeline.store import content_key
from workbench.training.progress import StepProgress

Kind = Literal["cumulative", "single"]
Tokens = Literal["vectors", "one-hot"]

SPECTRUM_GRID = FrameGrid(16_000, hop=320, receptive_field=400)
"""Frames of the spectra that serve as yardsticks: 50 a second, 25 ms long, at 16 kHz."""
SPECTRA: Mapping[str, Callable[[FrameGrid], LogMelFrames | MfccFrames]] = {
    "log-mel": LogMelFrames,
    "mfcc": MfccFrames,
}
CHANCE = "chance"
"""The yardstick that hears nothing."""


@dataclass(frozen=True)
class Recordings:
    """The recordings of a corpus that a profile uses, cut to a greatest length."""

    label: str
    fingerprint: str
    train: Sequence[tuple[Example, Audio]]
    test: Sequence[tuple[Example, Audio]]
    skipped: Sequence[str]

    def examples(self, split: Literal["train", "test"]) -> list[Example]:
        """What is known about the recordings of a split."""
        return [example for example, _ in (self.train if split == "train" else self.test)]

    @property
    def provenance(self) -> dict[str, Any]:
        """What figures state of the recordings that they are of."""
        fitted, tested = ([e.id for e in self.examples(split)] for split in ("train", "test"))
        return {"corpus": self.fingerprint, "fitted_on": content_key(fitted),
                "items": content_key(tested)}  # fmt: skip


@dataclass(frozen=True)
class View:
    """One system at one depth (0 for what has none), as it shows the recordings.

    ``compared`` are the test recordings' frames as ABX takes them, with the distance for them.
    """

    system: str
    depth: int
    features: Features
    compared: Sequence[Tensor]
    distance: Distance = angular


@dataclass(frozen=True)
class Encoded:
    """Codes int64 ``[K, F]`` of the recordings, by one codec."""

    train: Sequence[Tensor]
    test: Sequence[Tensor]


def choose_recordings(
    label: str, corpus: Corpus, most: int, seconds: float, seed: int
) -> Recordings:
    """At most so many recordings of the training and of the test split, drawn by ``seed``."""
    chosen: dict[Split, list[tuple[Example, Audio]]] = {"train": [], "test": []}
    skipped: list[str] = []
    for split, found in chosen.items():
        examples = list(corpus.examples(split))
        order = np.random.default_rng(seed).permutation(len(examples))[:most]
        with StepProgress(f"{label}, {split}", 0, len(order)) as progress:
            for number in sorted(order):
                example = examples[number]
                try:
                    audio = corpus.audio(example)
                    found.append((example, _beginning(audio, seconds)))
                except AudioError as error:
                    skipped.append(f"{example.id}: {error}")
                progress.advance()
    return Recordings(label, corpus.fingerprint(), chosen["train"], chosen["test"], skipped)


def _beginning(audio: Audio, seconds: float) -> Audio:
    return Audio(audio.samples[:, : round(seconds * audio.sample_rate)], audio.sample_rate)


@torch.inference_mode()
def encode_recordings(label: str, codec: Codec, recordings: Recordings, device: str) -> Encoded:
    """Every recording's codes, each encoded by itself."""
    total = len(recordings.train) + len(recordings.test)
    with StepProgress(f"{label} on {recordings.label}", 0, total) as progress:

        def codes(pairs: Sequence[tuple[Example, Audio]]) -> list[Tensor]:
            found = []
            for _, audio in pairs:
                samples = convert(audio, codec.sample_rate, codec.channels).samples
                found.append(codec.encode(samples[None].to(device)).values[0].long().cpu())
                progress.advance()
            return found

        return Encoded(codes(recordings.train), codes(recordings.test))


def codec_views(
    label: str, codec: Codec, encoded: Encoded, depths: Sequence[int], kind: Kind, tokens: Tokens
) -> Iterator[View]:
    """The codec at each depth: its first codebooks, or the last of them by itself."""
    if tokens == "vectors" and not isinstance(codec, VectorCodec):
        raise WorkbenchError(
            f"--tokens vectors: codec {label} does not show the vectors of its codes (no method "
            f"`vectors`); use --tokens one-hot, for all codecs alike"
        )
    for depth in depths:
        levels = slice(0 if kind == "cumulative" else depth - 1, depth)

        def shown(codes: Tensor, levels: slice = levels) -> Tensor:
            if isinstance(codec, VectorCodec) and tokens == "vectors":
                return _vectors(codec, codes, levels)
            return _one_hot(codes[levels], codec.codebook_size)

        train, test = ([shown(codes) for codes in part] for part in (encoded.train, encoded.test))
        features = Features(codec.frame_rate, train, test)
        if tokens == "vectors":
            yield View(label, depth, features, test)
        else:
            yield View(label, depth, features, [c[levels].T for c in encoded.test], differing)


@torch.inference_mode()
def _vectors(codec: VectorCodec, codes: Tensor, levels: slice) -> Tensor:
    """Vectors ``[F, D]`` of some codebooks of ``[K, F]``: what the last adds to those before."""

    def first(count: int) -> Tensor:
        device = getattr(codec, "device", "cpu")
        values = Codes(codes[None, :count].to(device), codec.codebook_size, codec.frame_rate)
        return codec.vectors(values)[0].T.float().cpu()

    start, end = levels.start, levels.stop
    return first(end) - first(start) if start else first(end)


def _one_hot(codes: Tensor, size: int) -> Tensor:
    """``[F, k * size]`` of codes ``[k, F]``."""
    return torch.nn.functional.one_hot(codes.T, size).flatten(1).float()


def spectrum_view(name: str, recordings: Recordings) -> View:
    """Log-mel bands or mel cepstra as a yardstick."""
    frames = SPECTRA[name](SPECTRUM_GRID)

    def heard(audio: Audio) -> Tensor:
        wav = convert(audio, SPECTRUM_GRID.sample_rate, 1).samples
        found: Tensor = frames(wav, max(1, wav.shape[-1] // SPECTRUM_GRID.hop))[0]
        return found

    return _yardstick(name, SPECTRUM_GRID.sample_rate / SPECTRUM_GRID.hop, recordings, heard)


def encoder_view(name: str, encoder: SemanticEncoder, recordings: Recordings, device: str) -> View:
    """A semantic encoder's features as a yardstick: a teacher's, say."""

    def heard(audio: Audio) -> Tensor:
        wav = convert(audio, encoder.sample_rate, 1).samples
        return encoder(wav.to(device))[0].T.float().cpu()

    return _yardstick(name, encoder.frame_rate, recordings, heard)


def chance_view(recordings: Recordings) -> View:
    """Features that are the same everywhere: what can be had without listening."""
    rate = SPECTRUM_GRID.sample_rate / SPECTRUM_GRID.hop
    return _yardstick(
        CHANCE, rate, recordings, lambda audio: torch.zeros(max(1, int(audio.seconds * rate)), 1)
    )


@torch.inference_mode()
def _yardstick(
    name: str, frame_rate: float, recordings: Recordings, heard: Callable[[Audio], Tensor]
) -> View:
    train, test = ([heard(a) for _, a in part] for part in (recordings.train, recordings.test))
    return View(name, 0, Features(frame_rate, train, test), test)


def with_encoders(text: str, encoders: Sequence[str]) -> tuple[str, list[str]]:
    """A codec's name and its teachers', of ``codec+teacher+teacher``.

    ``encoders`` are the names that a teacher may have: a plus before anything else belongs to the
    codec's name (a folder's, say).
    """
    codec, *rest = text.split("+")
    teachers: list[str] = []
    for part in rest:
        if part.partition(":")[0] in encoders:
            teachers.append(part)
        else:
            codec = "+".join([codec, *teachers, part])
            teachers = []
    return codec, teachers
