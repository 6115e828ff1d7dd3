"""``workbench decode``: an archive of codes to audio files."""

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


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def decode(
        codes: Annotated[Path, typer.Argument(help="Archive that `workbench encode` wrote.")],
        out: Annotated[
            Path, typer.Option(help="Folder; or, for a single recording, an audio file.")
        ],
        codec: Annotated[
            str | None, typer.Option(help="Where the codec is now, if it was moved.")
        ] = None,
        encoder: Annotated[
            list[str] | None, typer.Option(help="The moved codec's teacher, a component.")
        ] = None,
        codebooks: Codebooks = 0,
        format: Annotated[str, typer.Option(help="Format of the files in a folder.")] = "wav",
        results: Results = Path("results"),
        threads: Threads = 0,
        device: Device = "auto",
        precision: Annotated[
            CodecPrecision,
            typer.Option(help="bf16 and int8 are quicker, and their audio differs a little."),
        ] = CodecPrecision.fp32,
        compiled: Compiled = False,
    ) -> None:
        """Decode an archive of codes with the codec that made them."""
        import torch

        from workbench.cli.logs import show_logs
        from workbench.codec.archive import CodesArchive
        from workbench.pipeline.codecs import (
            CodecSource,
            check_codec,
            find_codec,
            open_codec,
            quickened,
        )
        from workbench.pipeline.experiment import resolve_device
        from workbench.pipeline.files import decode_files

        show_logs()
        if threads:
            torch.set_num_threads(threads)
        archive = CodesArchive(codes)
        source = (
            CodecSource.from_json(archive.header.codec)
            if codec is None
            else find_codec(codec, encoder or [], results, catalog)
        )
        device = resolve_device(device)
        built = open_codec(source, catalog, device)
        check_codec(built, source, archive)
        built = quickened(built, precision.value, compiled)
        report = decode_files(built, archive, out, format, device, codebooks)
        typer.echo(f"{out}: {report.used} files, {report.seconds:.1f} s of audio")
