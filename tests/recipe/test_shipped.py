"""Every shipped recipe is valid, whatever its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.recipe.load import recipe_files, recipe_problems

SHIPPED = recipe_files([Path(__file__).parents[2] / "recipes"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_recipe_is_valid(path, catalog):
    assert recipe_problems(path, catalog) == []


def test_the_default_recipe_is_shipped():
    assert "music_continuation.yaml" in {path.name for path in SHIPPED}
