"""AudioCaps at full size, reduced: one step of everything on tiny models of the same classes."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from tests.pipeline.test_paper import TINY_MERT
from tests.plugins.sound.test_t5 import save
from workbench import Audio, Catalog, Context, write_audio
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "paper" / "text_to_sound_audiocaps.yaml"
CAPTIONS = ("a bell rings", "a dog barks", "the rain", "a dog barks in the rain", "a bell", "a dog")
TINY_CLAP = {"patch_width": 8, "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1], "text_layers": 1}


def audiocaps(folder: Path) -> Path:
    """Six clips of 2 s in AudioCaps' layout."""
    folder.mkdir()
    for table, numbers in {"train": (0, 1, 2), "val": (3,), "test": (4, 5)}.items():
        with (folder / f"{table}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["audiocap_id", "youtube_id", "start_time", "caption"])
            for number in numbers:
                writer.writerow([number, f"clip{number}", 0, CAPTIONS[number]])
                wav = 0.1 * torch.randn(1, 2 * 16000)
                write_audio(folder / "audio" / f"clip{number}.wav", Audio(wav, 16000))
    return folder


def claps(catalog: Catalog, folder: Path) -> list[Path]:
    """Two tiny CLAPs of other seeds: one teaches and chooses, the other judges."""
    paths = [folder / "clap0", folder / "clap1"]
    for seed, path in enumerate(paths):
        options = {"weights": "random", "size": TINY_CLAP}
        Context(catalog, "cpu", seed).build("semantic_encoder", "clap", options).save(path)
    return paths


def test_one_reduced_step_of_the_recipe(catalog: Catalog, tmp_path: Path) -> None:
    teacher, judge = claps(catalog, tmp_path)
    hubert = {"weights": "random", "size": TINY_MERT}
    Context(catalog, "cpu", 0).build("semantic_encoder", "hubert", hubert).save(tmp_path / "hubert")
    overrides = [
        "device=cpu",
        "threads=1",
        f"results={tmp_path / 'results'}",
        f"corpus.options.path={audiocaps(tmp_path / 'audiocaps')}",
        f"encoder.options.weights={tmp_path / 'hubert'}",
        f"more_encoders.0.options.weights={teacher}",
        "codec.options.latent_dim=8",
        "codec.options.encoder.width=4",
        "codec.options.decoder.width=16",
        "codec.options.semantic.width=8",
        "codec.options.quantizer.size=16",
        "codec.options.quantizer.kmeans_iterations=2",
        "codec.options.discriminator.frequency_width=4",
        "codec.training={steps: 1, batch_size: 2, segment_seconds: 1.0}",
        f"task.options.captions.t5={save(tmp_path / 't5')}",
        "task.options.seconds=1",
        "task.options.candidates=2",
        f"task.options.ranker.options.weights={teacher}",
        "lm.model={width: 16, depth: 1, heads: 1, context: 128}",
        "lm.training={steps: 1, batch_size: 2, accumulate: 1, precision: fp32}",
        "evaluation={items: 2, guidance: [1, 3], guidance_items: 2}",
        "evaluation.metrics.0.options.judge.options={weights: " + str(judge) + "}",
        "evaluation.metrics.1.options.encoder.options={weights: " + str(judge) + "}",
    ]
    report = run_recipe(load_recipe(RECIPE, overrides, catalog), catalog)
    generated = report.table.row("generated").figures
    assert {"clap-score", "mel-distance", "token perplexity"} <= set(generated)
    assert report.codebooks is not None
    assert len(report.codebooks.used) == 4  # of the codec's eight
    assert report.guidance is not None
    assert list(report.guidance.scales.values()) == [1, 3]
