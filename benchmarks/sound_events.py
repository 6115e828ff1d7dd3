"""How well the kinds of the embedded sound corpus can be told apart.

    python benchmarks/sound_events.py [--clips 60] [--seconds 4] [--sheet kinds.png]

Single events of every kind, at all distances, levels and spaces that the corpus draws, are
described by statistics of their log-mel frames; a nearest-centroid and a linear classifier learn
from the training draws and name the kind of test draws. Prints the accuracy of both, of the linear
one by kind, and the pairs it confuses. ``--sheet`` writes two spectrograms of each kind.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from workbench_corpora.sounds import KINDS

from workbench import Audio, Corpus, Split, load_catalog, log_mel
from workbench.host.context import Context

SHOWN_PAIRS = 12
COLUMNS = 6
DYNAMICS = 9.0
"""Range of a spectrogram's colours in nepers: 78 dB."""


def corpus(kind: str, clips: int, seconds: float) -> Corpus:
    """Scenes of a single event of one kind; as many for the test as for training."""
    options = {"train": clips, "test": clips, "validation": 0, "seconds": seconds,
               "most_events": 1, "kinds": [kind]}  # fmt: skip
    built: Corpus = Context(load_catalog(), "cpu", seed=0).build(
        "corpus", "synthetic-sound", options
    )
    return built


def mel_frames(audio: Audio) -> NDArray[np.float64]:
    """Log-mel frames ``[F, 64]``, 100 a second."""
    mel = log_mel(audio.samples, audio.sample_rate, n_fft=512, hop=audio.sample_rate // 100)
    return mel[0].T.double().numpy()


def describe(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """A clip's features: how each band is spread over time, and how fast it changes.

    Frames within 60 dB of the loudest count, and levels are relative to the mean, so that loudness
    doesn't tell.
    """
    level = frames.max(axis=1)
    active = frames[level > level.max() - 6.9]
    active = active - active.mean()
    change = np.abs(np.diff(active, axis=0, prepend=active[:1]))
    envelope = active.mean(axis=1)
    rhythm = np.abs(np.fft.rfft(envelope - envelope.mean(), 512))[1:129].reshape(32, 4).mean(axis=1)
    spread = np.percentile(active, (10, 50, 90), axis=0)
    return np.concatenate([*spread, active.std(axis=0), change.mean(axis=0), np.log1p(rhythm)])


def features(kind: str, split: Split, clips: int, seconds: float) -> NDArray[np.float64]:
    """Features ``[N, D]`` of the events of one kind."""
    sounds = corpus(kind, clips, seconds)
    return np.stack([describe(mel_frames(sounds.audio(e))) for e in sounds.examples(split)])


def write_sheet(path: Path, seconds: float) -> None:
    """Two spectrograms of each kind, side by side, in one picture."""
    rows = -(-len(KINDS) // COLUMNS)
    figure = Figure(figsize=(4.0 * COLUMNS, 2.1 * rows), layout="tight")
    for place, kind in enumerate(KINDS, start=1):
        sounds = corpus(kind, 2, seconds)
        one, other = (mel_frames(sounds.audio(e)).T for e in sounds.examples("train"))
        image = np.concatenate([one, np.full((len(one), 6), one.max()), other], axis=1)
        axes = figure.add_subplot(rows, COLUMNS, place)
        axes.imshow(image, origin="lower", aspect="auto", cmap="magma", vmin=image.max() - DYNAMICS)
        axes.set_title(kind, fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=62)


def main() -> None:
    """Print accuracies and confusions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60, help="clips of each kind, in both splits")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--sheet", type=Path, help="also write spectrograms of all kinds here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.perf_counter()
    names = np.repeat(list(KINDS), arguments.clips)
    sets = {}
    for split in ("train", "test"):
        sets[split] = np.concatenate(
            [features(kind, split, arguments.clips, arguments.seconds) for kind in KINDS]
        )
    print(f"{2 * len(names)} clips described in {time.perf_counter() - begin:.0f} s")
    classifiers = {
        "nearest centroid": make_pipeline(StandardScaler(), NearestCentroid()),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=400)),
    }
    for name, classifier in classifiers.items():
        classifier.fit(sets["train"], names)
        heard = classifier.predict(sets["test"])
        print(f"{name:16} {np.mean(heard == names):.3f} (chance {1 / len(KINDS):.3f})")
    by_kind = {kind: float(np.mean(heard[names == kind] == kind)) for kind in KINDS}
    for kind, accuracy in sorted(by_kind.items(), key=lambda entry: entry[1]):
        print(f"  {kind:12} {accuracy:.2f}")
    pairs = Counter(
        f"{truth} heard as {guess}" for truth, guess in zip(names, heard, strict=True)
        if truth != guess
    )  # fmt: skip
    print("most confused: ", *(f"{p} ({n})" for p, n in pairs.most_common(SHOWN_PAIRS)), sep="\n  ")
    if arguments.sheet:
        write_sheet(arguments.sheet, arguments.seconds)


if __name__ == "__main__":
    main()
