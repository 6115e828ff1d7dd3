"""Are differences found that are there, and none that are not?

Held-out synthesised pieces go through the embedded X-Codec. Planted: a share of the codes is
replaced at random, which must come out worse than the codec as it is, by an interval clear of zero.
Absent: two draws of the same damage, which differ by their seed alone, are compared again and
again; at the 95 % level a verdict may come out of nothing in one of twenty comparisons.

    python benchmarks/verdicts.py [--pieces 24] [--repeats 20] [--threads 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from scipy.stats import binom
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
    convert,
    load_catalog,
    paired_difference,
)

METRICS = {
    "mel-distance": {},
    "frechet": {"kinds": ["item", "set"]},
    "chord-agreement": {},
}
"""With their options. SI-SDR is none of them: this codec does not keep the phase, so that its round
trip scores -27 dB, and damage may even raise it."""
SECONDS = 4.0
PLANTED = (0.02, 0.05, 0.2)
"""Shares of the codes that are replaced."""
ABSENT = 0.05
"""The same, where seeds are compared."""


@dataclass(frozen=True)
class Piece:
    """A held-out piece: what is known, the truth ``[C, T]``, and its codes ``[1, K, F]``."""

    example: Example
    truth: Audio
    codes: Codes


def damaged(codes: Codes, share: float, seed: int) -> Codes:
    """``codes`` with about ``share`` of them replaced by any others."""
    generator = torch.Generator().manual_seed(seed)
    values = codes.values
    struck = torch.rand(values.shape, generator=generator) < share
    others = torch.randint(codes.codebook_size, values.shape, generator=generator)
    return replace(codes, values=torch.where(struck, others, values))


class Judge:
    """Figures of what the codec makes of the pieces after some damage."""

    def __init__(self, catalog: Catalog, codec: Codec, pieces: Sequence[Piece]) -> None:
        self.codec = codec
        self.pieces = pieces
        self.context = Context(catalog, "cpu", 0)
        # Kept, so that models are loaded once and the truth is heard once.
        self.kept = [self.context.build("metric", name, METRICS[name]) for name in METRICS]

    def __call__(self, share: float, seed: int) -> dict[str, Figure]:
        """Figures by name."""
        items = [self.item(piece, share, 1000 * seed + n) for n, piece in enumerate(self.pieces)]
        found: dict[str, Figure] = {}
        for name, options in METRICS.items():
            metric = self.context.build("metric", name, options)
            for item in items:
                metric.update(item)
            found |= {figure.name: figure for figure in metric.compute()}
        return found

    @torch.inference_mode()
    def item(self, piece: Piece, share: float, seed: int) -> EvaluationItem:
        """A piece after the damage."""
        wav: Tensor = self.codec.decode(damaged(piece.codes, share, seed))[0]
        made = Audio(wav[:, : piece.truth.samples.shape[-1]], piece.truth.sample_rate)
        return EvaluationItem(piece.example.id, piece.example, made, piece.truth)


@torch.inference_mode()
def held_out(catalog: Catalog, codec: Codec, count: int) -> list[Piece]:
    """The first seconds of test pieces."""
    options = {"train": 1, "validation": 1, "test": count, "seconds": SECONDS}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-music", options)
    pieces = []
    for example in corpus.examples("test"):
        truth = convert(corpus.audio(example), codec.sample_rate, codec.channels)
        pieces.append(Piece(example, truth, codec.encode(truth.samples[None])))
    return pieces


def embedded_codec(catalog: Catalog) -> Codec:
    """The embedded X-Codec with its teacher."""
    teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
    context = Context(catalog, "cpu", 0, (("mert", teacher, 1.0),))
    codec: Codec = context.build("codec", "xcodec", {"weights": "embedded"})
    return codec


def planted(judge: Judge) -> None:
    """Print a row for each figure and damage."""
    whole = judge(0.0, 0)
    print(
        "| figure | as it is | damage | damaged | difference | verdict |\n|---|---|---|---|---|---|"
    )
    for share in PLANTED:
        for name, figure in judge(share, 1).items():
            gap = paired_difference(figure, whole[name])
            verdict = {1: "better", 2: "worse", None: "unclear"}[gap.better]
            print(
                f"| {name} | {whole[name].value:.4g} | {share:.0%} | {figure.value:.4g} | "
                f"{gap.value:+.4g} [{gap.low:.4g}, {gap.high:.4g}] | {verdict} |",
                flush=True,
            )


def absent(judge: Judge, repeats: int) -> None:
    """Print how many verdicts came out of nothing, and how many chance allows."""
    verdicts: dict[str, int] = {}
    for repeat in range(repeats):
        one, two = judge(ABSENT, 2 * repeat + 10), judge(ABSENT, 2 * repeat + 11)
        for name in one:
            wrong = paired_difference(one[name], two[name]).better is not None
            verdicts[name] = verdicts.get(name, 0) + wrong
    most = int(binom.ppf(0.95, repeats, 0.05))
    print(f"\n| figure | false verdicts in {repeats} | chance allows |\n|---|---|---|")
    for name, count in verdicts.items():
        print(f"| {name} | {count} | {most} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    catalog = load_catalog()
    codec = embedded_codec(catalog)
    judge = Judge(catalog, codec, held_out(catalog, codec, arguments.pieces))
    planted(judge)
    absent(judge, arguments.repeats)


if __name__ == "__main__":
    main()
