"""``workbench run``: run a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def run(
        recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
        overrides: Annotated[
            list[str] | None,
            typer.Argument(help="Changes to it, as in: corpus.name=folder lm.training.steps=500"),
        ] = None,
    ) -> None:
        """Run a recipe: what the store holds already is reused, what was interrupted goes on."""
        from rich.console import Console

        from workbench.cli.logs import show_logs
        from workbench.recipe.load import load_recipe

        loaded = load_recipe(recipe, overrides or [], catalog)
        show_logs()
        from workbench.pipeline.experiment import process_rank
        from workbench.pipeline.report import summary
        from workbench.pipeline.run import run_recipe

        console = Console()
        main = process_rank() == 0
        arms = ", ".join(loaded.ablation.choices())
        if arms and main:
            console.print(
                f"One run, as the recipe stands. Its arms ({arms}) are run and compared by: "
                f"workbench ablate {recipe}",
                markup=False,
            )
        report = run_recipe(loaded, catalog)
        other = "" if loaded.results == "results" else f" --results {loaded.results}"
        if main:
            console.print(summary(report, f"workbench ui{other}"))
