"""Reads a recipe: YAML, `extends` and overrides first, then types and each component's options.

Every problem is found before anything is raised, and after reading only plain dataclasses remain.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from workbench.api.errors import RecipeError
from workbench.host.catalog import Catalog
from workbench.host.fields import plain
from workbench.host.merge import merged
from workbench.host.options import Reading, read
from workbench.recipe.schema import Recipe


def load_recipe(path: str | Path, overrides: Iterable[str], catalog: Catalog) -> Recipe:
    """The recipe at ``path`` with ``overrides`` (``key.path=value``) laid over it.

    Raises ``RecipeError`` holding every problem found.
    """
    path = Path(path)
    problems: list[str] = []
    tree = _extended(path, (), problems)
    if problems:  # what a missing file would have held is not worth guessing at
        raise RecipeError(problems, source=str(path))
    for override in overrides:
        tree = _overridden(tree, override, problems)
    reading = _read(tree, path, catalog)
    problems += reading.problems + (catalog.faults() if reading.unknown_component else [])
    recipe: Recipe = reading.value
    if not problems:
        problems += _ablation_problems(recipe, tree, path, catalog)
    if problems:
        raise RecipeError(problems, source=str(path))
    return recipe


def recipe_problems(path: str | Path, catalog: Catalog) -> list[str]:
    """What is wrong with a recipe file; empty where nothing is."""
    try:
        load_recipe(path, [], catalog)
    except RecipeError as error:
        return error.problems
    return []


def recipe_files(paths: Iterable[Path]) -> list[Path]:
    """The recipes that files and folders hold, folders searched to any depth, in order."""
    found: set[Path] = set()
    for path in paths:
        found |= set(path.rglob("*.yaml")) if path.is_dir() else {path}
    return sorted(found)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe as plain values, every default filled in; for hashing and saving."""
    values: dict[str, Any] = plain(recipe)
    return values


def to_yaml(recipe: Recipe) -> str:
    """The resolved recipe as YAML that :func:`load_recipe` reads back to an equal one."""
    return yaml.safe_dump(to_dict(recipe), sort_keys=False, allow_unicode=True)


def _read(tree: dict[str, Any], path: Path, catalog: Catalog) -> Reading:
    """Resolve interpolations, then both passes."""
    try:
        values = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    except OmegaConfBaseException as error:
        problem = f"{error.full_key}: {str(error).splitlines()[0]}"
        return Reading(None, [problem], unknown_component=False)
    values = {"name": path.stem} | cast(dict[str, Any], values)
    return read(Recipe, values, "", catalog.find)


def _extended(path: Path, chain: tuple[Path, ...], problems: list[str]) -> dict[str, Any]:
    """The file's tree laid over that of the recipe it extends, and so on down the chain."""
    tree = _file(path, chain, problems)
    if "extends" not in tree:
        return tree
    parent = tree.pop("extends")
    if not isinstance(parent, str):
        problems.append(f"extends = {parent!r}: expected the path of a recipe")
        return tree
    target = path.parent / parent
    seen = (*chain, path.resolve())
    if target.resolve() in seen:
        loop = " -> ".join(step.name for step in (*seen, target))
        problems.append(f"extends = {parent!r}: recipes extend each other in a circle: {loop}")
        return tree
    base = _extended(target, seen, problems)
    base.pop("name", None)  # a recipe is named after itself, not after what it extends
    base.pop("description", None)
    extended: dict[str, Any] = merged(base, tree)
    return extended


def _file(path: Path, chain: tuple[Path, ...], problems: list[str]) -> dict[str, Any]:
    said_in = f"extends (in {chain[-1].name})" if chain else "recipe"
    if not path.is_file():
        problems.append(f"{said_in} = {str(path)!r}: there is no such file")
        return {}
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (yaml.YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        problems.append(f"{said_in} = {str(path)!r}: not readable as YAML: {_one_line(error)}")
        return {}
    if not isinstance(tree, dict):
        problems.append(f"{said_in} = {str(path)!r}: expected a mapping of keys to values")
        return {}
    return {str(key): value for key, value in tree.items()}


def _overridden(tree: dict[str, Any], override: str, problems: list[str]) -> dict[str, Any]:
    try:
        laid: dict[str, Any] = merged(tree, override_tree(override))
    except RecipeError as error:
        problems += error.problems
        return tree
    return laid


def override_tree(override: str) -> dict[str, Any]:
    """``{"a": {"b": value}}`` for ``a.b=value``; raises ``RecipeError`` where it can't be read."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(
            [f"override {override!r}: expected KEY=VALUE, as in codec.training.steps=500"]
        )
    try:
        value = _yaml_value(text)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        problem = f"override {override!r}: not readable as YAML: {_one_line(error)}"
        raise RecipeError([problem]) from error
    return _nested(key.strip(), value)


def _yaml_value(text: str) -> Any:
    """The value as the recipe's own YAML reader sees it (``1e-3`` is a number)."""
    parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))
    return cast(dict[str, Any], parsed)["value"]


def _nested(key: str, value: Any) -> dict[str, Any]:
    """``{"a": {"b": value}}`` for ``a.b``; ``a[0]`` counts as ``a.0``."""
    for part in reversed(key.replace("[", ".").replace("]", "").split(".")):
        value = {part: value}
    nested: dict[str, Any] = value
    return nested


def _ablation_problems(
    recipe: Recipe, tree: dict[str, Any], path: Path, catalog: Catalog
) -> list[str]:
    """Each arm of the ablation must be a valid recipe; what several arms share is said once."""
    problems: list[str] = []
    for name, chosen in recipe.ablation.choices().items():
        varied = tree
        for key, value in chosen.items():
            varied = merged(varied, _nested(key, value))
        found = _read(varied, path, catalog).problems
        problems += [f"ablation arm {name!r}: {problem}" for problem in found]
    return problems


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
