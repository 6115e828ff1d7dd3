"""How well the embedded tagger hears which events a scene holds, and in which order.

Test scenes of a corpus draw (seed 7) that no shipped model was trained on; each holds a pair of
kinds that no training scene holds. Recall and precision of events at the threshold, ordered pairs
of which both are heard in that order, and the mean average precision over kinds. Chance is the same
tagger's answers to other scenes: as many events, in the wrong place.

    python benchmarks/tagger_quality.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from workbench_tags.plugin import EventRecallOptions
from workbench_tags.quality import Scored, best_threshold, listen, score, truth

from workbench import AudioDataset, Tagger, load_catalog
from workbench.audio.dataset import prepare
from workbench.host.context import Context
from workbench.pipeline.corpus import recordings

SEED = 7
"""Of a corpus draw that no shipped model was trained on."""
WEAKEST = 8
"""Kinds that are listed, from the one least well told."""


def corpus(context: Context, folder: Path, scenes: int) -> AudioDataset:
    """Held-out scenes, prepared at 16 kHz; validation scenes hold yet other pairs."""
    options = {"train": 0, "validation": scenes, "test": scenes, "seed": SEED, "captions": 1}
    sounds = context.build("corpus", "synthetic-sound", options)
    return prepare(folder, recordings(sounds), 16_000, 1, sounds.fingerprint())


def main() -> None:
    """Print the figures, by chance and as heard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=300, help="test scenes")
    parser.add_argument("--weights", nargs="+", default=["embedded"])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    context = Context(load_catalog(), "cpu", seed=0)
    with tempfile.TemporaryDirectory() as folder:
        data = corpus(context, Path(folder), arguments.scenes)
        for weights in arguments.weights:
            print(f"weights {weights}, {arguments.scenes} scenes")
            judge(context.build("semantic_encoder", "tagger", {"weights": weights}), data)


def judge(tagger: Tagger, data: AudioDataset) -> None:
    """One tagger's lines."""
    validation, test = data.clips("validation"), data.clips("test")
    wishes = [truth(clip) for clip in test]
    heard = listen(tagger, data, test)
    known = [truth(clip) for clip in validation]
    best = best_threshold(tagger.classes, known, listen(tagger, data, validation))
    print(f"  threshold with the best F1 on validation scenes: {best:.2f}")
    for threshold in sorted({EventRecallOptions().threshold, best}):
        scored = score(tagger.classes, wishes, heard, threshold)
        print(line(f"at {threshold:.2f}", scored))
        others = [*heard[1:], heard[0]]
        print(line("  by chance", score(tagger.classes, wishes, others, threshold)))
    told = sorted(scored.average_precision.items(), key=lambda entry: entry[1])[:WEAKEST]
    print("  least well told: " + ", ".join(f"{kind} {value:.2f}" for kind, value in told))


def line(name: str, scored: Scored) -> str:
    """Figures with their 95 % intervals, and mAP."""
    parts = [f"{f.name} {f.value:.3f} [{f.low:.3f}, {f.high:.3f}]" for f in scored.figures]
    return f"  {name:12} {'  '.join(parts)}  mAP {scored.mean_average_precision:.3f}"


if __name__ == "__main__":
    main()
