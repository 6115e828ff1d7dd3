"""``workbench board``: all runs of an MLflow store, codec by domain and codec by language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


def register(app: typer.Typer, _catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def board(
        uri: Annotated[
            str, typer.Option(help="MLflow server or store. Default: the one below --results.")
        ] = "",
        experiment: Annotated[
            list[str] | None, typer.Option(help="Experiments to gather; all unless given.")
        ] = None,
        by: Annotated[
            list[str] | None,
            typer.Option(help="What columns are: domain, language, speaker or a short detail."),
        ] = None,
        figure: Annotated[
            list[str] | None,
            typer.Option(help="Figures to show; all that two codecs share unless given."),
        ] = None,
        system: Annotated[
            list[str] | None,
            typer.Option(help="Systems to show; results and codec round trips unless given."),
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder to write to. Default: board below --results.")
        ] = None,
        track: Annotated[
            bool, typer.Option(help="Keep the board as artifacts of an MLflow run called “board”.")
        ] = True,
        results: Annotated[Path, typer.Option(help="The folder with the runs.")] = Path("results"),
    ) -> None:
        """Gather all runs into tables: codec by domain, codec by language, the best in bold."""
        from workbench.cli.ui import local_store
        from workbench.pipeline.board import AXES, make_board
        from workbench.pipeline.board_page import to_markdown, track_board, write_board
        from workbench.pipeline.tracked import measured_runs, open_client
        from workbench.tracking import Tracker

        runs = measured_runs(open_client(uri or local_store(results)), experiment or ())
        made = make_board(runs, by or AXES, figure or (), system or ())
        page = write_board(made, out or results / "board")
        typer.echo(to_markdown(made))
        if track:
            name = experiment[0] if experiment else "workbench"
            run_id = track_board(Tracker(results, uri, name), page)
            typer.echo(f"MLflow: run {run_id} of the experiment “{name}”")
        typer.echo(f"Page: {page}")
