"""How far the embedded judges of speech can be trusted: the figures of their model cards.

The recogniser on voices and sentences that it was not trained on, by language and accent, plain and
acoustically varied; and on the same speech cut into pieces that are shuffled, which must be bad.
The speaker encoder on pairs of recordings of the same voice and of two voices of one language: the
equal error rate, and the mean similarities.

    python benchmarks/judges.py [--recordings 240] [--threads 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from workbench_speech.error_rates import errors
from workbench_speech.text import characters, words

from workbench import Example, Recogniser, SpeakerEncoder, convert, load_catalog
from workbench.host.context import Context

PIECE_SECONDS = 0.25
"""Length of the pieces that are shuffled."""


def speech(context: Context, count: int, variety: float) -> list[tuple[Example, Tensor]]:
    """Recordings ``[T]`` at 16 kHz of the pool of voices that judges are not trained on."""
    options = {"train": 1, "validation": 0, "test": count, "seed": 9, "variety": variety}
    corpus = context.build("corpus", "synthetic-speech", options)
    return [
        (example, convert(corpus.audio(example), 16_000, 1).samples[0])
        for example in corpus.examples("test")
    ]


def shuffled(wav: Tensor, seed: int) -> Tensor:
    """Its pieces in another order."""
    size = round(PIECE_SECONDS * 16_000)
    pieces = [wav[start : start + size] for start in range(0, len(wav), size)]
    order = np.random.default_rng(seed).permutation(len(pieces))
    return torch.cat([pieces[index] for index in order])


def error_rates(
    judge: Recogniser, recordings: Iterable[tuple[Example, Tensor]], shuffle: bool
) -> dict[str, tuple[float, float, int]]:
    """WER, CER and sentences of each language and accent."""
    counts: dict[str, list[tuple[int, int, int, int]]] = {}
    for number, (example, wav) in enumerate(recordings):
        text, language = example.text or "", example.language
        said = judge.transcribe(shuffled(wav, number) if shuffle else wav, language)
        found = (
            *errors(words(text, language), words(said, language)),
            *errors(characters(text, language), characters(said, language)),
        )
        accent = str(example.details["accent"])
        group = f"{language}" if accent == "native" else f"{language}, accent {accent}"
        for name in (group, "all"):
            counts.setdefault(name, []).append(found)
    rates = {}
    for name, rows in sorted(counts.items()):
        wrong, total, wrong_characters, all_characters = np.array(rows).sum(axis=0)
        rates[name] = (wrong / total, wrong_characters / all_characters, len(rows))
    return rates


def similarities(
    judge: SpeakerEncoder, recordings: Iterable[tuple[Example, Tensor]]
) -> tuple[list[float], list[float]]:
    """Cosine similarities of pairs of one voice, and of pairs of two voices of one language."""
    known = [(example, judge.embed_speaker(wav)) for example, wav in recordings]
    same, other = [], []
    for (first, one), (second, two) in combinations(known, 2):
        if first.speaker == second.speaker:
            same.append(float(one @ two))
        elif first.language == second.language:
            other.append(float(one @ two))
    return same, other


def equal_error_rate(same: list[float], other: list[float]) -> float:
    """Where as many pairs of one voice are refused as pairs of two voices are accepted."""
    thresholds = np.array(sorted(same + other))
    refused = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1 - np.searchsorted(np.sort(other), thresholds) / len(other)
    return float(((refused + accepted) / 2)[np.abs(refused - accepted).argmin()])


def report(columns: Mapping[str, Mapping[str, tuple[float, float, int]]]) -> None:
    """Error rates in per cent as a table, a row a group."""
    print("| speech | N | " + " | ".join(f"WER, CER {name}" for name in columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    first = next(iter(columns.values()))
    for group, (_, _, count) in first.items():
        cells = [f"{100 * rates[group][0]:.1f}, {100 * rates[group][1]:.1f}" for rates in
                 columns.values()]  # fmt: skip
        print(f"| {group} | {count} | " + " | ".join(cells) + " |")


def main() -> None:
    """Print both judges' figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=240)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judges", default="recogniser,speaker")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    context = Context(load_catalog(), "cpu", 0)
    plain, varied = (speech(context, arguments.recordings, variety) for variety in (0.0, 1.0))
    if "recogniser" in arguments.judges:
        judge = context.build("semantic_encoder", "recogniser", {})
        report(
            {
                "plain": error_rates(judge, plain, shuffle=False),
                "varied": error_rates(judge, varied, shuffle=False),
                "shuffled": error_rates(judge, plain, shuffle=True),
            }
        )
    if "speaker" in arguments.judges:
        encoder = context.build("semantic_encoder", "speaker", {})
        for name, recordings in {"plain": plain, "varied": varied}.items():
            same, other = similarities(encoder, recordings)
            print(
                f"\nspeaker, {name}: equal error rate {100 * equal_error_rate(same, other):.1f} % "
                f"({len(same)} pairs of one voice, {len(other)} of two); similarity "
                f"{np.mean(same):.2f} and {np.mean(other):.2f}"
            )


if __name__ == "__main__":
    main()
