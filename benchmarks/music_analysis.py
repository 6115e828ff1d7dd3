"""Fits the profiles of keys and chords, and measures the music analysis against known scores.

``python benchmarks/music_analysis.py`` prints accuracies on the embedded corpus' test split, clean
and with noise, against its own scores and against those of other pieces (chance).
``--fit`` first fits the profiles on the training split and prints the numbers that
``plugins/workbench_metrics/music_profiles.py`` holds: multinomial logistic regression over 12 roots
and two modes, whose weights all roots share.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from workbench_metrics import music_analysis
from workbench_metrics.music import mirex_key_score, tempo_matches
from workbench_metrics.music_analysis import Triad, estimate_key, estimate_tempo, recognise_chords
from workbench_metrics.music_profiles import Profiles

from workbench import Audio, Corpus, Example, Split, load_catalog

SECONDS = 5.0


@dataclass(frozen=True)
class Excerpt:
    """A piece of audio from ``start`` seconds on, and the score of what it was cut from."""

    audio: Audio
    start: float
    example: Example

    @property
    def key(self) -> Triad:
        """The piece's key."""
        key = self.example.details["key"]
        return Triad(key["tonic"], key["mode"])

    def chords(self) -> Iterator[tuple[float, float, Triad]]:
        """Start and end within the excerpt, and the chord."""
        for chord in self.example.details["chords"]:
            start = max(chord["start"] - self.start, 0.0)
            end = min(chord["end"] - self.start, self.audio.seconds)
            if end - start > 0.3:
                yield start, end, Triad(chord["root"], chord["quality"])


def excerpts(
    split: Split, pieces: int, starts: tuple[float, ...], noise_db: tuple[float, float] | None
) -> list[Excerpt]:
    """Excerpts of the embedded corpus, with noise at a random level within ``noise_db`` of SNR."""
    corpus: Corpus = build_corpus(split, pieces)
    rng = np.random.default_rng(0)
    result = []
    for example in corpus.examples(split):
        audio = corpus.audio(example)
        for start in starts:
            first = int(start * audio.sample_rate)
            samples = audio.samples[:, first : first + int(SECONDS * audio.sample_rate)]
            if noise_db is not None:
                level = samples.std() * 10 ** (-rng.uniform(*noise_db) / 20)
                noise = torch.from_numpy(rng.standard_normal(samples.shape)).float()
                samples = samples + noise * level
            result.append(Excerpt(Audio(samples, audio.sample_rate), start, example))
    return result


def build_corpus(split: Split, pieces: int) -> Corpus:
    """The embedded corpus with ``pieces`` pieces in ``split``."""
    from workbench import Context

    context = Context(catalog=load_catalog(), device="cpu", seed=0)
    corpus: Corpus = context.build("corpus", "synthetic-music", {split: pieces})
    return corpus


def fit(features: NDArray[np.float64], targets: list[Triad]) -> None:
    """Fit profiles to chroma ``[N, 24]`` and print them."""
    seen = torch.from_numpy(music_analysis.rotations(music_analysis.normalised(features))).float()
    index = torch.tensor([t.root + 12 * (t.quality == "minor") for t in targets])
    weights = torch.zeros(2, 24, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        scores = torch.einsum("nrf,mf->nmr", seen, weights)
        scores = scores + torch.cat([torch.zeros(1), bias])[None, :, None]
        value = torch.nn.functional.cross_entropy(scores.flatten(1), index)
        value = value + 1e-3 * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    for name, row in zip(("major", "minor"), weights.tolist(), strict=True):
        print(f"    {name}=({', '.join(f'{value:.2f}' for value in row)}),")
    print(f"    bias={bias.item():.2f},")


def fit_all() -> None:
    """Fit both profiles on the training split, half of it with noise."""
    clean = excerpts("train", 300, (0.0, 5.0), None)
    data = clean + excerpts("train", 300, (2.5,), (5.0, 25.0))
    keys, chords, chord_names = [], [], []
    for excerpt in data:
        wave = music_analysis.prepared(excerpt.audio)
        frames = music_analysis.chroma(wave)
        keys.append(frames.mean(axis=0))
        times = np.arange(len(frames)) * music_analysis.HOP / music_analysis.RATE
        for start, end, chord in excerpt.chords():
            weight = np.clip(np.minimum(times - start, end - times), 0.0, None)
            chords.append(weight @ frames / weight.sum())
            chord_names.append(chord)
    print("KEY_PROFILES")
    fit(np.array(keys), [excerpt.key for excerpt in data])
    print("CHORD_PROFILES")
    fit(np.array(chords), chord_names)


def measure(name: str, data: list[Excerpt], truths: list[Excerpt]) -> None:
    """Print how often what is heard in ``data`` agrees with the scores of ``truths``."""
    key, weighted, tempo, strict, chord = [], [], [], [], []
    began = time.process_time()
    for excerpt, truth in zip(data, truths, strict=True):
        heard = estimate_key(excerpt.audio)
        key.append(heard == truth.key)
        weighted.append(mirex_key_score(heard, truth.key) if heard else 0.0)
        bpm = estimate_tempo(excerpt.audio) or 0.0
        true_bpm = truth.example.details["tempo"]
        tempo.append(tempo_matches(bpm, true_bpm, octaves=True))
        strict.append(tempo_matches(bpm, true_bpm, octaves=False))
        wanted = list(truth.chords())
        found = recognise_chords(excerpt.audio, [(start, end) for start, end, _ in wanted])
        right = sum(e - s for (s, e, c), f in zip(wanted, found, strict=True) if c == f)
        chord.append(right / sum(e - s for s, e, _ in wanted))
    seconds = (time.process_time() - began) / len(data)
    print(
        f"{name:24} N={len(data)}  key {np.mean(key):.3f}  MIREX {np.mean(weighted):.3f}  "
        f"tempo {np.mean(tempo):.3f}  without octaves {np.mean(strict):.3f}  "
        f"chords {np.mean(chord):.3f}  {1000 * seconds:.0f} ms each"
    )


def measure_published(data: list[Excerpt]) -> None:
    """Print how often Krumhansl and Kessler's (1982) key profiles name the key."""
    major = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
    minor = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
    both = (tuple((np.array(row) - np.mean(row)) / np.std(row)) * 2 for row in (major, minor))
    profiles = Profiles(*both, bias=0.0)
    right = []
    for excerpt in data:
        frames = music_analysis.chroma(music_analysis.prepared(excerpt.audio))
        found = music_analysis.best_match(frames.mean(axis=0, keepdims=True), profiles)
        right.append(found[0] == excerpt.key)
    print(f"{'published key profiles':24} N={len(data)}  key {np.mean(right):.3f}")


def main() -> None:
    """Fit where asked to, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the profiles instead")
    if parser.parse_args().fit:
        fit_all()
        return
    clean = excerpts("test", 96, (0.0, 5.0), None)
    others = clean[2:] + clean[:2]
    measure("clean", clean, clean)
    measure("noise at 10 dB", excerpts("test", 96, (0.0, 5.0), (10.0, 10.0)), clean)
    measure("other pieces (chance)", clean, others)
    measure_published(clean)


if __name__ == "__main__":
    main()
