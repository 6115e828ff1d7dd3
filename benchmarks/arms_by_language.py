"""Two arms of an ablation, language by language: ratios of error rates, paired over sentences.

For each language and error rate: the first run's, the second's, their ratio, and the ratio beyond
what each codec's own round trip loses, with 95 % bootstrap intervals.

    python benchmarks/arms_by_language.py ACOUSTIC-RUN X-CODEC-RUN
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.pipeline.comparison import Run, find_run
from workbench.pipeline.systems import GENERATED, ROUND_TRIP

DRAWS = 10_000
Errors = NDArray[np.float64]


def languages(run: Run) -> dict[str, list[str]]:
    """Ids of the held-out items by language."""
    groups: dict[str, list[str]] = {}
    for item in json.loads((run.folder / "items.json").read_text()):
        groups.setdefault(item["example"]["language"], []).append(item["example"]["id"])
    return groups


def row(runs: Sequence[Run], name: str, ids: Sequence[str]) -> list[str]:
    """Cells of one figure over the items ``ids``."""
    figures = [run.table.figure(s, name) for s in (GENERATED, ROUND_TRIP) for run in runs]
    units = np.array([(figures[0].weights or {})[item] for item in ids])
    errors = [np.array([(f.per_item or {})[item] for item in ids]) * units for f in figures]
    drawn = np.random.default_rng(0).integers(0, len(ids), (DRAWS, len(ids)))
    means = [float(e.sum() / units.sum()) for e in errors]
    replicates = [e[drawn].sum(1) / units[drawn].sum(1) for e in errors]

    def told(value: float, many: Errors) -> str:
        low, high = np.percentile(many, [2.5, 97.5])
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"

    (a, x, floor_a, floor_x), (many_a, many_x, many_floor_a, many_floor_x) = means, replicates
    return [
        *(f"{value:.3f}" for value in means),
        told(a / x, many_a / many_x),
        told((a - floor_a) / (x - floor_x), (many_a - many_floor_a) / (many_x - many_floor_x)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs=2, help="folders or names of two finished runs")
    parser.add_argument("--figures", default="wer,cer,closed-wer")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    runs = [find_run(text, arguments.results) for text in arguments.runs]
    print("| language | figure | first | second | round trip, first | second | ratio | beyond |")
    print("|---|---|---|---|---|---|---|---|")
    for language, ids in languages(runs[0]).items():
        for name in arguments.figures.split(","):
            scored = runs[0].table.figure(GENERATED, name).per_item or {}
            known = [item for item in ids if item in scored]
            if known:
                print(f"| {' | '.join([language, name, *row(runs, name, known)])} |")


if __name__ == "__main__":
    main()
