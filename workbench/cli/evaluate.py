"""``workbench evaluate``: figures for a run, a codec or folders of audio, made here or anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog

WAYS: Mapping[str, tuple[str, ...]] = {
    "RUN": (),
    "--codec": ("--corpus",),
    "--reference": ("--generated",),
}
"""What can be evaluated, by what names it, and what else each needs."""


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def evaluate(
        run: Annotated[
            str | None, typer.Argument(help="A run whose audio is scored again, or otherwise.")
        ] = None,
        codec: Annotated[
            str | None,
            typer.Option(help="A component, folder, run or Hugging Face id: its round trip."),
        ] = None,
        encoder: Annotated[
            list[str] | None, typer.Option(help="The codec's teacher; again for further ones.")
        ] = None,
        codebooks: Annotated[
            int, typer.Option(min=0, help="Only the codec's first so many; 0: all.")
        ] = 0,
        corpus: Annotated[
            str | None,
            typer.Option(help="For --codec: a component (NAME:option=value) or a folder of audio."),
        ] = None,
        depths: Annotated[
            str | None, typer.Option(help="Fewer codebooks to hear as well, as in 1,2,4.")
        ] = None,
        reference: Annotated[Path | None, typer.Option(help="Folder with the true audio.")] = None,
        generated: Annotated[
            list[str] | None,
            typer.Option(help="Folder with a system's audio, or NAME=DIR for each of several."),
        ] = None,
        text: Annotated[
            Path | None,
            typer.Option(help="JSONL, CSV or TSV: path or id, text, language, caption ..."),
        ] = None,
        prompts: Annotated[
            Path | None, typer.Option(help="Folder with prompts in whose manner it was generated.")
        ] = None,
        metrics: Annotated[
            list[str] | None,
            typer.Option(help="Names with commas between them, or NAME:option=value; again."),
        ] = None,
        config: Annotated[
            Path | None, typer.Option(help="YAML like a recipe's evaluation: 'metrics: [...]'.")
        ] = None,
        items: Annotated[int | None, typer.Option(help="Only the first so many.")] = None,
        by: Annotated[
            list[str] | None, typer.Option(help="Break figures down: language, speaker ...")
        ] = None,
        rate: Annotated[
            int, typer.Option(min=0, help="Hz to compare at; 0: the truth's own, or the codec's.")
        ] = 0,
        jobs: Annotated[int, typer.Option(min=1, help="Processes that score files.")] = 1,
        seed: Annotated[int, typer.Option(min=0, help="Seed of what is random in metrics.")] = 0,
        name: Annotated[str, typer.Option(help="Name of the evaluation.")] = "",
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
        results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
        experiment: Annotated[str, typer.Option(help="MLflow experiment.")] = "workbench",
    ) -> None:
        """Score a run, a codec (--codec --corpus) or folders (--reference --generated).

        What has been scored is kept and not scored again.
        """
        from rich.console import Console

        from workbench.api.errors import RecipeError
        from workbench.cli.logs import show_logs
        from workbench.pipeline.evaluate.evaluation import evaluate as answer
        from workbench.pipeline.evaluate.questions import (
            CodecQuestion,
            FolderQuestion,
            Question,
            RunQuestion,
            View,
        )
        from workbench.pipeline.evaluate.scores import Scoring
        from workbench.pipeline.evaluate.settings import read_section
        from workbench.pipeline.experiment import resolve_device
        from workbench.pipeline.report import summary
        from workbench.recipe.schema import TrackingSection

        given = {"depths": _numbers(depths), "items": items, "by": by}
        chosen = read_section(config, given, metrics or [], catalog)
        check_one_way(
            {
                "RUN": {"RUN": run},
                "--codec": {
                    "--codec": codec,
                    "--corpus": corpus,
                    "--encoder": encoder,
                    "--codebooks": codebooks,
                },
                "--reference": {
                    "--reference": reference,
                    "--generated": generated,
                    "--prompts": prompts,
                },
            }
        )
        if run and text:
            raise RecipeError(["--text: a run knows its texts; leave it out"], "evaluate")
        question: Question
        if codec and corpus:
            question = CodecQuestion(codec, corpus, encoder or [], text, codebooks)
        elif reference and generated:
            question = FolderQuestion(reference, generated, text, prompts)
        else:
            question = RunQuestion(run or "")
        show_logs()
        scoring = Scoring(catalog, results, resolve_device(device), seed, jobs)
        view = View(chosen.limit, rate, name)
        tracking = TrackingSection(experiment=experiment)
        report = answer(question, chosen.section, scoring, view, tracking)
        other = "" if results == Path("results") else f" --results {results}"
        Console().print(summary(report, f"workbench ui{other}"))


def check_one_way(given: Mapping[str, Mapping[str, object]]) -> None:
    """Complain unless one thing is named, with all that it needs and nothing of the others.

    ``given`` holds the values of the options that belong to each way.
    """
    from workbench.api.errors import RecipeError

    said = {way: [name for name, value in own.items() if value] for way, own in given.items()}
    ways = [way for way, names in said.items() if names]
    if len(ways) != 1:
        beside = f"; given: {', '.join(name for names in said.values() for name in names)}"
        raise RecipeError(
            [
                "name one thing to evaluate: a RUN, --codec with --corpus, or --reference with "
                f"--generated{beside if ways else ''}"
            ],
            "evaluate",
        )
    (way,) = ways
    missing = [name for name in (way, *WAYS[way]) if name not in said[way]]
    if missing:
        raise RecipeError(
            [f"{', '.join(said[way])}: {' and '.join(missing)} must be given as well"], "evaluate"
        )


def _numbers(text: str | None) -> list[int] | None:
    """Numbers between commas."""
    from workbench.api.errors import RecipeError

    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise RecipeError([f"--depths {text}: expected numbers as in 1,2,4"], "evaluate") from error
