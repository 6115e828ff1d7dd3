"""``workbench recipes``: check recipes and show them resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.api.errors import RecipeError
from workbench.host.catalog import Catalog


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add ``workbench recipes`` and its commands."""
    group = typer.Typer(no_args_is_help=True, help="Check recipes and show them resolved.")
    app.add_typer(group, name="recipes")

    @group.command()
    def validate(
        paths: Annotated[
            list[Path] | None, typer.Argument(help="Recipes and folders of recipes.")
        ] = None,
    ) -> None:
        """Read each recipe in full and name every problem; by default all below recipes/."""
        from workbench.recipe.load import recipe_files, recipe_problems

        where = paths or [Path("recipes")]
        files = recipe_files(where)
        if not files:
            folders = ", ".join(map(str, where))
            raise RecipeError([f"there are no recipes (*.yaml) in {folders}"], source="recipes")
        problems: list[str] = []
        for file in files:
            found = recipe_problems(file, catalog)
            problems += [f"{file}: {problem}" for problem in found]
        if problems:
            raise RecipeError(problems, source="recipes")
        typer.echo(f"{len(files)} recipes are valid")

    @group.command()
    def show(
        path: Annotated[Path, typer.Argument(help="The recipe.")],
        overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE ...")] = None,
    ) -> None:
        """Print a recipe with everything it extends, every override and every default filled in."""
        from workbench.recipe.load import load_recipe, to_yaml

        typer.echo(to_yaml(load_recipe(path, overrides or [], catalog)), nl=False)
