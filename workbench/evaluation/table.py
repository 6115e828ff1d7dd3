"""The table of results: systems in rows, figures in columns, yardsticks among the rows."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.api.errors import WorkbenchError
from workbench.api.types import Figure
from workbench.evaluation.statistics import clear_of

if TYPE_CHECKING:
    from rich.table import Table

Role = Literal["truth", "ceiling", "result", "floor"]
"""What a system is for: the truth itself, the best that the codec allows, what is being judged, or
what any result must beat."""

Outcome = Literal["better", "worse", "unclear", "blind"]

FORMAT = 1
"""Version of the JSON form."""


@dataclass(frozen=True)
class Row:
    """One system of a table with its figures by name; a figure may be missing where it has none."""

    system: str
    role: Role
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class LeftOut:
    """A metric that the table lacks, and why: its model is absent, or items lack what it needs."""

    metric: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """How a result stands against one floor on one figure.

    ``outcome`` is ``better`` or ``worse`` where the intervals don't overlap, else ``unclear``. It
    is ``blind`` where the truth itself is not clear of the floor: such a figure can't tell the two
    apart, so that nothing follows from a result's place beside that floor.
    """

    figure: str
    result: str
    floor: str
    outcome: Outcome


@dataclass(frozen=True)
class ResultTable:
    """All figures of all systems over the same items; ``left_out`` tells what can't be had here."""

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of all figures, in the order in which they first occur."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))

    def row(self, system: str) -> Row:
        """The row of a system."""
        for row in self.rows:
            if row.system == system:
                return row
        names = ", ".join(row.system for row in self.rows)
        raise WorkbenchError(f"the table has no system {system!r}; it has: {names}")

    def figure(self, system: str, name: str) -> Figure:
        """One figure of one system."""
        figures = self.row(system).figures
        if name not in figures:
            raise WorkbenchError(
                f"system {system!r} has no figure {name!r}; it has: {', '.join(figures)}"
            )
        return figures[name]

    def sample(self, name: str) -> Figure:
        """Any system's figure ``name``, for what they share: unit, direction, definition."""
        return next(row.figures[name] for row in self.rows if name in row.figures)

    def of_role(self, role: Role) -> list[Row]:
        """The rows that have a role."""
        return [row for row in self.rows if row.role == role]

    def verdicts(self) -> list[Verdict]:
        """Each result against each floor, on every figure that both have."""
        return [
            Verdict(name, result.system, floor.system, self._outcome(result, floor, name))
            for name in self.columns
            for result in self.of_role("result")
            for floor in self.of_role("floor")
            if name in result.figures and name in floor.figures
        ]

    def _outcome(self, result: Row, floor: Row, name: str) -> Outcome:
        one, two = result.figures[name], floor.figures[name]
        truths = [row.figures[name] for row in self.of_role("truth") if name in row.figures]
        if not all(clear_of(truth, two) for truth in truths):
            return "blind"
        if clear_of(one, two):
            return "better"
        return "worse" if clear_of(two, one) else "unclear"

    def to_json(self) -> str:
        """The whole table, scores of single items included."""
        rows = [
            {
                "system": row.system,
                "role": row.role,
                "figures": [_plain(figure) for figure in row.figures.values()],
            }
            for row in self.rows
        ]
        left_out = [dataclasses.asdict(entry) for entry in self.left_out]
        table = {"format": FORMAT, "rows": rows, "left_out": left_out}
        return json.dumps(table, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ResultTable:
        """The table that :meth:`to_json` wrote."""
        data = json.loads(text)
        if data.get("format") != FORMAT:
            raise WorkbenchError(f"a table of format {data.get('format')!r}; expected {FORMAT}")
        rows = []
        for row in data["rows"]:
            figures = [_figure(plain) for plain in row["figures"]]
            rows.append(Row(row["system"], row["role"], {f.name: f for f in figures}))
        left_out = data.get("left_out", [])  # tables of before have none
        return cls(tuple(rows), tuple(LeftOut(**entry) for entry in left_out))

    def to_csv(self) -> str:
        """One line for each figure of each system."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names = ["system", "role", "figure", "value", "low", "high", "n", "unit", "better"]
        writer.writerow(names)
        for row in self.rows:
            for f in row.figures.values():
                better = "higher" if f.higher_is_better else "lower"
                numbers = [f.value, f.low, f.high, f.n]
                writer.writerow([row.system, row.role, f.name, *numbers, f.unit, better])
        return out.getvalue()

    def to_markdown(self) -> str:
        """A table for documents, with the definitions of the figures below."""
        heads = [heading(self.sample(name)) for name in self.columns]
        lines = [
            "| system | " + " | ".join(heads) + " |",
            "|---|" + "---|" * len(heads),
        ]
        for row in self.rows:
            cells = [cell(row.figures.get(name)) for name in self.columns]
            role = "" if row.role == "result" else f" ({row.role})"
            lines.append(f"| {row.system}{role} | " + " | ".join(cells) + " |")
        notes = [f"- {name}: {text}" for name, text in self.definitions().items()]
        notes += [f"- left out: {sentence}" for sentence in self.absences()]
        return "\n".join([*lines, "", *notes]) + "\n"

    def absences(self) -> list[str]:
        """What is left out and why, a line for each metric."""
        return [f"{entry.metric}: {' '.join(entry.why.split())}" for entry in self.left_out]

    def definitions(self) -> dict[str, str]:
        """What each figure is, in its metric's words, with the number of items."""
        texts = {}
        for name in self.columns:
            figure = self.sample(name)
            words = figure.settings.get("definition", "")
            texts[name] = f"{words}{'; ' if words else ''}N = {figure.n}, 95 % intervals"
        return texts

    def to_rich(self, title: str | None = None) -> Table:
        """A table for the terminal: figures in rows, which may be many; systems in columns."""
        from rich.markup import escape
        from rich.table import Table as RichTable

        table = RichTable(title=title, title_justify="left", header_style="bold")
        table.add_column("figure")
        for row in self.rows:
            role = "" if row.role == "result" else f"\n({row.role})"
            style = "bold" if row.role == "result" else None
            table.add_column(escape(f"{row.system}{role}"), justify="right", style=style)
        for name in self.columns:
            cells = [cell(row.figures.get(name), "\n") for row in self.rows]
            table.add_row(escape(heading(self.sample(name))), *cells, end_section=True)
        return table


def heading(figure: Figure) -> str:
    """A column's heading: name, unit, and an arrow that points the better way."""
    unit = f" [{figure.unit}]" if figure.unit else ""
    return f"{figure.name}{unit} {'↑' if figure.higher_is_better else '↓'}"


def cell(figure: Figure | None, gap: str = " ") -> str:
    """A figure and its interval, rounded alike; a dash where there is none."""
    if figure is None:
        return "-"
    if math.isnan(figure.low):
        return number(figure.value, figure.value)
    scale = max(abs(figure.value), abs(figure.high - figure.low))
    low, high = number(figure.low, scale), number(figure.high, scale)
    return f"{number(figure.value, scale)}{gap}[{low}, {high}]"


def number(value: float, scale: float) -> str:
    """``value`` with about three significant digits of ``scale``."""
    if scale == 0 or not math.isfinite(scale):
        return f"{value:.3g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(scale))))
    return f"{value:.{decimals}f}" if decimals <= 6 else f"{value:.2e}"


def _plain(figure: Figure) -> dict[str, Any]:
    """A figure as JSON values; NaN (an unknown interval) becomes null."""
    plain = {f.name: getattr(figure, f.name) for f in dataclasses.fields(figure)}
    for end in ("low", "high"):
        plain[end] = None if math.isnan(plain[end]) else plain[end]
    return plain


def _figure(plain: Mapping[str, Any]) -> Figure:
    values = dict(plain)
    for end in ("low", "high"):
        values[end] = math.nan if values[end] is None else values[end]
    if values["replicates"] is not None:
        values["replicates"] = tuple(values["replicates"])
    return Figure(**values)
