"""``workbench ablate``: matched arms of one recipe, and what sets them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.api.errors import RecipeError
from workbench.host.catalog import Catalog


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def ablate(
        recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
        overrides: Annotated[
            list[str] | None, typer.Argument(help="Changes to it, the same in all arms.")
        ] = None,
        over: Annotated[
            list[str] | None,
            typer.Option(help="What to vary, as encoder.name=none,hubert; several give a grid."),
        ] = None,
        seeds: Annotated[int | None, typer.Option(help="Runs of each arm.", min=1)] = None,
        jobs: Annotated[int, typer.Option(help="Runs at the same time.", min=1)] = 1,
        device: Annotated[
            list[str] | None, typer.Option(help="Devices that the runs take turns on.")
        ] = None,
    ) -> None:
        """Run a recipe's arms on equal terms and compare them in pairs, seed by seed."""
        import os

        from workbench.cli.logs import show_logs
        from workbench.pipeline.ablation import (
            failures,
            gather,
            log_path,
            plan_ablation,
            write_recipes,
        )
        from workbench.pipeline.ablation_page import sentences, write_outcome
        from workbench.pipeline.ablation_record import AblationRecord
        from workbench.pipeline.side_by_side import Job, run_jobs, workbench_run
        from workbench.training.progress import StepProgress

        varied = dict(parse_over(text) for text in over or [])
        ablation = plan_ablation(recipe, overrides or [], varied, seeds, catalog)
        show_logs()
        threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0
        record = AblationRecord(ablation)
        write_recipes(ablation, record.id, threads, device or [])
        work = [
            Job(run.title, workbench_run(run.path), log_path(run), threads) for run in ablation.runs
        ]
        try:
            with StepProgress(f"ablation {ablation.name}", 0, len(work)) as progress:
                statuses = run_jobs(work, jobs, progress.advance)
            failures(ablation, statuses)
            outcome = gather(ablation, catalog)
            page = write_outcome(outcome)
        except BaseException:
            record.fail()
            raise
        record.finish(outcome, page)
        for text in sentences(outcome):
            typer.echo(text)
        typer.echo(f"Page: {page}")


def parse_over(text: str) -> tuple[str, list[Any]]:
    """``("encoder.name", ["none", "hubert"])`` of ``encoder.name=none,hubert``."""
    from omegaconf import OmegaConf

    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise RecipeError(
            [f"--over {text!r}: expected KEY=VALUE,VALUE as in encoder.name=none,mert"]
        )
    parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"values=[{values}]"]))
    assert isinstance(parsed, dict)
    return key.strip(), list(parsed["values"])
