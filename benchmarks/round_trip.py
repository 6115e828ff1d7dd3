"""What survives the embedded codec, by the number of codebooks that are decoded.

Held-out synthesised pieces go through the codec; key, chords and tempo are then estimated from the
last 5 of 10 seconds, as in the default recipe, and compared with the score.

    python benchmarks/round_trip.py [--pieces 64] [--threads 1]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import Tensor

from workbench import (
    Audio,
    Catalog,
    Codec,
    Codes,
    Context,
    EvaluationItem,
    Example,
    Figure,
    load_catalog,
)

METRICS = ("mel-distance", "key-agreement", "chord-agreement", "tempo-agreement")
SECONDS = 10
PROMPT_SECONDS = 5


def embedded_codec(catalog: Catalog) -> Codec:
    """The embedded X-Codec with its teacher."""
    teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
    context = Context(catalog, "cpu", 0, (("mert", teacher, 1.0),))
    codec: Codec = context.build("codec", "xcodec", {"weights": "embedded"})
    return codec


def figures(
    catalog: Catalog, pairs: list[tuple[Example, Tensor, Tensor]], rate: int
) -> list[Figure]:
    """Figures of decoded audio ``[C, T]`` (second of each pair) against the original (first)."""
    cut = PROMPT_SECONDS * rate
    found: list[Figure] = []
    for name in METRICS:
        metric = Context(catalog, "cpu", 0).build("metric", name)
        for example, wav, decoded in pairs:
            parts = (decoded[:, cut:], wav[:, cut:], wav[:, :cut])
            generated, reference, prompt = (Audio(part, rate) for part in parts)
            metric.update(EvaluationItem(example.id, example, generated, reference, prompt))
        found += metric.compute()
    return found


@torch.inference_mode()
def main() -> None:
    """Print a table: one row for each number of codebooks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    catalog = load_catalog()
    codec = embedded_codec(catalog)
    options = {"train": 1, "validation": 1, "test": arguments.pieces}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-music", options)
    examples = list(corpus.examples("test"))
    samples = SECONDS * codec.sample_rate
    wavs = [corpus.audio(example).samples[:, :samples] for example in examples]
    codes = [codec.encode(wav[None]) for wav in wavs]
    for count in (0, *range(1, codec.num_codebooks + 1)):
        decoded = [decode(codec, each, count, samples) for each in codes] if count else wavs
        rows = figures(catalog, list(zip(examples, wavs, decoded, strict=True)), codec.sample_rate)
        label = f"{count} codebooks" if count else "original"
        print(f"| {label} | " + " | ".join(cell(figure) for figure in rows) + " |", flush=True)
    print("columns: " + ", ".join(figure.name for figure in rows))


def decode(codec: Codec, codes: Codes, count: int, samples: int) -> Tensor:
    """Audio ``[C, samples]`` of the first ``count`` codebooks."""
    return codec.decode(replace(codes, values=codes.values[:, :count]))[0, :, :samples]


def cell(figure: Figure) -> str:
    """A figure with its interval."""
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


if __name__ == "__main__":
    main()
