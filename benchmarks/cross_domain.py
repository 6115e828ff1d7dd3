"""One codec for all against codecs of one domain each: rows codecs, columns domains.

Every codec's round trip of held-out speech, music and sound is scored by each domain's own figures
with ``workbench evaluate``, in the MLflow experiment ``cross-domain``; ``workbench board`` then
gathers them there, and a table in Markdown is printed, or written with ``--out``. Codecs have other
frame rates and numbers of codebooks, so their bit rates stand beside their names.

    python benchmarks/cross_domain.py --codec mixed=RUN [--out results/reference/cross_domain.md]
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import Figure, load_catalog
from workbench.evaluation.table import ResultTable
from workbench.pipeline.codecs import find_codec, open_codec
from workbench.pipeline.systems import ROUND_TRIP

EXPERIMENT = "cross-domain"
SINGLE = {
    "speech": ("xcodec:weights=embedded-speech", "hubert"),
    "music": ("xcodec:weights=embedded", "mert"),
    "sound": ("xcodec:weights=embedded-sound", "clap"),
}
"""The embedded codecs of one domain each, with their teachers."""


@dataclass(frozen=True)
class Domain:
    """What a domain is heard on, and the figures that say how a codec does there."""

    corpus: str
    metrics: tuple[str, ...]
    shown: tuple[str, ...]


DOMAINS: Mapping[str, Domain] = {
    "speech": Domain(
        "synthetic-speech:train=1,validation=1,test={items}",
        ("error-rates", "mel-distance"),
        ("error-rates", "mel-distance"),
    ),
    "music": Domain(
        "synthetic-music:train=1,validation=1,test={items}",
        ("key-agreement", "chord-agreement", "mel-distance"),
        ("key-agreement", "chord-agreement", "mel-distance"),
    ),
    "sound": Domain(
        "synthetic-sound:train=1,validation=1,test={items}",
        ("event-recall", "clap-score", "mel-distance"),
        ("event-recall", "clap-score", "mel-distance"),
    ),
}


def evaluate(
    name: str, codec: str, teacher: str, domain: str, arguments: argparse.Namespace
) -> Path:
    """Score a codec on a domain; returns the evaluation's folder."""
    chosen = DOMAINS[domain]
    command = [
        sys.executable, "-m", "workbench", "evaluate", "--codec", codec,
        "--corpus", chosen.corpus.format(items=arguments.items),
        "--metrics", ",".join(chosen.metrics), "--by", "domain", "--name", f"cross-{name}-{domain}",
        "--experiment", EXPERIMENT, "--results", str(arguments.results), "--device", "cpu",
    ]  # fmt: skip
    subprocess.run([*command, *(["--encoder", teacher] if teacher else [])], check=True)
    found = (arguments.results / "runs").glob(f"cross-{name}-{domain}-*/table.json")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def rate(codec: str, teacher: str, results: Path) -> str:
    """A codec's frames a second, codebooks and bit rate."""
    catalog = load_catalog()
    source = find_codec(codec, [teacher] if teacher else [], results, catalog)
    opened = open_codec(source, catalog, "cpu")
    books = source.codebooks or opened.num_codebooks
    bits = opened.frame_rate * books * math.log2(opened.codebook_size)
    return f"{opened.frame_rate:g} Hz x {books}, {bits / 1000:.2f} kbit/s"


def cell(figure: Figure) -> str:
    """A figure with its interval."""
    return f"{figure.name} {figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def row(name: str, rates: str, tables: Mapping[str, ResultTable]) -> str:
    """A codec's line of the table."""
    cells = []
    for domain, table in tables.items():
        figures = table.row(ROUND_TRIP).figures
        shown = DOMAINS[domain].shown
        kept = [f for n, f in figures.items() if n.startswith(shown) or n in ("wer", "cer")]
        cells.append("<br>".join(cell(figure) for figure in kept) or "-")
    return f"| {name} ({rates}) | {' | '.join(cells)} |"


def main() -> None:
    """Evaluate every codec on every domain, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", action="append", default=[], help="NAME=RUN or folder, again")
    parser.add_argument("--items", type=int, default=48, help="held-out recordings of each domain")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    codecs = dict(SINGLE)
    codecs |= {name: (codec, "") for name, codec in (e.split("=", 1) for e in arguments.codec)}
    lines = [f"| codec | {' | '.join(DOMAINS)} |", f"|---|{'---|' * len(DOMAINS)}"]
    for name, (codec, teacher) in codecs.items():
        tables = {}
        for domain in DOMAINS:
            folder = evaluate(name, codec, teacher, domain, arguments)
            tables[domain] = ResultTable.from_json((folder / "table.json").read_text())
        lines.append(row(name, rate(codec, teacher, arguments.results), tables))
    board = ["board", "--experiment", EXPERIMENT, "--by", "domain"]
    subprocess.run(
        [sys.executable, "-m", "workbench", *board, "--results", str(arguments.results)], check=True
    )
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
