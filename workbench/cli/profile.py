"""``workbench profile``: which information lies at which depth of codecs' codebooks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.host.catalog import Catalog

if TYPE_CHECKING:
    from rich.table import Table

    from workbench.evaluation.table import ResultTable


class Depth(StrEnum):
    """What ``--depth`` takes."""

    cumulative = "cumulative"
    single = "single"


class Tokens(StrEnum):
    """What ``--tokens`` takes."""

    vectors = "vectors"
    one_hot = "one-hot"


class Context(StrEnum):
    """What ``--abx-context`` takes."""

    any = "any"
    within = "within"
    triphone = "triphone"


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def profile(
        codecs: Annotated[
            list[str],
            typer.Argument(
                help="Codecs, each a component (xcodec+mert, dac:weights=random), a folder or file "
                "of weights, a Hugging Face id, or a run; teachers follow after a plus."
            ),
        ],
        corpus: Annotated[
            list[str] | None,
            typer.Option(
                help="A corpus, as synthetic-speech:languages=[en],alignments=true; again for "
                "each further one. Without it: that one."
            ),
        ] = None,
        name: Annotated[
            list[str] | None,
            typer.Option(help="What to call a codec in tables and plots, in the codecs' order."),
        ] = None,
        depth: Annotated[
            Depth, typer.Option(help="The first k codebooks together, or the k-th by itself.")
        ] = Depth.cumulative,
        tokens: Annotated[
            Tokens,
            typer.Option(help="The vectors that codes stand for, or codes as such (slow probes)."),
        ] = Tokens.vectors,
        information: Annotated[
            list[str] | None,
            typer.Option(help="Only this kind (phone, abx-within, event ...); again for more."),
        ] = None,
        label: Annotated[
            list[str] | None,
            typer.Option(help="Also probe for this label of the examples' details."),
        ] = None,
        yardstick: Annotated[
            list[str] | None,
            typer.Option(
                help="log-mel, mfcc, chance or a semantic encoder, instead of the spectra, chance "
                "and the codecs' teachers; again for more."
            ),
        ] = None,
        codebooks: Annotated[int, typer.Option(min=0, help="Only the first so many; 0: all.")] = 0,
        recordings: Annotated[
            int, typer.Option(min=2, help="Most recordings to fit on, and to test on.")
        ] = 240,
        seconds: Annotated[float, typer.Option(help="How much of each recording is used.")] = 6.0,
        abx_context: Annotated[
            Context,
            typer.Option(
                help="Compare phones whatever stands beside them, those within the same context, "
                "or such whole triphones."
            ),
        ] = Context.any,
        abx_phones: Annotated[
            int, typer.Option(min=2, help="Most of each phone, speaker and context in ABX.")
        ] = 10,
        seed: Annotated[int, typer.Option(help="Draws recordings, frames and phones.")] = 0,
        out: Annotated[
            Path | None, typer.Option(help="Folder to write to. Default: below results/profiles.")
        ] = None,
        results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
        tracking: Annotated[
            str, typer.Option(help="MLflow server; empty: the one below results.")
        ] = "",
        threads: Annotated[
            int, typer.Option(min=0, help="CPU threads; 0: as many as there are.")
        ] = 0,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ) -> None:
        """Measure what codecs' tokens tell of phones, speakers, chords, events ... by depth."""
        import torch
        from rich.console import Console

        from workbench.cli.logs import show_logs
        from workbench.pipeline.experiment import resolve_device
        from workbench.pipeline.profile import Plan
        from workbench.pipeline.profile_page import (
            default_folder,
            tables,
            track_profile,
            write_profile,
        )
        from workbench.pipeline.profile_run import DEFAULT_CORPUS, Asked, make_profile

        show_logs()
        if threads:
            torch.set_num_threads(threads)
        plan = Plan(
            kind=depth.value,
            tokens=tokens.value,
            information=tuple(information or ()),
            codebooks=codebooks,
            context=abx_context.value,
            phones=abx_phones,
            seed=seed,
        )
        asked = Asked(
            codecs=tuple(codecs),
            names=tuple(name or ()),
            corpora=tuple(corpus or [DEFAULT_CORPUS]),
            yardsticks=yardstick,
            details=tuple(label or ()),
            recordings=recordings,
            seconds=seconds,
            plan=plan,
        )
        outcome = make_profile(asked, catalog, results, resolve_device(device))
        folder = out or default_folder(outcome, results)
        files = write_profile(outcome, folder)
        track_profile(outcome, files, results, tracking)
        console = Console()
        for title, table in tables(outcome.profile).items():
            console.print(short_table(title, table))
        for reason in outcome.profile.left_out:
            console.print(f"left out: {reason}", style="yellow", markup=False, highlight=False)
        typer.echo(f"With intervals: {files[0]}")


def short_table(title: str, table: ResultTable) -> Table:
    """A corpus' values without their intervals, for a narrow terminal."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    from workbench.evaluation.table import heading, number

    made = RichTable(title=escape(title), title_justify="left", header_style="bold")
    made.add_column("codec, depth")
    for column in table.columns:
        made.add_column(escape(heading(table.sample(column))), justify="right")
    for row in table.rows:
        found = [row.figures.get(column) for column in table.columns]
        cells = [number(each.value, each.value) if each else "-" for each in found]
        made.add_row(escape(row.system), *cells)
    return made
