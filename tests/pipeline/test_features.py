"""Stored teacher features as a stage: three teachers in one codec, from recipe to trained codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench import Catalog, XCodec
from workbench.pipeline.corpus import prepare_corpus
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.models import build_codec, build_teachers, train_codec
from workbench.recipe.load import load_recipe

SIZE = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16, "convolution": 8,
        "position_kernel": 16}  # fmt: skip
RANDOM = {"weights": "random"}
HUBERT = {"name": "hubert", "weight": 2.0, "options": {**RANDOM, "size": SIZE}}
MERT = {"name": "mert", "options": {**RANDOM, "size": SIZE}}
CLAP = {
    "name": "clap",
    "weight": 0.5,
    "options": {**RANDOM, "size": {"patch_width": 8, "depths": [1] * 4, "heads": [1] * 4}},
}
ONE = (f"encoder={json.dumps(HUBERT)}", "codec.training.steps=1")
THREE = (ONE[0], f"more_encoders={json.dumps([MERT, CLAP])}", "codec.training.steps=4")
STORED = "codec.options.teaching={hears: recording, store: fp32, window_seconds: 3}"
LIVE = "codec.options.teaching={hears: recording, window_seconds: 3}"


def trained(recipe: Path, catalog: Catalog, *overrides: str) -> tuple[XCodec, Experiment]:
    """The recipe's codec, as a run trains it."""
    experiment = Experiment(load_recipe(recipe, overrides, catalog), catalog, "cpu")
    teachers = build_teachers(experiment)
    codec = build_codec(experiment, experiment.recipe.codec, teachers)
    data, key = prepare_corpus(experiment, codec.model)
    model: Any = train_codec(experiment, codec, teachers, data, key).model
    return model, experiment


def losses(experiment: Experiment) -> list[dict[str, float]]:
    lines = (experiment.stages["codec"].path / "history.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_three_teachers_train_one_codec_and_are_heard_once(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    stored, with_store = trained(tiny_recipe, catalog, *THREE, STORED)
    live, without = trained(tiny_recipe, catalog, *THREE, LIVE)
    assert [teacher.name for teacher in stored.config.teachers] == ["hubert", "mert", "clap"]
    assert [teacher.weight for teacher in stored.config.teachers] == [2.0, 1.0, 0.5]
    assert stored.config.semantic_widths == [16, 16, 64]
    assert list(with_store.stages) == ["corpus", "features", "codec"]
    assert list(without.stages) == ["corpus", "codec"]
    for one, two in zip(losses(with_store), losses(without), strict=True):
        assert one.get("loss") == two.get("loss")
        assert one.get("semantic") == two.get("semantic")
    for name, value in live.state_dict().items():
        assert torch.equal(value, stored.state_dict()[name]), name
    last = losses(with_store)[-1]
    each = [last[f"validation_semantic_error_{number}"] for number in (1, 2, 3)]
    assert last["validation_semantic_error"] == pytest.approx(sum(each) / 3)
    codes = stored.encode(0.1 * torch.randn(1, 1, 7000))
    assert stored.decode(codes).shape == (1, 1, 7040)


def test_features_are_shared_by_trainings_that_differ_elsewhere(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    _, first = trained(tiny_recipe, catalog, *ONE, STORED)
    _, other = trained(tiny_recipe, catalog, *ONE, STORED, "codec.options.losses.mel=2")
    assert "features" not in first.reused
    assert "features" in other.reused
    assert "codec" not in other.reused
    _, again = trained(tiny_recipe, catalog, *ONE, STORED)
    assert list(again.stages) == ["corpus", "codec"]  # nothing is heard for a trained codec
    _, longer = trained(tiny_recipe, catalog, *ONE, STORED, "codec.training.segment_seconds=0.6")
    assert "features" not in longer.reused


def test_another_layer_of_a_teacher_is_another_codec(tiny_recipe: Path, catalog: Catalog) -> None:
    """Its weights are the same, and its features are not."""
    _, first = trained(tiny_recipe, catalog, *ONE, STORED)
    _, other = trained(tiny_recipe, catalog, *ONE, STORED, "encoder.options.layers=[0]")
    assert other.stages["features"].key != first.stages["features"].key
    assert other.stages["codec"].key != first.stages["codec"].key
