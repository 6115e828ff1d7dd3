"""The paper's recipe, reduced: one step of everything on tiny models of the same classes."""

from __future__ import annotations

from pathlib import Path

import torch

from workbench import Audio, Catalog, Context, write_audio
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "paper" / "music_continuation.yaml"

TINY_MERT = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16, "convolution": 8}


def tiny_encoders(catalog: Catalog, folder: Path) -> tuple[Path, Path]:
    """Randomly initialised MERT and HuBERT, saved as checkpoints are."""
    context = Context(catalog, "cpu", seed=0)
    mert = context.build("semantic_encoder", "mert", {"weights": "random", "size": TINY_MERT})
    hubert = context.build("semantic_encoder", "hubert", {"weights": "random", "size": TINY_MERT})
    mert.save(folder / "mert")
    hubert.save(folder / "hubert")
    return folder / "mert", folder / "hubert"


def test_one_reduced_step_of_the_papers_recipe(catalog: Catalog, tmp_path: Path) -> None:
    mert, hubert = tiny_encoders(catalog, tmp_path / "encoders")
    for number in range(6):
        split = ("train", "train", "test", "test", "validation", "train")[number]
        wav = 0.1 * torch.randn(2, 22050 * 11)
        write_audio(tmp_path / "music" / split / f"{number}.flac", Audio(wav, 22050))
    overrides = [
        "device=cpu",
        f"results={tmp_path / 'results'}",
        f"corpus.options.path={tmp_path / 'music'}",
        f"encoder.options.weights={mert}",
        f"more_encoders.0.options.weights={hubert}",
        "codec.options.latent_dim=8",
        "codec.options.encoder.width=4",
        "codec.options.decoder.width=16",
        "codec.options.quantizer.size=16",
        "codec.options.quantizer.kmeans_iterations=2",
        "codec.options.discriminator.frequency_width=4",
        "codec.training={steps: 1, batch_size: 2, segment_seconds: 1.0}",
        "lm.model={width: 16, depth: 1, heads: 1, pattern: flatten, context: 2048}",
        "lm.training={steps: 1, batch_size: 2}",
        "evaluation.items=2",
        "evaluation.metrics.0.options.encoder.options={weights: " + str(mert) + ", layers: [1]}",
    ]
    report = run_recipe(load_recipe(RECIPE, overrides, catalog), catalog)
    generated = report.table.row("generated").figures
    assert {"mel-distance", "token perplexity"} <= set(generated)
    assert any(name.startswith("frechet") for name in generated)
    assert report.codebooks is not None
    assert len(report.codebooks.used) == 4  # of the codec's eight
    assert {"adversarial", "feature_matching", "semantic"} <= {
        name.split("/")[-1] for name in report.losses["codec"]
    }
