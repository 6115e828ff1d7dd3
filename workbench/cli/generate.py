"""``workbench generate``: ask a finished run for audio."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


class Precision(StrEnum):
    """What ``--precision`` takes."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def generate(
        run: Annotated[str, typer.Argument(help="A run: its folder, its name, or part of it.")],
        out: Annotated[Path, typer.Option(help="Audio file to write.")],
        prompt: Annotated[
            Path | None, typer.Option(help="Audio to go on from, or whose voice to take.")
        ] = None,
        prompt_text: Annotated[
            str | None, typer.Option(help="What is said in the prompt, where the model needs it.")
        ] = None,
        text: Annotated[str | None, typer.Option(help="Text to speak, or sound to make.")] = None,
        lang: Annotated[str | None, typer.Option(help="Language of the text.")] = None,
        seconds: Annotated[float | None, typer.Option(help="Most audio to generate.")] = None,
        duration: Annotated[
            float | None, typer.Option(help="Seconds to generate, no more and no less.")
        ] = None,
        seed: Annotated[int, typer.Option(help="Another seed gives another result.")] = 0,
        temperature: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
        top_p: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
        guidance: Annotated[
            float | None, typer.Option(help="Guidance scale, instead of the recipe's.")
        ] = None,
        with_prompt: Annotated[
            bool, typer.Option(help="Put the prompt before a result that goes on from it.")
        ] = True,
        results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
        precision: Annotated[
            Precision, typer.Option(help="Of the language model's weights.")
        ] = Precision.fp32,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ) -> None:
        """Generate audio with the models of a finished run."""
        import torch

        from workbench.api.types import Audio, Wish
        from workbench.audio.io import read_audio, write_audio
        from workbench.pipeline.comparison import find_run
        from workbench.pipeline.evaluate.of_run import noted_languages
        from workbench.pipeline.experiment import resolve_device
        from workbench.pipeline.trained import open_run

        sampling = {"temperature": temperature, "top_p": top_p, "guidance_scale": guidance}
        chosen = {name: value for name, value in sampling.items() if value is not None}
        folder = find_run(run, results).folder
        trained = open_run(folder, catalog, resolve_device(device), chosen, precision.value)
        known = noted_languages(folder)
        if lang and known and lang not in known:
            typer.echo(
                f"warning: this run was tested on speech in {', '.join(known)}; in a language that "
                f"its models have not learnt, as {lang!r} may be, they speak badly or not at all",
                err=True,
            )
        heard = None if prompt is None else read_audio(prompt)
        wish = Wish(None, text, lang, seconds, prompt_text, duration)
        audio, before = trained.generate(wish, heard, seed)
        if with_prompt and before is not None:
            joined = torch.cat([before.samples, audio.samples], dim=-1)
            audio = Audio(joined, audio.sample_rate)
        write_audio(out, audio)
        typer.echo(f"{out}: {audio.seconds:.2f} s")
