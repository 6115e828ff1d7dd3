"""The page of a comparison: figures, differences, recipes' changes, audio side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.pipeline.comparison import (
    Comparison,
    Line,
    difference_text,
    listening_items,
    verdict,
)
from workbench.pipeline.listening import players
from workbench.pipeline.page import Card, card, render


def write_page(comparison: Comparison, path: Path) -> Path:
    """Write the comparison as one self-contained HTML page."""
    items = listening_items(comparison.runs)
    heard = players(items)
    page = render(
        "compare.html",
        comparison=comparison,
        cards=[_card(comparison, line) for line in comparison.lines],
        players=heard,
        unheard=len(items) - len(heard),
        later=list(zip(comparison.runs[1:], comparison.changes, strict=True)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _card(comparison: Comparison, line: Line) -> Card:
    """A figure of one system: a bar a run, the later ones with their difference from the first."""
    notes = [""]
    for gap, unlike in zip(line.differences, line.unlike, strict=True):
        words = f"{difference_text(gap)}, {verdict(gap)} ({gap.method}, N = {gap.n})"
        notes.append(words + (f". Not measured alike: {'; '.join(unlike)}" if unlike else ""))
    names = [(run.name, line.role) for run in comparison.runs]
    words = str(line.values[0].settings.get("definition", "95 % intervals"))
    made = card(line.values, names, notes, words)
    return replace(made, title=f"{made.title}, {line.system}")
