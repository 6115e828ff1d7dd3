"""The semantic profile of the embedded X-Codecs beside their controls and random baselines.

Speech and music are profiled apart, each with the embedded X-Codec that knows it, the runs that are
named (the acoustic control of an ablation, say) and EnCodec- and DAC-class codecs with random
weights: what an untrained network's tokens tell is what any learning must beat. Each profile is as
`workbench profile` makes it; its table and plot are written below ``--out``.

EnCodec's random codebooks lie so far from what its random encoder gives that all its codes are the
same: it is chance itself. A random encoder whose codebooks suit it (k-means) is a run of one step:

    workbench run recipes/codec_matters.yaml name=untrained encoder.name=none task.name=none \\
        codec.training.steps=1 codec.training.warmup_steps=0 codec.options.quantizer.kmeans_step=0

Then, with it and an acoustic control of `workbench ablate`:

    python benchmarks/semantic_profile.py --speech untrained-HASH --speech CONTROL-RUN

Usage:

    python benchmarks/semantic_profile.py [--speech CODEC] [--music CODEC] [--only speech] \\
        [--recordings 120] [--threads 2] [--out results/reference]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from workbench import load_catalog
from workbench.pipeline.plots import save_png
from workbench.pipeline.profile import Plan
from workbench.pipeline.profile_page import markdown, profile_figure, write_profile
from workbench.pipeline.profile_run import Asked, make_profile

RANDOM = ("encodec:weights=random", "dac:weights=random")
SPEECH = "synthetic-speech:languages=[en],alignments=true,train={n},validation=0,test={n}"
MUSIC = "synthetic-music:train={n},validation=0,test={n},seconds=6"
SOUND = "synthetic-sound:train={n},validation=0,test={n}"


@dataclass(frozen=True)
class Part:
    """One profile: its name, its first codec, and its corpora."""

    name: str
    codec: str
    corpora: tuple[str, ...]


PARTS = (
    Part("speech", "xcodec:weights=embedded-speech+hubert", (SPEECH,)),
    Part("music", "xcodec+mert", (MUSIC, SOUND)),
)


def profile(part: Part, codecs: Sequence[str], arguments: argparse.Namespace) -> str:
    """Make one profile, write its files, and return its part of the page."""
    corpora = tuple(text.format(n=arguments.recordings) for text in part.corpora)
    asked = Asked(
        codecs, names=arguments.name, corpora=corpora, recordings=arguments.recordings,
        plan=Plan(kind=arguments.depth, codebooks=arguments.codebooks),
    )  # fmt: skip
    started = time.perf_counter()
    outcome = make_profile(asked, load_catalog(), arguments.results, "cpu")
    taken = time.perf_counter() - started
    write_profile(outcome, arguments.results / "profiles" / f"reference-{part.name}")
    picture = arguments.out / f"semantic_profile_{part.name}.png"
    save_png(profile_figure(outcome), picture)
    body = markdown(outcome).partition("\n")[2].replace("\n## ", "\n### ")
    return f"## {part.name.capitalize()} ({taken / 60:.0f} min)\n\n![]({picture.name})\n{body}"


def main() -> None:
    """Write ``semantic_profile.md`` and its plots."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for part in PARTS:
        text = f"a further codec on {part.name}, by any name `workbench profile` takes; again"
        parser.add_argument(f"--{part.name}", action="append", default=[], help=text)
    parser.add_argument(
        "--name", action="append", default=[], help="of each codec, in order; with --only"
    )
    parser.add_argument("--only", choices=[part.name for part in PARTS])
    parser.add_argument("--depth", choices=["cumulative", "single"], default="cumulative")
    parser.add_argument("--codebooks", type=int, default=8)
    parser.add_argument("--recordings", type=int, default=120)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python benchmarks/semantic_profile.py", *sys.argv[1:]])
    parts = [
        profile(part, (part.codec, *getattr(arguments, part.name), *RANDOM), arguments)
        for part in PARTS
        if arguments.only in (None, part.name)
    ]
    page = "\n".join(["# Semantic profile", "", f"Measured with `{command}`.", "", *parts])
    (arguments.out / "semantic_profile.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
