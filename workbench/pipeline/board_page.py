"""A board for people: a page, the same as Markdown, and the numbers as JSON; all go to MLflow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.evaluation.board import BoardTable, Cell, Column
from workbench.evaluation.table import cell, heading, number
from workbench.pipeline.board import Board, BoardSection
from workbench.pipeline.page import interval_ends, positions, render
from workbench.tracking import Tracker

PAGE = "board.html"
BOARD_TAG = "workbench.board"
"""Tag of the MLflow run that holds an experiment's board; the value is the board's own name."""
TOLD = 12
"""Most parameters that are listed of a row."""
BEST = (
    "Bold: the best of its column and all that it is not clearly better than (the 95 % interval of "
    "the paired difference holds zero). A column's figures were measured alike; where material was "
    "measured in several ways, it has several columns, numbered. Nothing is bold in a column of "
    "one row."
)
REPEATS = (
    "Runs that differ in their seed alone are one row: the mean over them, with an interval over "
    "items. For the codec's own round trip, all runs with the same codec are."
)


@dataclass(frozen=True)
class ShownCell:
    """A cell on the page: texts, and where the interval lies on the column's scale in per cent."""

    value: str
    interval: str
    runs: int
    best: bool
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class ShownTable:
    """A table on the page: a heading for each column, and for each row its cells or None."""

    title: str
    better: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[ShownCell | None, ...]], ...]
    notes: tuple[str, ...]


def write_board(board: Board, folder: Path) -> Path:
    """Write ``board.html``, ``board.md`` and ``board.json`` into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    sections = [
        (section, [_shown(table) for table in section.tables]) for section in board.sections
    ]
    text = render(
        "board.html", board=board, sections=sections, best=BEST, repeats=REPEATS, rows=_rows(board)
    )
    page.write_text(text, encoding="utf-8")
    page.with_suffix(".md").write_text(to_markdown(board), encoding="utf-8")
    page.with_suffix(".json").write_text(json.dumps(to_plain(board), indent=1))
    return page


def track_board(tracker: Tracker, page: Path) -> str:
    """Keep a written board with MLflow, in one run an experiment; returns the run's id.

    A later board of the same experiment takes the place of the earlier one.
    """
    found = tracker.client.search_runs(
        [tracker.experiment_id], filter_string=f"tags.`{BOARD_TAG}` = 'board'", max_results=1
    )
    if not (found and tracker.resume(found[0].info.run_id)):
        tracker.start("board", {}, {BOARD_TAG: "board"})
    for path in (page, page.with_suffix(".md"), page.with_suffix(".json")):
        tracker.log_file(path)
    tracker.describe(page.with_suffix(".md").read_text(encoding="utf-8"))
    tracker.finish()
    return tracker.run_id


def to_markdown(board: Board) -> str:
    """The board for documents."""
    lines = ["# Board", "", f"{len(board.runs)} runs. {BEST} {REPEATS}"]
    for section in board.sections:
        lines += ["", f"## Codec by {section.by}"]
        if not section.tables:
            lines += ["", f"No run states its {section.by}."]
        for table in section.tables:
            heads = " | ".join(_head(table, column) for column in table.columns)
            lines += ["", f"### {_title(table)}", "", f"| codec | {heads} |"]
            lines.append("|---|" + "---|" * len(table.columns))
            for row in table.rows:
                cells = " | ".join(_text(column.cells.get(row)) for column in table.columns)
                lines.append(f"| {_plain(row)} | {cells} |")
            lines += ["", *(f"- {note}" for note in _notes(table))]
        lines += ["", *(f"- {note}" for note in _section_notes(section))]
    lines += ["", "## Rows", ""]
    lines += [f"- {row}: {runs}" for row, runs in _rows(board)]
    return "\n".join(_without_doubles(lines)) + "\n"


def to_plain(board: Board) -> dict[str, Any]:
    """All numbers as JSON values."""
    tables = [
        {
            "by": section.by,
            "figure": table.figure,
            "system": table.system,
            "role": table.role,
            "higher_is_better": table.sample.higher_is_better,
            "unit": table.sample.unit,
            "columns": [_plain_column(column) for column in table.columns],
        }
        for section in board.sections
        for table in section.tables
    ]
    return {"runs": dict(board.runs), "tables": tables}


def _plain_column(column: Column) -> dict[str, Any]:
    cells = {
        row: {
            "value": one.figure.value,
            "low": None if math.isnan(one.figure.low) else one.figure.low,
            "high": None if math.isnan(one.figure.high) else one.figure.high,
            "n": one.figure.n,
            "best": one.best,
            "runs": list(one.runs),
        }
        for row, one in column.cells.items()
    }
    settings = dict(next(iter(column.cells.values())).figure.settings)
    return {"group": column.group, "unlike": column.unlike, "settings": settings, "cells": cells}


def _shown(table: BoardTable) -> ShownTable:
    scales = [_scale(column) for column in table.columns]
    rows = []
    for row in table.rows:
        pairs = zip(table.columns, scales, strict=True)
        cells = tuple(_shown_cell(column.cells.get(row), scale) for column, scale in pairs)
        rows.append((row, cells))
    return ShownTable(
        title=_title(table),
        better="Higher is better" if table.sample.higher_is_better else "Lower is better",
        heads=tuple(_head(table, column) for column in table.columns),
        rows=tuple(rows),
        notes=tuple(_notes(table)),
    )


def _scale(column: Column) -> tuple[float, float]:
    ends = [interval_ends(one.figure) for one in column.cells.values()]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _shown_cell(one: Cell | None, scale: tuple[float, float]) -> ShownCell | None:
    if one is None:
        return None
    figure = one.figure
    low, high = interval_ends(figure)
    size = max(abs(figure.value), high - low)
    unknown = math.isnan(figure.low)
    text = "interval unknown" if unknown else f"{number(low, size)} to {number(high, size)}"
    low, middle, high = positions((low, figure.value, high), *scale)
    return ShownCell(number(figure.value, size), text, len(one.runs), one.best, low, middle, high)


def _title(table: BoardTable) -> str:
    return f"{heading(table.sample)}, {table.system}"


def _head(table: BoardTable, column: Column) -> str:
    counts = sorted({one.figure.n for one in column.cells.values()})
    title = table.titles[column.group, column.number]
    return f"{title}, N = {' or '.join(map(str, counts))}"


def _text(one: Cell | None) -> str:
    if one is None:
        return "-"
    text = cell(one.figure)
    repeats = f" ({len(one.runs)} runs)" if len(one.runs) > 1 else ""
    return f"**{text}**{repeats}" if one.best else f"{text}{repeats}"


def _notes(table: BoardTable) -> Iterator[str]:
    """What the figure is, and in what the columns of one kind of material differ."""
    definition = table.sample.settings.get("definition")
    if definition:
        yield f"{table.figure}: {definition}"
    for column in table.columns:
        if column.unlike:
            title = table.titles[column.group, column.number]
            yield f"{title} was measured otherwise than (1): {'; '.join(column.unlike)}"


def _section_notes(section: BoardSection) -> list[str]:
    notes = [f"Not matched, {line}" for line in section.unmatched]
    notes += [f"Left out: {line}" for line in section.left_out]
    if section.unplaced and section.tables:
        notes.append(f"{section.unplaced} runs do not state their {section.by} and are left out.")
    return notes


def _rows(board: Board) -> list[tuple[str, str]]:
    """Every row with its runs, and what makes it differ from its namesakes."""
    told: dict[str, str] = {}
    for info in (*board.makers, *board.codecs):
        runs = ", ".join(f"{board.runs[run]} ({run[:8]})" for run in info.runs)
        params = ", ".join(f"{name} = {value}" for name, value in list(info.told.items())[:TOLD])
        if len(info.told) > TOLD:
            params += f" and {len(info.told) - TOLD} more"
        told.setdefault(info.name, f"{runs}; {params}" if params else runs)
    return list(told.items())


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _without_doubles(lines: list[str]) -> Iterator[str]:
    """Lines without a second empty one in a row."""
    before = "x"
    for line in lines:
        if line or before:
            yield line
        before = line
