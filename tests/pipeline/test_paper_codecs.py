"""The paper's codec recipes, reduced: some steps at their own rates, channels, teachers, losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench import Audio, Catalog, Codes, Context, XCodec, write_audio
from workbench.pipeline.corpus import prepare_corpus
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.models import build_codec, build_teachers, train_codec
from workbench.recipe.load import load_recipe

PAPER = Path(__file__).parents[2] / "recipes" / "paper"
SIZE = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16, "convolution": 8}
SMALL = [
    "device=cpu",
    "codec.options.latent_dim=8",
    "codec.options.encoder.width=4",
    "codec.options.decoder.width=32",
    "codec.options.quantizer.size=16",
    "codec.options.quantizer.dead_threshold=0.1",
    "codec.options.quantizer.kmeans_iterations=2",
    "codec.options.semantic.width=8",
    "codec.options.discriminator.frequency_width=2",
    "codec.training={steps: 3, batch_size: 2, segment_seconds: 0.4, log_every: 1}",
]


@pytest.fixture(scope="module")
def teachers(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small random checkpoints by the teacher's name."""
    folder = tmp_path_factory.mktemp("teachers")
    sizes: dict[str, dict[str, Any]] = {
        "hubert": SIZE,
        "mert": SIZE,
        "clap": {"patch_width": 8, "depths": [1] * 4, "heads": [1] * 4},
    }
    for name, size in sizes.items():
        options = {"weights": "random", "size": size}
        Context(catalog, "cpu", 0).build("semantic_encoder", name, options).save(folder / name)
    return {name: folder / name for name in sizes}


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo files that a folder corpus splits by their subfolders."""
    folder = tmp_path_factory.mktemp("audio")
    for number, split in enumerate(("train", "train", "validation")):
        wav = 0.1 * torch.randn(2, 32000 + 31 * number)
        write_audio(folder / split / f"{number}.flac", Audio(wav, 32000))
    return folder


def trained(
    name: str, catalog: Catalog, audio: Path, teachers: dict[str, Path], results: Path
) -> tuple[XCodec, list[dict[str, float]]]:
    """The recipe's codec after three steps, and its history."""
    folder = {"name": "folder", "options": {"path": str(audio), "min_seconds": 0}}
    plain = load_recipe(PAPER / f"{name}.yaml", [], catalog)
    parts = plain.corpus.options.get("parts", [])
    shared = [{**folder, "share": part["share"]} for part in parts]
    corpus = {"name": "mixture", "options": {"parts": shared}} if parts else folder
    paths = ["encoder", *(f"more_encoders.{n}" for n in range(len(plain.more_encoders)))]
    weights = [
        f"{path}.options.weights={teachers[slot.name]}"
        for path, slot in zip(paths, plain.encoders, strict=True)
    ]
    overrides = [*SMALL, *weights, f"results={results}", f"corpus={json.dumps(corpus)}"]
    experiment = Experiment(load_recipe(PAPER / f"{name}.yaml", overrides, catalog), catalog, "cpu")
    heard = build_teachers(experiment)
    codec = build_codec(experiment, experiment.recipe.codec, heard)
    data, key = prepare_corpus(experiment, codec.model)
    model: Any = train_codec(experiment, codec, heard, data, key).model
    history = (experiment.stages["codec"].path / "history.jsonl").read_text().splitlines()
    return model, [json.loads(line) for line in history]


@pytest.mark.parametrize(
    ("name", "rate", "channels", "hop"),
    [
        ("xcodec_hubert", 16000, 1, 320),
        ("xcodec_24khz", 24000, 1, 480),
        ("xcodec_44khz_stereo", 44100, 2, 882),
    ],
)
def test_the_engine_trains_and_is_exact_at_every_rate(
    name: str,
    rate: int,
    channels: int,
    hop: int,
    catalog: Catalog,
    audio: Path,
    teachers: dict[str, Path],
    tmp_path: Path,
) -> None:
    codec, history = trained(name, catalog, audio, teachers, tmp_path)
    assert (codec.sample_rate, codec.channels, codec.frame_rate) == (rate, channels, 50.0)
    steps = [line for line in history if "loss" in line]
    assert [line["step"] for line in steps] == [0, 1, 2]
    assert {"adversarial", "feature_matching", "stft", "pqmf", "semantic"} < set(steps[0])
    assert any("validation_mel" in line for line in history)
    for samples in (hop, rate, 12345):
        wav = 0.1 * torch.randn(2, channels, samples)
        codes: Codes = codec.encode(wav)
        frames = -(-samples // hop)
        assert codes.values.shape == (2, codec.num_codebooks, frames)
        assert codec.decode(codes).shape == (2, channels, frames * hop)
