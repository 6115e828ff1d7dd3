"""Codecs side by side: what held-out audio said of each at the end of its training.

Reads finished runs of recipes that train a codec, as those of
``workbench ablate recipes/from_scratch/codec_pair_adversarial.yaml``.

    python benchmarks/codec_arms.py results/runs/RUN results/runs/RUN ...
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

Curves = Mapping[str, list[tuple[int, float]]]
HELD_OUT = "validation_"


def curves_of(run: Path) -> Curves:
    """The curves of a run's codec training by name."""
    history = json.loads((run / "history.json").read_text())
    if "codec" not in history:
        raise SystemExit(f"{run}: the run has trained no codec")
    curves: Curves = history["codec"]
    return curves


def cell(curves: Curves, name: str) -> str:
    """The last value of a curve, with the one at half the training before it."""
    curve = curves.get(name)
    if not curve:
        return "-"
    middle = curve[(len(curve) - 1) // 2]
    return f"{curve[-1][1]:.3g} (step {middle[0] + 1}: {middle[1]:.3g})"


def main() -> None:
    """Print a Markdown table: a row for each held-out figure, a column for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="Folders of finished runs.")
    runs: list[Path] = parser.parse_args().runs
    arms = [curves_of(run) for run in runs]
    names = dict.fromkeys(name for arm in arms for name in arm)
    print("| held-out figure | " + " | ".join(run.name for run in runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    for name in names:
        if name.startswith(HELD_OUT):
            cells = " | ".join(cell(arm, name) for arm in arms)
            print(f"| {name.removeprefix(HELD_OUT).replace('_', ' ')} | {cells} |")


if __name__ == "__main__":
    main()
