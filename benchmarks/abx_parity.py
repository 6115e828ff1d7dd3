"""Our ABX errors beside those of fastabx, on the same items and features.

fastabx needs Python 3.12 or newer and libraries of its own, so this runs twice: once here, and once
in an environment that has it.

    python benchmarks/abx_parity.py export FOLDER [--recordings 60]
    python -m venv other && other/bin/pip install fastabx
    other/bin/python benchmarks/abx_parity.py compare FOLDER

Sentences of the embedded speech as mel cepstra, log-mel bands, and tokens of the embedded codec: as
vectors of its first codebook and of all, and as codes. Items shorter than a frame, which fastabx
refuses, are left out.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch

CONTEXTS = ("any", "within", "triphone")
CODES = "codes"
"""The features that are compared by being the same or not."""


def export(folder: Path, recordings: int) -> None:
    """Write items and features as fastabx reads them, and our figures."""
    from workbench import load_catalog
    from workbench.evaluation.abx import abx_errors, abx_figures, draw_phones
    from workbench.evaluation.labels import phones
    from workbench.host.context import Context
    from workbench.pipeline.profile_run import open_named
    from workbench.pipeline.profile_systems import (
        choose_recordings,
        codec_views,
        encode_recordings,
        spectrum_view,
    )

    catalog = load_catalog()
    options = {"train": 2, "validation": 0, "test": recordings, "alignments": True,
               "languages": ["en"]}  # fmt: skip
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-speech", options)
    heard = choose_recordings("speech", corpus, recordings, 10.0, 0)
    codec = open_named("xcodec+mert", Path("results"), catalog, "cpu").codec
    encoded = encode_recordings("codec", codec, heard, "cpu")
    views = {name: spectrum_view(name, heard) for name in ("mfcc", "log-mel")}
    for view in codec_views("codec", codec, encoded, (1, 4), "cumulative", "vectors"):
        views[f"vectors of {view.depth}"] = view
    views |= {CODES: next(codec_views("codec", codec, encoded, (1,), "single", "one-hot"))}
    spoken = [(phones(example), example.speaker or "") for example in heard.examples("test")]
    ours = []
    for name, view in views.items():
        rate = view.features.frame_rate
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for example, frames in zip(heard.examples("test"), view.compared, strict=True):
            torch.save(frames.clone(), place / f"{example.id}.pt")
        for context in CONTEXTS:
            items = [
                phone
                for phone in draw_phones(spoken, context, 10, 0)
                if 0 <= _first(phone.onset, rate) < _last(phone.offset, rate)
                and _last(phone.offset, rate) <= len(view.compared[phone.clip])
            ]
            lines = ["#file onset offset #phone prev-phone next-phone speaker"]
            for phone in items:
                before, after = phone.context or ("-", "-")
                file = heard.test[phone.clip][0].id
                times = f"{phone.onset:.4f} {phone.offset:.4f}"
                lines.append(f"{file} {times} {phone.name} {before} {after} {phone.speaker}")
            (folder / f"{name}-{context}.item").write_text("\n".join(lines) + "\n")
            figures = abx_figures(abx_errors(items, view.compared, rate, view.distance), {})
            for figure in figures:
                ours.append([name, context, figure.name, round(rate), len(items), figure.value])
    (folder / "ours.json").write_text(json.dumps(ours))


def _first(onset: float, rate: float) -> int:
    return math.ceil(round(onset * rate - 0.5, 6))


def _last(offset: float, rate: float) -> int:
    return math.floor(round(offset * rate - 0.5, 6)) + 1


def compare(folder: Path) -> None:
    """Print a table: ours, theirs, difference."""
    from fastabx import zerospeech_abx

    print("| features | context | | items | ours | fastabx | difference |\n" + "|---" * 7 + "|")
    for name, context, figure, rate, items, value in json.loads((folder / "ours.json").read_text()):
        theirs = zerospeech_abx(
            folder / f"{name}-{context}.item",
            folder / name,
            max_size_group=None,
            max_x_across=None,
            speaker=figure.removeprefix("abx-"),
            context="any" if context == "any" else "within",
            distance="identical" if name == CODES else "angular",
            frequency=rate,
            device="cpu",
            progress=False,
        )
        cells = (name, context, figure, str(items), f"{value:.6f}", f"{theirs:.6f}")
        print("| " + " | ".join(cells) + f" | {value - theirs:+.1e} |", flush=True)


def main() -> None:
    """Export or compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["export", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.what == "export":
        export(arguments.folder, arguments.recordings)
    else:
        compare(arguments.folder)


if __name__ == "__main__":
    main()
