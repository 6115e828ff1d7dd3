"""``workbench compare``: runs side by side, in the terminal and on a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.host.catalog import Catalog

if TYPE_CHECKING:
    from rich.console import RenderableType

    from workbench.pipeline.comparison import Comparison


def register(app: typer.Typer, _catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def compare(
        runs: Annotated[
            list[str],
            typer.Argument(
                help="Runs: a folder, a name below results/runs or its beginning, an MLflow run id."
            ),
        ],
        out: Annotated[
            Path | None,
            typer.Option(help="The page to write. Default: comparisons/NAMES.html below results."),
        ] = None,
        force: Annotated[
            bool,
            typer.Option("--force", help="Also show figures that were not measured alike, marked."),
        ] = False,
        uri: Annotated[
            str,
            typer.Option(help="MLflow server to take the runs from, by id; kept below --results."),
        ] = "",
        results: Annotated[Path, typer.Option(help="The folder with the runs.")] = Path("results"),
    ) -> None:
        """Compare runs with the first of them: figures, paired differences, audio side by side."""
        from rich.console import Console

        from workbench.pipeline.comparison import compare_runs, find_run
        from workbench.pipeline.comparison_page import write_page
        from workbench.pipeline.tracked import fetch_run, open_client

        names_or_folders = runs
        if uri:
            client = open_client(uri)
            names_or_folders = [str(fetch_run(client, run, results / "fetched")) for run in runs]
        comparison = compare_runs([find_run(name, results) for name in names_or_folders], force)
        names = "--".join(run.name for run in comparison.runs)
        page = write_page(comparison, out or results / "comparisons" / f"{names}.html")
        console = Console()
        console.print(comparison_table(comparison))
        for reason in comparison.refused:
            console.print(f"left out: {reason}", style="yellow", markup=False, highlight=False)
        if comparison.refused:
            console.print("--force puts these side by side all the same.", style="yellow")
        typer.echo(f"Page: {page}")


def comparison_table(comparison: Comparison) -> RenderableType:
    """The figures of all runs and their differences from the first."""
    from rich.markup import escape
    from rich.table import Table

    from workbench.evaluation.table import cell, heading
    from workbench.pipeline.comparison import difference_text, verdict

    title = "Figures with 95 % intervals; differences are from the first run"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("figure")
    table.add_column(escape(comparison.runs[0].name), justify="right")
    for run in comparison.runs[1:]:
        table.add_column(escape(run.name), justify="right")
        table.add_column("difference", justify="right")
    for line in comparison.lines:
        cells = [cell(line.values[0], "\n")]
        later = zip(line.values[1:], line.differences, line.unlike, strict=True)
        for figure, gap, unlike in later:
            mark = f"\nUNLIKE: {'; '.join(unlike)}" if unlike else ""
            cells += [cell(figure, "\n"), f"{difference_text(gap, chr(10))}\n{verdict(gap)}{mark}"]
        name = f"{heading(line.values[0])}\n{line.system}"
        table.add_row(*(escape(text) for text in (name, *cells)), end_section=True)
    return table
