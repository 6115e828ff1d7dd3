"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class CodecPrecision(StrEnum):
    """What ``--precision`` takes where a codec is meant."""

    fp32 = "fp32"
    bf16 = "bf16"
    int8 = "int8"


Codebooks = Annotated[int, typer.Option(min=0, help="Only the first so many; 0: all.")]
Results = Annotated[Path, typer.Option(help="Folder of results.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0: as many as there are.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Compiled = Annotated[
    bool,
    typer.Option(help="Fuse by torch.compile, which takes a minute at first: for long audio."),
]
