"""``workbench plugins new``: a new plugin package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog
from workbench.host.hookspecs import KINDS

KIND_NAMES = ", ".join(kind.replace("_", "-") for kind in KINDS)


def register(group: typer.Typer, catalog: Catalog) -> None:
    """Add the command to ``workbench plugins``."""

    @group.command()
    def new(
        kind: Annotated[str, typer.Argument(help=f"What it is to provide: {KIND_NAMES}.")],
        name: Annotated[str, typer.Argument(help="Name of the component and of the folder.")],
        into: Annotated[Path, typer.Option(help="The folder to put it into.")] = Path("."),
    ) -> None:
        """Write a new plugin: an installable package with options, tests and a recipe."""
        from workbench.scaffold.package import create_package

        for path in create_package(catalog, kind, name, into):
            typer.echo(into / path)
        folder = into / name
        typer.echo(
            "\nNext:\n"
            f"  pip install -e {folder}\n"
            f"  workbench plugins list {kind}\n"
            f"  pytest {folder}\n"
            f"  workbench run {folder}/recipe.yaml"
        )
