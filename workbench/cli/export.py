"""``workbench export``: take a run's trained weights out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


def register(app: typer.Typer, catalog: Catalog) -> None:  # noqa: ARG001 - part of the interface
    """Add the command."""

    @app.command()
    def export(
        run: Annotated[str, typer.Argument(help="A run: its folder, its name, or part of it.")],
        stage: Annotated[str, typer.Argument(help="Stage, as in: codec, encoder/mert, lm/lm.")],
        out: Annotated[Path, typer.Argument(help="Folder to write; a `weights` option names it.")],
        half: Annotated[bool, typer.Option(help="Store 16-bit floats: half the size.")] = False,
        results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    ) -> None:
        """Copy the weights that a run's stage trained to a folder of their own."""
        from workbench.pipeline.comparison import find_folder
        from workbench.pipeline.trained import export_weights

        size = export_weights(find_folder(run, results), stage, out, half)
        typer.echo(f"{out}: {size / 1e6:.2f} MB")
