"""Gathers the runs of an MLflow store into boards: codec by domain, codec by language."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.api.errors import WorkbenchError
from workbench.api.settings import Slot
from workbench.evaluation.board import BoardTable, Entry, tabulate
from workbench.evaluation.groups import UNSTATED, break_down
from workbench.evaluation.table import ResultTable, Role
from workbench.pipeline.tracked import TrackedRun

AXES = ("domain", "language")
"""What boards have in their columns unless other labels are asked for."""
ROLES: tuple[Role, ...] = ("result", "ceiling")
"""Systems that codecs are compared by: what was generated, and the codec's own round trip."""
CODEC_PARTS = ("codec", "encoder", "more_encoders")
"""Beginnings of the parameters that make a codec what it is."""
EVALUATED = ("source.codec", "source.run", "source.generated")
"""Beginnings of the parameters that tell what an evaluation was of."""
MAKING_PARTS = ("task", "lm")
"""Beginnings of the parameters that a result depends on beside the codec."""
SHOWN_CHANGES = 3
"""Most parameters in a row's name; where more differ, it bears its first run's name."""
VALUE_CHARACTERS = 24


@dataclass(frozen=True)
class RowInfo:
    """A row of a board: its runs, and the parameters that make it what it is.

    ``told`` holds those in which it differs from rows of the same codec.
    """

    name: str
    runs: tuple[str, ...]
    params: Mapping[str, str]
    told: Mapping[str, str]


@dataclass(frozen=True)
class BoardSection:
    """Tables with the same kind of column.

    ``left_out`` names figures that no two rows share, with the reason; ``unmatched`` says where
    results of a column were made otherwise than with another codec alone; ``unplaced`` counts runs
    that do not say what this board goes by.
    """

    by: str
    tables: tuple[BoardTable, ...]
    left_out: tuple[str, ...]
    unmatched: tuple[str, ...]
    unplaced: int


@dataclass(frozen=True)
class Board:
    """All sections, and what their rows are.

    ``codecs`` are the rows of ceilings; ``makers``, codecs with the models that generate from their
    codes, those of results. ``runs`` gives each run's name by id.
    """

    sections: tuple[BoardSection, ...]
    codecs: Sequence[RowInfo]
    makers: Sequence[RowInfo]
    runs: Mapping[str, str]


def make_board(
    runs: Sequence[TrackedRun],
    axes: Sequence[str] = AXES,
    figures: Sequence[str] = (),
    systems: Sequence[str] = (),
) -> Board:
    """Boards of ``runs``; ``figures`` and ``systems`` by name, or all that can be compared.

    Unless named, a figure is left out where no two codecs have it measured alike.
    """
    if not runs:
        raise WorkbenchError("no finished run with figures was found; run a recipe first")
    _check_names(runs, figures, systems)
    codecs = row_infos(runs, CODEC_PARTS)
    makers = row_infos(runs, (*CODEC_PARTS, *MAKING_PARTS))
    names = {
        "ceiling": {run: info.name for info in codecs for run in info.runs},
        "result": {run: info.name for info in makers for run in info.runs},
    }
    wanted = _chooser(figures, systems)
    sections = []
    for by in axes:
        entries = [entry for run in runs for entry in _entries(run, by, names) if wanted(entry)]
        placed = [entry for entry in entries if entry.group != UNSTATED]
        unplaced = {entry.run for entry in entries} - {entry.run for entry in placed}
        tables = tabulate(placed)
        shown = [table for table in tables if figures or table.compares] or tables
        section = BoardSection(
            by,
            tuple(shown),
            tuple(_why_left_out(table) for table in tables if table not in shown),
            tuple(dict.fromkeys(line for table in shown for line in _unmatched(table, makers))),
            len(unplaced),
        )
        sections.append(section)
    return Board(tuple(sections), codecs, makers, {run.id: run.name for run in runs})


def row_infos(runs: Sequence[TrackedRun], parts: Sequence[str]) -> list[RowInfo]:
    """Runs whose parameters agree but for the seed, row by row, with names of their own.

    A codec that was trained is another one on another corpus.
    """
    lots: dict[str, list[TrackedRun]] = {}
    chosen = {run.id: _identity(run.params, parts) for run in runs}
    for run in runs:
        lots.setdefault(json.dumps(chosen[run.id], sort_keys=True), []).append(run)
    plain: dict[str, list[str]] = {}
    for key, lot in lots.items():
        plain.setdefault(codec_name(lot[0]), []).append(key)
    infos = []
    for name, keys in plain.items():
        params = [chosen[lots[key][0].id] for key in keys]
        changing = _changing(params)
        for key, own in zip(keys, params, strict=True):
            told = {k: own.get(k, "") for k in changing}
            shown = {k: told[k] for k in _telling(params, changing)}
            full = _row_name(name, shown, lots[key][0].name)
            infos.append(RowInfo(full, tuple(run.id for run in lots[key]), own, told))
    return infos


def codec_name(run: TrackedRun) -> str:
    """A codec's plain name: the component's, and its semantic teachers'.

    An evaluation's is what its tag says, or else, where it was of folders, its own.
    """
    params = run.params
    if "codec.name" not in params:
        return run.tags.get("workbench.codec", run.name)
    slots = [Slot(params["encoder.name"])] if "encoder.name" in params else []
    slots += [Slot(entry["name"]) for entry in json.loads(params.get("more_encoders", "[]"))]
    teachers = [slot.name for slot in slots if slot.chosen]
    return " + ".join([params["codec.name"], *teachers])


def _identity(params: Mapping[str, str], parts: Sequence[str]) -> dict[str, str]:
    """The parameters that tell rows apart, with the corpus where the codec was trained on it."""
    trained = params.get("codec.training.steps", "0") != "0"
    kept = (*parts, "corpus") if trained else tuple(parts)
    return {
        name: value
        for name, value in params.items()
        if name.split(".")[0] in kept or name.startswith(EVALUATED)
    }


def _changing(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of parameters in which any of several rows differ."""
    names = dict.fromkeys(name for own in params for name in own)
    return [name for name in names if len({own.get(name) for own in params}) > 1]


def _telling(params: Sequence[Mapping[str, str]], changing: Sequence[str]) -> Sequence[str]:
    """What rows' names state: all that changes.

    Of an evaluated codec the first parameter that tells all rows apart is enough, since the others
    (the key of its content, its teachers) follow from it.
    """
    evaluated = all(key.startswith(EVALUATED) for key in changing)
    for name in (key for key in changing if evaluated and not key.endswith("_key")):
        values = {own.get(name, "") for own in params}
        if len(values) == len(params) and all(0 < len(v) <= VALUE_CHARACTERS for v in values):
            return [name]
    return changing


def _row_name(name: str, told: Mapping[str, str], run: str) -> str:
    if len(told) > SHOWN_CHANGES:
        return f"{name} ({run})"
    leaves = [key.rsplit(".", 1)[-1] for key in told]
    short = len(set(leaves)) == len(leaves)
    keys = leaves if short else list(told)
    parts = [f"{key}={_short(value)}" for key, value in zip(keys, told.values(), strict=True)]
    return f"{name} ({', '.join(parts)})" if parts else name


def _short(value: str) -> str:
    return value if len(value) <= VALUE_CHARACTERS else f"{value[: VALUE_CHARACTERS - 1]}…"


def _why_left_out(table: BoardTable) -> str:
    """Why no two rows of a table stand side by side."""
    title = f"{table.figure} of “{table.system}”"
    fields = {entry.split(":")[0] for column in table.columns for entry in column.unlike}
    if fields:
        return f"{title}: no two codecs were measured alike ({', '.join(sorted(fields))})"
    return f"{title}: no two codecs have it on the same material"


def _unmatched(table: BoardTable, makers: Sequence[RowInfo]) -> Iterator[str]:
    """In which parameters, beside the codec's, the rows of a column differ, with the values."""
    params = {info.name: info.params for info in makers}
    for column in table.columns:
        own = {row: params[row] for row in column.cells if row in params and table.role == "result"}
        names = [n for n in _changing(list(own.values())) if n.split(".")[0] in MAKING_PARTS]
        for name in names:
            said = "; ".join(f"{row}: {_short(p.get(name, ''))}" for row, p in own.items())
            yield f"{table.titles[column.group, column.number]}: {name} ({said})"


def _check_names(
    runs: Sequence[TrackedRun], figures: Sequence[str], systems: Sequence[str]
) -> None:
    """Complain of names that no run has."""
    rows = [row for run in runs for row in run.table.rows]
    known = {
        "figure": {name for row in rows for name in row.figures},
        "system": {row.system for row in rows},
    }
    for kind, wanted in (("figure", figures), ("system", systems)):
        for name in wanted:
            if name not in known[kind]:
                there = ", ".join(sorted(known[kind]))
                raise WorkbenchError(f"no run has a {kind} {name!r}; there are: {there}")


def _chooser(figures: Sequence[str], systems: Sequence[str]) -> Callable[[Entry], bool]:
    def wanted(entry: Entry) -> bool:
        named = not figures or entry.figure.name in figures
        return named and (entry.system in systems if systems else entry.role in ROLES)

    return wanted


def _entries(run: TrackedRun, by: str, names: Mapping[str, Mapping[str, str]]) -> Iterator[Entry]:
    """A run's figures, group by group."""
    groups = run.groups(by)
    present = sorted(set(groups.values()))
    if len(present) < 2:
        whole = present[0] if present else run.tags.get(f"workbench.{by}", UNSTATED)
        tables: Mapping[str, ResultTable] = {whole: run.table}
    else:
        tables = break_down(run.table, by, groups).tables
    seed = int(run.params.get("seed", "0"))
    for group, table in tables.items():
        for row in table.rows:
            name = names["ceiling" if row.role == "ceiling" else "result"][run.id]
            for figure in row.figures.values():
                yield Entry(run.id, seed, name, row.system, row.role, group, figure)
