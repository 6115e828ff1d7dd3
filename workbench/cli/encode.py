"""``workbench encode``: audio files to an archive of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.options import (
    Codebooks,
    CodecPrecision,
    Compiled,
    Device,
    Results,
    Threads,
)
from workbench.host.catalog import Catalog

DEFAULT_CODEC, DEFAULT_ENCODERS = "xcodec", ["mert"]
"""What encodes where no codec is named: the embedded one, which was taught by the embedded MERT."""


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def encode(
        inputs: Annotated[
            list[Path], typer.Argument(help="Audio files, and folders that are searched for them.")
        ],
        out: Annotated[Path, typer.Option(help="Archive of codes to write, a .npz file.")],
        codec: Annotated[
            str | None,
            typer.Option(
                help="A component (dac:sample_rate=24000), a folder or file of weights, a Hugging "
                "Face id, or a run. Without it: the embedded codec for music."
            ),
        ] = None,
        encoder: Annotated[
            list[str] | None,
            typer.Option(help="The codec's teacher, a component; again for each further one."),
        ] = None,
        codebooks: Codebooks = 0,
        results: Results = Path("results"),
        threads: Threads = 0,
        device: Device = "auto",
        precision: Annotated[
            CodecPrecision,
            typer.Option(help="bf16 and int8 are quicker, and their codes differ a little."),
        ] = CodecPrecision.fp32,
        compiled: Compiled = False,
    ) -> None:
        """Encode audio files of any number and length."""
        import torch

        from workbench.api.errors import WorkbenchError
        from workbench.cli.logs import show_logs
        from workbench.codec.archive import CodesHeader
        from workbench.codec.fewer import use_codebooks
        from workbench.pipeline.codecs import codec_key, find_codec, open_codec, quickened
        from workbench.pipeline.experiment import resolve_device
        from workbench.pipeline.files import encode_files, find_audio

        if out.suffix.lower() != ".npz":
            raise WorkbenchError(f"--out {out}: must be a file whose name ends in .npz")
        show_logs()
        if threads:
            torch.set_num_threads(threads)
        files = find_audio(inputs)
        chosen = encoder if encoder or codec else DEFAULT_ENCODERS
        source = find_codec(codec or DEFAULT_CODEC, chosen or [], results, catalog)
        device = resolve_device(device)
        built = open_codec(source, catalog, device)
        header = CodesHeader(
            codec_key(built, source),
            built.sample_rate,
            built.channels,
            built.frame_rate,
            built.codebook_size,
            source.to_json(),
        )
        built = quickened(built, precision.value, compiled)
        used = use_codebooks(built, codebooks or source.codebooks)
        report = encode_files(used, files, out, header, device)
        typer.echo(
            f"{out}: {report.used} files, {report.seconds:.1f} s of audio, {used.num_codebooks} "
            f"codebooks at {used.frame_rate:g} frames a second"
        )
        if report.skipped:
            typer.echo(f"set aside: {len(report.skipped)}")
        for entry in report.skipped:
            typer.echo(f"  {entry.reason}")
