"""What a profile leaves: a table and its plot for people, the numbers as JSON, an MLflow run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workbench.api.types import Figure
from workbench.evaluation.statistics import paired_difference
from workbench.evaluation.table import ResultTable, Row, heading, number
from workbench.pipeline.ablation import file_name
from workbench.pipeline.plots import STYLE, save_png
from workbench.pipeline.profile import TRAINED, Profile
from workbench.pipeline.profile_run import Outcome, described
from workbench.pipeline.store import content_key
from workbench.tracking import Tracker, environment_tags

FORMAT = 1
"""Version of the JSON form."""
FOLDER = "profiles"
"""Below ``results``."""
COLUMNS = 3
LEGEND_COLUMNS = 4
DEPTHS = {"cumulative": "codebooks 1 to k", "single": "codebook k by itself"}
LOGARITHMIC = ("perplexity", TRAINED)
"""Kinds of information whose axis is logarithmic."""


def default_folder(outcome: Outcome, results: Path) -> Path:
    """A folder of its own for each different profile."""
    names = "--".join(file_name(named.label) for named in outcome.codecs)
    return results / FOLDER / f"{names[:80]}-{content_key(described(outcome))[:8]}"


def write_profile(outcome: Outcome, folder: Path) -> list[Path]:
    """Write ``profile.md``, ``profile.json`` and ``profile.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / "profile.md", folder / "profile.json"
    page.write_text(markdown(outcome), encoding="utf-8")
    data.write_text(json.dumps(plain(outcome), indent=1, allow_nan=False), encoding="utf-8")
    return [page, data, save_png(profile_figure(outcome), folder / "profile.png")]


def track_profile(outcome: Outcome, files: Sequence[Path], results: Path, uri: str = "") -> str:
    """Record a profile as an MLflow run, in which depth takes the place of the step.

    Names are ``profile/<corpus>/<information>/<system>``, and ``profile_intervals/.../low|high``.
    """
    tracker = Tracker(results, uri)
    said = described(outcome)
    tags = {**environment_tags(), "workbench.kind": "profile"}
    params = {**said, "codecs": {c["label"]: c["source"] for c in said["codecs"]},
              "corpora": {c["label"]: c["name"] for c in said["corpora"]}}  # fmt: skip
    run = tracker.start(f"profile {', '.join(n.label for n in outcome.codecs)}", params, tags)
    for corpus in said["corpora"]:
        tracker.log_dataset(corpus["label"], corpus["fingerprint"], {"name": corpus["name"]})
    for reading in sorted(outcome.profile.readings, key=lambda reading: reading.depth):
        name, figure = f"{reading.information}/{reading.system}", reading.figure
        tracker.log_step(f"profile/{reading.corpus}", reading.depth, {name: figure.value})
        ends = {f"{name}/low": figure.low, f"{name}/high": figure.high}
        known = {key: value for key, value in ends.items() if not math.isnan(value)}
        tracker.log_step(f"profile_intervals/{reading.corpus}", reading.depth, known)
    for path in files:
        tracker.log_file(path)
    tracker.finish()
    return run


def tables(profile: Profile) -> dict[str, ResultTable]:
    """A table for each corpus: systems and depths in rows, kinds of information in columns."""
    rows: dict[str, dict[tuple[str, int], dict[str, Figure]]] = {}
    for corpus, information in profile.panels():
        for reading in profile.readings:
            if (reading.corpus, reading.information) == (corpus, information):
                systems = rows.setdefault(corpus, {})
                figures = systems.setdefault((reading.system, reading.depth), {})
                figures[information] = reading.figure
    return {
        corpus: ResultTable(
            tuple(Row(row_name(*key), "result", figures) for key, figures in systems.items())
        )
        for corpus, systems in rows.items()
    }


def row_name(system: str, depth: int) -> str:
    """A system at a depth; yardsticks have none."""
    return f"{system}, {depth}" if depth else system


def markdown(outcome: Outcome) -> str:
    """The tables, the differences from the first codec, and what was left out."""
    said, plan = described(outcome), outcome.asked.plan
    lines = ["# Semantic profile", "", f"Rows: {DEPTHS[plan.kind]}; tokens as {plan.tokens}; "
             f"at most {outcome.asked.recordings} recordings of {outcome.asked.seconds:g} s to fit "
             f"on and as many to test on; seed {plan.seed}.", ""]  # fmt: skip
    lines += [f"- corpus {c['label']}: `{c['name']}`" for c in said["corpora"]]
    lines += [
        f"- codec {c['label']}: {c['frame_rate']:g} frames a second, {c['codebooks']} codebooks of "
        f"{c['codebook_size']:,} entries, weights {c['key']}"
        for c in said["codecs"]
    ]
    for corpus, table in tables(outcome.profile).items():
        lines += ["", f"## {corpus}", "", table.to_markdown().rstrip()]
    lines += list(_difference_lines(outcome))
    if outcome.profile.left_out:
        lines += ["", "## Left out", "", *(f"- {reason}" for reason in outcome.profile.left_out)]
    return "\n".join(lines) + "\n"


def _difference_lines(outcome: Outcome) -> Iterator[str]:
    """Each later codec minus the first one at the same depth, over the same recordings."""
    first, *later = [named.label for named in outcome.codecs]
    panels = [panel for panel in outcome.profile.panels() if panel[0] in outcome.corpora]
    if later:
        yield from ["", f"## Differences from {first} at the same depth", ""]
        yield "Paired 95 % intervals; bold where an interval is clear of zero."
        yield from ["", "| corpus, information | codec | depth | difference |", "|---|---|---|---|"]
    for corpus, information in panels:
        for system in later:
            for depth in range(1, 1 + max(named.codec.num_codebooks for named in outcome.codecs)):
                one = outcome.profile.find(corpus, information, system, depth)
                two = outcome.profile.find(corpus, information, first, depth)
                if one and two:
                    cell = _difference(one, two)
                    yield f"| {corpus}, {heading(one)} | {system} | {depth} | {cell} |"


def _difference(one: Figure, two: Figure) -> str:
    gap = paired_difference(one, two)
    scale = max(abs(gap.value), abs(gap.high - gap.low))
    if math.isnan(gap.low):
        return number(gap.value, gap.value)
    low, high = number(gap.low, scale), number(gap.high, scale)
    text = f"{number(gap.value, scale)} [{low}, {high}]"
    return f"**{text}** {'better' if gap.better == 1 else 'worse'}" if gap.better else text


def plain(outcome: Outcome) -> dict[str, Any]:
    """The whole profile as JSON values; each row has its system and depth."""
    keys = {
        row_name(r.system, r.depth): (r.system, r.depth) for r in outcome.profile.readings
    }  # fmt: skip
    found = {}
    for corpus, table in tables(outcome.profile).items():
        found[corpus] = [
            {"system": keys[row["system"]][0], "depth": keys[row["system"]][1],
             "figures": row["figures"]}
            for row in json.loads(table.to_json())["rows"]
        ]  # fmt: skip
    return {
        "format": FORMAT,
        **described(outcome),
        "readings": found,
        "left_out": outcome.profile.left_out,
    }


@matplotlib.rc_context(STYLE)
def profile_figure(outcome: Outcome) -> Plot:
    """Depth on x; a panel for each kind of information; a line for each codec.

    Yardsticks are levels across a panel.
    """
    panels = outcome.profile.panels()
    rows = -(-len(panels) // COLUMNS)
    named_lines = len(outcome.codecs) + len(outcome.yardsticks)
    legend = 0.45 + 0.16 * math.ceil(named_lines / LEGEND_COLUMNS)
    height = 2.7 * rows + legend
    plot = Plot(figsize=(4.0 * COLUMNS, height))
    plot.subplots_adjust(0.05, 0.5 / height, 0.98, 1 - legend / height, wspace=0.2, hspace=0.45)
    several = len({corpus for corpus, _ in panels}) > 1
    for place, (corpus, information) in enumerate(panels, start=1):
        axes = plot.add_subplot(rows, COLUMNS, place)
        for colour, named in enumerate(outcome.codecs):
            _draw_line(axes, outcome.profile, corpus, information, named.label, colour)
        for colour, label in enumerate(outcome.yardsticks):
            figure = outcome.profile.find(corpus, information, label, 0)
            if figure:
                shade = matplotlib.colormaps["Dark2"](colour % 8)
                axes.axhline(figure.value, color=shade, linestyle="--", linewidth=1, label=label)
        _dress(axes, outcome, corpus if several else "", information)
    shown = [axes.get_legend_handles_labels() for axes in plot.axes]
    entries = {label: handle for pair in shown for handle, label in zip(*pair, strict=True)}
    order = [named.label for named in outcome.codecs] + list(outcome.yardsticks)
    names = [label for label in order if label in entries]
    handles = [entries[label] for label in names]
    plot.legend(handles, names, fontsize=8, frameon=False, loc="upper left", ncols=LEGEND_COLUMNS)
    return plot


def _draw_line(
    axes: Axes, profile: Profile, corpus: str, information: str, system: str, colour: int
) -> None:
    """One codec's values over depth, with their intervals."""
    points = [
        (reading.depth, reading.figure)
        for reading in profile.readings
        if (reading.corpus, reading.information, reading.system) == (corpus, information, system)
    ]
    if not points:
        return
    values = np.array([(f.value, f.low, f.high) for _, f in points])
    value, low, high = np.where(np.isnan(values), values[:, :1], values).T
    axes.errorbar(
        [depth for depth, _ in points], value,
        yerr=[value - np.minimum(low, value), np.maximum(high, value) - value],
        fmt="o-", markersize=3.5, linewidth=1.3, capsize=2, label=system,
        color=matplotlib.colormaps["tab10"](colour % 10),
    )  # fmt: skip


def _dress(axes: Axes, outcome: Outcome, corpus: str, information: str) -> None:
    """Title, scale and ticks of a panel."""
    sample = next(r.figure for r in outcome.profile.readings if r.information == information)
    axes.set_title(heading(sample) + (f", {corpus}" if corpus else ""), fontsize=9, loc="left")
    if information.partition(" (")[0] in LOGARITHMIC:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    depths = [r.depth for r in outcome.profile.readings]
    axes.set_xlim(0.5, max(depths) + 0.5)
    axes.set_xticks(range(1, max(depths) + 1))
    axes.set_xlabel(DEPTHS[outcome.asked.plan.kind], fontsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.tick_params(labelsize=7)
