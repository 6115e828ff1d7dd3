"""How well captions find their sounds with the embedded CLAPs, beside random weights and chance.

Recall at 1 and 10 among held-out scenes, from text to audio and from audio to text; each test
scene holds a pair of sounds that no training scene holds. ``--wording unseen`` captions the same
scenes in words and sentences that no training caption uses. Order is how often a model prefers
"a dog barks, then it rains" to "it rains, then a dog barks" where the dog is first; half by chance.

    python benchmarks/clap_quality.py
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import torch
from workbench_clap.quality import RANKS, distinct_pairs, recall

from workbench import Figure, TextAudioEncoder, load_catalog, mean_figure
from workbench.audio.dataset import AudioDataset, prepare
from workbench.host.context import Context
from workbench.pipeline.corpus import recordings

SEED = 7
"""Of a corpus draw that no shipped model was trained on."""
ORDERED = re.compile(r"(?:first )?(.+?)((?:,| and) then | followed by | before )(.+)")
"""Captions of one event after another; what is said of the space would be swapped too."""


def corpus(context: Context, folder: Path, pairs: int, wording: str) -> AudioDataset:
    """Held-out scenes, prepared at 16 kHz, a few more than wanted since captions may repeat."""
    scenes = pairs + pairs // 4
    sizes = {"train": 0, "validation": 0, "test": scenes}
    options = {**sizes, "seed": SEED, "test_wording": wording}
    sounds = context.build("corpus", "synthetic-sound", options)
    return prepare(folder, recordings(sounds), 16_000, 1, sounds.fingerprint())


@torch.no_grad()
def order(model: TextAudioEncoder, data: AudioDataset) -> Figure:
    """Share of captions of two events in turn that lie nearer than with their events swapped."""
    shares = {}
    for clip in data.clips("test"):
        matches = [ORDERED.fullmatch(caption) for caption in clip.example.details["captions"]]
        turned = [(m[0], m[3] + m[2] + m[1]) for m in matches if m and ", in " not in m[0]]
        if clip.example.details["layout"] != "then" or not turned:
            continue
        wav = data.read(clip).mean(dim=0, keepdim=True)
        audio = model.embed_audio(wav, data.sample_rate)[0]
        nearness = torch.stack([model.embed_text(list(pair)) @ audio for pair in turned])
        shares[clip.example.id] = float((nearness[:, 0] > nearness[:, 1]).float().mean())
    return mean_figure("order", shares, True)


def main() -> None:
    """Print one line for each model and each wording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="pairs to search among")
    parser.add_argument("--weights", nargs="+", default=["random", "embedded", "embedded-judge"])
    parser.add_argument("--wording", nargs="+", default=["standard", "unseen"])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    context = Context(load_catalog(), "cpu", seed=0)
    models = {
        weights: context.build("semantic_encoder", "clap", {"weights": weights})
        for weights in arguments.weights
    }
    for wording in arguments.wording:
        with tempfile.TemporaryDirectory() as folder:
            data = corpus(context, Path(folder), arguments.pairs, wording)
            pairs = distinct_pairs(data, "test", arguments.pairs)
            chance = "  ".join(f"@{rank} {rank / len(pairs):.3f}" for rank in RANKS)
            print(f"{wording} wording, {len(pairs)} pairs; chance {chance}")
            for weights, model in models.items():
                figures = recall(model, data, pairs)
                if wording == "standard":  # the others' sentences are turned in other ways
                    figures.append(order(model, data))
                print(line(weights, figures))


def line(weights: str, figures: list[Figure]) -> str:
    """A model's figures with their 95 % intervals."""
    parts = [f"{f.name} {f.value:.3f} [{f.low:.3f}, {f.high:.3f}]" for f in figures]
    return f"  {weights:16} {'  '.join(parts)}"


if __name__ == "__main__":
    main()
