"""Language models that are shipped know the codes of the codec that their recipe names."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import Catalog
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.models import (
    build_codec,
    build_teachers,
    language_model_configs,
    starting_weights,
)
from workbench.pipeline.store import weights_key
from workbench.recipe.load import load_recipe, recipe_files

RECIPES = Path(__file__).parents[2] / "recipes"
STARTING = [path for path in recipe_files([RECIPES]) if "init: embedded" in path.read_text()]


def test_recipes_start_from_shipped_models() -> None:
    names = {path.name for path in STARTING}
    assert {"music_continuation.yaml", "text_to_sound.yaml", "tts.yaml"} <= names


@pytest.mark.parametrize("path", STARTING, ids=lambda path: path.stem)
def test_shipped_models_know_the_codec(path: Path, catalog: Catalog) -> None:
    recipe = load_recipe(path, [], catalog)
    experiment = Experiment(recipe, catalog, "cpu")
    codec = build_codec(experiment, recipe.codec, build_teachers(experiment)).at_bandwidth().model
    task = experiment.context().build("task", recipe.task.name, recipe.task.options)
    roles = language_model_configs(experiment, task, codec)
    for role in roles:
        folder = starting_weights(task, recipe.lm.init, role, weights_key(codec))
        assert folder is not None
        assert (folder / "model.safetensors").exists()
