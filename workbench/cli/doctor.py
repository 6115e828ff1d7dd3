"""``workbench doctor``: whether a run's trainings were healthy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


def register(app: typer.Typer, catalog: Catalog) -> None:  # noqa: ARG001 - part of the interface
    """Add the command."""

    @app.command()
    def doctor(
        run: Annotated[
            str,
            typer.Argument(
                help="A run: its folder, its name, or part of it; or one training's folder in the "
                "store."
            ),
        ],
        stage: Annotated[
            str | None, typer.Argument(help="Only this stage, as in: codec, encoder/mert, lm/lm.")
        ] = None,
        results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Say in plain words what went wrong in a run's trainings, and what to do.

        Reads the histories and checkpoints of all that the run trained. Exit status: 0 where all
        is healthy, 1 where something was found, 2 where there is nothing to examine.
        """
        from workbench.pipeline.health import examine_run
        from workbench.training.doctor.diagnosis import health_json, health_text

        healths = examine_run(run, results, stage)
        if as_json:
            typer.echo(json.dumps([health_json(health) for health in healths], indent=1))
        else:
            typer.echo("\n\n".join(health_text(health) for health in healths))
        raise typer.Exit(0 if all(health.healthy for health in healths) else 1)
