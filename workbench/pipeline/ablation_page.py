"""What an ablation leaves for people: a page, a table in Markdown, and the numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from workbench.evaluation.arms import ArmComparison, sentence
from workbench.evaluation.statistics import Interval
from workbench.evaluation.table import number
from workbench.pipeline.ablation import ArmFigure, ArmGroups, Outcome
from workbench.pipeline.comparison import COMPARED, Run
from workbench.pipeline.listening import ListeningItem, Version, players, read_index
from workbench.pipeline.page import positions, render
from workbench.pipeline.plots import Curve, arms_figure, inline_svg, save_png

PAGE = "ablation.html"


@dataclass(frozen=True)
class GapBar:
    """An arm's difference from the first on a scale that holds zero, in per cent of its width."""

    low: float
    value: float
    high: float
    zero: float


@dataclass(frozen=True)
class ArmRow:
    """One arm in the table of a figure; the first arm has no ``bar``."""

    arm: str
    value: str
    seeds: str
    difference: str = ""
    ratio: str = ""
    verdict: str = "compared with"
    better: int | None = None
    bar: GapBar | None = None

    @property
    def cells(self) -> Sequence[str]:
        """What the table says in words and numbers."""
        return (self.arm, self.value, self.seeds, self.difference, self.ratio, self.verdict)


@dataclass(frozen=True)
class TextTable:
    """A table of text alone; each row begins with what heads it."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    caption: str = ""

    def markdown(self) -> list[str]:
        """Its lines."""
        lines = ["| " + " | ".join(self.heads) + " |", "|---" * len(self.heads) + "|"]
        return lines + ["| " + " | ".join(row) + " |" for row in self.rows]


@dataclass(frozen=True)
class ArmTable:
    """One figure of one system, arms in rows.

    ``scale`` is what their bars are drawn on; of three arms or more, ``pairs`` tells how many times
    an arm's value is that of a later one.
    """

    title: str
    caption: str
    rows: Sequence[ArmRow]
    scale: str
    pairs: TextTable | None


@dataclass(frozen=True, kw_only=True)
class CurveTable(TextTable):
    """One figure over the language models' training, as a table and a plot of ``lines`` by arm."""

    plot: Markup
    lines: Mapping[str, Curve]


def write_outcome(outcome: Outcome) -> Path:
    """Write the page, and beside it the same as Markdown and JSON; returns the page."""
    folder = outcome.ablation.folder
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    items = listening_items(outcome)
    heard = players(items)
    seeds = [run.seed for run in outcome.ablation.runs if run.arm == outcome.ablation.arms[0]]
    text = render(
        "ablation.html",
        name=outcome.ablation.name,
        choices=outcome.ablation.choices,
        seeds=seeds,
        sentences=sentences(outcome),
        tables=tables(outcome),
        curves=curve_tables(outcome),
        groups={section.by: group_tables(outcome, section) for section in outcome.groups},
        left_out=outcome.left_out,
        scalars=scalar_rows(outcome),
        players=heard,
        unheard=len(items) - len(heard),
        runs=outcome.runs,
    )
    page.write_text(text, encoding="utf-8")
    page.with_suffix(".md").write_text(markdown(outcome), encoding="utf-8")
    for curve in curve_tables(outcome):
        name = "".join(c if c.isalnum() else "-" for c in curve.title)
        save_png(arms_figure(curve.lines, curve.title), folder / f"learning-{name}.png")
    page.with_suffix(".json").write_text(json.dumps(plain(outcome), indent=1))
    return page


def sentences(outcome: Outcome) -> list[str]:
    """Every result's comparisons in plain words."""
    first = outcome.ablation.arms[0]
    return [
        sentence(found, figure.system, first, arm)
        for figure in outcome.figures
        for arm, found in figure.comparisons.items()
        if figure.role != "ceiling"
    ]


def tables(outcome: Outcome) -> list[ArmTable]:
    """A table for each figure of each system: arms in rows."""
    made = []
    for figure in outcome.figures:
        way = _direction(next(iter(figure.comparisons.values())))
        caption = f"{way}; {figure.items} items; means over seeds, each seed's value"
        low, high = _span(figure)
        made.append(
            ArmTable(
                title=f"{figure.figure}, {figure.system}",
                caption=caption,
                rows=_rows(outcome, figure),
                scale=f"{number(low, high - low)} to {number(high, high - low)}",
                pairs=_pair_table(outcome, figure),
            )
        )
    return made


def curve_tables(outcome: Outcome) -> list[CurveTable]:
    """Each figure over the language models' training: a row for each point, and the plot."""
    first, *later = outcome.ablation.arms
    made = []
    for curve in outcome.curves:
        lines: dict[str, list[tuple[int, float]]] = {arm: [] for arm in outcome.ablation.arms}
        rows = []
        for steps, comparisons in curve.points.items():
            base = next(iter(comparisons.values()))
            means = {first: base.first} | {arm: comparisons[arm].second for arm in later}
            size = max(map(abs, means.values())) or 1.0
            row = [f"{steps}{' (headline)' if steps == curve.headline else ''}"]
            row += [number(mean, size) for mean in means.values()]
            row += [_ratio(found) or "-" for found in comparisons.values()]
            rows.append(row)
            for arm, mean in means.items():
                lines[arm].append((steps, mean))
        heads = ["steps", *means, *(f"{first} / {arm}" for arm in later)]
        items, seeds = base.items, len(base.by_seed)
        caption = f"means over {seeds} seed{'s' if seeds > 1 else ''}, the first {items} items"
        label = f"{curve.figure} over training steps, a line for each arm: the table has its values"
        plot = Markup(inline_svg(arms_figure(lines, curve.figure), label))
        made.append(CurveTable(heads, rows, curve.figure, caption, plot=plot, lines=lines))
    return made


def group_tables(outcome: Outcome, section: ArmGroups) -> list[TextTable]:
    """A table for each figure of each system: groups in rows, arms and their ratios in columns."""
    first, *later = outcome.ablation.arms
    rows: dict[str, list[list[str]]] = {}
    directions: dict[str, str] = {}
    for group, figures in section.figures.items():
        for figure in figures:
            base = next(iter(figure.comparisons.values()))
            means = [base.first, *(found.second for found in figure.comparisons.values())]
            size = max(map(abs, means)) or 1.0
            row = [group, str(figure.items), *(number(mean, size) for mean in means)]
            for found in figure.comparisons.values():
                gap = _with_interval(found.difference, found.difference_interval, size)
                row += [gap, _ratio(found) or "-"]
            title = f"{figure.figure}, {figure.system}"
            rows.setdefault(title, []).append(row)
            directions[title] = _direction(base)
    heads = [section.by, "items", first, *later]
    heads += [text for arm in later for text in (f"{arm} minus {first}", f"{first} / {arm}")]
    seeds = len(outcome.runs[first])
    caption = f"means over {seeds} seed{'s' if seeds > 1 else ''}, 95 % intervals"
    return [
        TextTable(heads, found, title, f"{directions[title]}; {caption}")
        for title, found in rows.items()
    ]


def scalar_rows(outcome: Outcome) -> list[dict[str, str]]:
    """A row for each held-out scalar of each stage: every arm's mean over seeds."""
    rows = []
    for scalar in outcome.scalars:
        means = {arm: sum(v) / len(v) for arm, v in scalar.values.items()}
        size = max(map(abs, means.values()))
        name = f"{scalar.stage}: {scalar.name.replace('validation_', '')}"
        rows.append({"scalar": name} | {arm: number(m, size) for arm, m in means.items()})
    return rows


def _rows(outcome: Outcome, figure: ArmFigure) -> list[ArmRow]:
    first = outcome.ablation.arms[0]
    base = next(iter(figure.comparisons.values()))
    size = max(abs(base.first), abs(base.second), 1e-12)
    own = ", ".join(number(a, size) for a, _ in base.by_seed)
    rows = [ArmRow(first, number(base.first, size), own)]
    low, high = _span(figure)
    verdict = {1: "clearly worse", 2: "clearly better", None: "no clear difference"}
    for arm, found in figure.comparisons.items():
        ends = found.difference_interval
        bar = GapBar(*positions((ends.low, found.difference, ends.high, 0.0), low, high))
        rows.append(
            ArmRow(
                arm=arm,
                value=number(found.second, size),
                seeds=", ".join(number(b, size) for _, b in found.by_seed),
                difference=_with_interval(found.difference, ends, size),
                ratio=_ratio(found),
                verdict=verdict[found.better],
                better=found.better,
                bar=bar,
            )
        )
    return rows


def _pair_table(outcome: Outcome, figure: ArmFigure) -> TextTable | None:
    """None for two arms, and where no pair has a ratio."""
    first, *later = arms = outcome.ablation.arms
    known = {(first, arm): found for arm, found in figure.comparisons.items()}
    known |= figure.pairs
    if not any(found.ratio for found in figure.pairs.values()):
        return None
    rows = [
        [row, *(_ratio(known[row, column]) if (row, column) in known else "" for column in later)]
        for row in arms[:-1]
    ]
    return TextTable(["ratio, row / column", *later], rows)


def _span(figure: ArmFigure) -> tuple[float, float]:
    """The scale that holds all arms' differences from the first, and zero."""
    gaps = [found.difference_interval for found in figure.comparisons.values()]
    return min(0.0, *(gap.low for gap in gaps)), max(0.0, *(gap.high for gap in gaps))


def _direction(found: ArmComparison) -> str:
    return "higher is better" if found.higher_is_better else "lower is better"


def _ratio(found: ArmComparison) -> str:
    if found.ratio is None or found.ratio_interval is None:
        return ""
    return _with_interval(found.ratio, found.ratio_interval, found.ratio)


def _with_interval(value: float, interval: Interval, size: float) -> str:
    ends = f"[{number(interval.low, size)}, {number(interval.high, size)}]"
    return f"{number(value, size)} {ends}"


def markdown(outcome: Outcome) -> str:
    """The page's tables for documents."""
    lines = [f"# Ablation {outcome.ablation.name}", ""]
    lines += [f"- {text}" for text in sentences(outcome)]
    lines += [f"- Left out: {text}" for text in outcome.left_out]
    for curve in curve_tables(outcome):
        lines += ["", f"## {curve.title} over the language models' training", ""]
        lines += [f"{curve.caption}.", "", *curve.markdown()]
    for table in tables(outcome):
        lines += ["", f"## {table.title}", "", f"{table.caption}.", ""]
        heads = ["arm", "mean", "by seed", "difference", "ratio (first / this)", ""]
        lines += TextTable(heads, [row.cells for row in table.rows]).markdown()
        if table.pairs:
            lines += ["", *table.pairs.markdown()]
    for section in outcome.groups:
        for part in group_tables(outcome, section):
            lines += ["", f"## {part.title}, by {section.by}", "", f"{part.caption}.", ""]
            lines += part.markdown()
    rows = scalar_rows(outcome)
    if rows:
        lines += ["", "## Held-out scalars at the end of training, means over seeds", ""]
        lines += TextTable(list(rows[0]), [list(row.values()) for row in rows]).markdown()
    return "\n".join(lines) + "\n"


def plain(outcome: Outcome) -> dict[str, Any]:
    """All numbers as JSON values."""
    return {
        "name": outcome.ablation.name,
        "arms": {arm: dict(chosen) for arm, chosen in outcome.ablation.choices.items()},
        "runs": {arm: [run.name for run in runs] for arm, runs in outcome.runs.items()},
        "held_out": [
            {"stage": s.stage, "name": s.name, "values": {a: list(v) for a, v in s.values.items()}}
            for s in outcome.scalars
        ],
        "left_out": list(outcome.left_out),
        "learning": [
            {
                "figure": curve.figure,
                "headline": curve.headline,
                "points": {
                    steps: {arm: _plain(found) for arm, found in comparisons.items()}
                    for steps, comparisons in curve.points.items()
                },
            }
            for curve in outcome.curves
        ],
        "figures": [_plain_figure(figure) for figure in outcome.figures],
        "groups": {
            section.by: {
                group: [_plain_figure(figure) for figure in figures]
                for group, figures in section.figures.items()
            }
            for section in outcome.groups
        },
    }


def _plain_figure(figure: ArmFigure) -> dict[str, Any]:
    return {
        "figure": figure.figure,
        "system": figure.system,
        "arms": {arm: _plain(found) for arm, found in figure.comparisons.items()},
        "pairs": [
            {"arms": pair, "comparison": _plain(found)} for pair, found in figure.pairs.items()
        ],
    }


def _plain(found: ArmComparison) -> dict[str, Any]:
    values = asdict(found)
    values["by_seed"] = [list(pair) for pair in found.by_seed]
    return values


def listening_items(outcome: Outcome) -> list[ListeningItem]:
    """The items of each arm's first run, with the truth once and every arm's versions."""
    firsts: dict[str, Run] = {arm: runs[0] for arm, runs in outcome.runs.items()}
    indices = {arm: {i.id: i for i in read_index(run.folder)} for arm, run in firsts.items()}
    items = []
    for item in indices[outcome.ablation.arms[0]].values():
        if not all(item.id in index for index in indices.values()):
            continue
        versions = [version for version in item.versions if version.role == "truth"]
        for arm, index in indices.items():
            versions += [
                Version(f"{arm}: {version.system}", version.role, version.audio)
                for version in index[item.id].versions
                if version.role in COMPARED
            ]
        items.append(ListeningItem(item.id, item.title, versions, item.prompt))
    return items
