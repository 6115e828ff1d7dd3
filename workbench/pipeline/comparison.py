"""Puts runs side by side: which figures they share, and how far apart they are."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workbench.api.errors import UnknownRun, WorkbenchError
from workbench.api.types import Figure
from workbench.evaluation.provenance import differences
from workbench.evaluation.statistics import Difference, paired_difference
from workbench.evaluation.table import ResultTable, Role, number
from workbench.pipeline.listening import ListeningItem, Version, read_index

logger = logging.getLogger("workbench.pipeline")

COMPARED: tuple[Role, ...] = ("result", "ceiling")
"""Systems that runs are compared by; truth and floors are the same for all of them."""


BETTER, WORSE, UNCLEAR, SAME = "clearly better", "clearly worse", "no clear difference", "the same"
"""A later run's standing beside the first one."""


@dataclass(frozen=True)
class Run:
    """A run that has been measured, as its folder holds it."""

    name: str
    folder: Path
    record: dict[str, Any]
    recipe: dict[str, Any]
    table: ResultTable


@dataclass(frozen=True)
class Line:
    """One figure of one system over all runs.

    ``differences`` holds each later run minus the first; ``unlike`` names the fields of provenance
    in which a later run differs from the first.
    """

    figure: str
    system: str
    role: Role
    values: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    unlike: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Refusal:
    """A figure that is not put side by side.

    ``unlike`` names the fields of provenance in which ``run`` differs from the first one; where it
    is empty, ``run`` is too: some run lacks the figure.
    """

    figure: str
    system: str
    first: str
    run: str = ""
    unlike: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The refusal in words."""
        if not self.unlike:
            return f"{self.figure} of “{self.system}”: not every run has it"
        fields = ", ".join(self.unlike)
        return f"{self.figure} of “{self.system}”, {self.first} against {self.run}: {fields}"


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    ``refusals`` are the figures that were left out; ``changes`` tells which fields of a later run's
    recipe differ from the first's.
    """

    runs: tuple[Run, ...]
    lines: tuple[Line, ...]
    refusals: tuple[Refusal, ...]
    changes: tuple[tuple[str, ...], ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """Which figures were left out, and why, in words."""
        return tuple(refusal.sentence for refusal in self.refusals)


def find_run(name: str, results: Path) -> Run:
    """A run that has figures, by any name that :func:`find_folder` takes."""
    return _load(find_folder(name, results))


def find_folder(name: str, results: Path) -> Path:
    """A run by folder, by name below ``results/runs``, by MLflow run id, or by a name's beginning.

    Of several that begin so, the one that ran last is taken.
    """
    if (Path(name) / "run.json").exists():
        return Path(name).resolve()
    folders = sorted(path.parent for path in (results / "runs").glob("*/run.json"))
    found = [folder for folder in folders if folder.name == name]
    found = found or [f for f in folders if _record(f).get("mlflow_run_id") == name]
    found = found or [folder for folder in folders if folder.name.startswith(name)]
    if not found:
        names = ", ".join(folder.name for folder in folders) or "none"
        raise UnknownRun(f"there is no run {name!r} in {results / 'runs'}. Runs: {names}")
    newest = max(found, key=lambda folder: str(_record(folder).get("updated", "")))
    if len(found) > 1:
        logger.warning("%r fits %d runs; taking the newest, %s", name, len(found), newest.name)
    return newest


def compare_runs(runs: Sequence[Run], force: bool = False) -> Comparison:
    """Every figure that all runs have. Unlike ones are refused, or kept and marked by ``force``."""
    if len(runs) < 2:
        raise WorkbenchError("a comparison needs at least two runs")
    lines: list[Line] = []
    refused: list[Refusal] = []
    for row in [row for role in COMPARED for row in runs[0].table.of_role(role)]:
        for name in row.figures:
            line = _line(runs, row.system, row.role, name)
            if line is None:
                refused.append(Refusal(name, row.system, runs[0].name))
            elif any(line.unlike) and not force:
                refused += _refusals(runs, line)
            else:
                lines.append(line)
    if not lines:
        reasons = "\n".join(f"  - {r.sentence}" for r in refused) or "  - the runs have no figures"
        raise WorkbenchError(
            f"no figure of these runs can be put side by side:\n{reasons}\n"
            "--force does so all the same and marks what is unlike."
        )
    changes = [tuple(differences(runs[0].recipe, run.recipe)) for run in runs[1:]]
    return Comparison(tuple(runs), tuple(lines), tuple(refused), tuple(changes))


def listening_items(runs: Sequence[Run]) -> list[ListeningItem]:
    """The items that all runs have: the first run's truth, then each run's compared systems.

    What sounds the same in several runs (the round trip of a codec that they share) is one version.
    """
    indices = [{item.id: item for item in read_index(run.folder)} for run in runs]
    common = [item for key, item in indices[0].items() if all(key in i for i in indices[1:])]
    items = []
    for item in common:
        versions = [version for version in item.versions if version.role == "truth"]
        versions += _distinct({r.name: i[item.id] for r, i in zip(runs, indices, strict=True)})
        items.append(ListeningItem(item.id, item.title, versions, item.prompt))
    return items


def in_words(comparison: Comparison) -> list[str]:
    """How each later run stands beside the first, system by system, in plain words."""
    sentences = []
    for place in range(len(comparison.runs) - 1):
        for system in dict.fromkeys(line.system for line in comparison.lines):
            found: dict[str, list[str]] = {}
            for line in comparison.lines:
                if line.system == system:
                    mark = " (not measured alike)" if line.unlike[place] else ""
                    said = found.setdefault(verdict(line.differences[place]), [])
                    said.append(f"{line.figure}{mark}")
            order = (BETTER, WORSE, UNCLEAR, SAME)
            parts = [f"{words} on {', '.join(found[words])}" for words in order if words in found]
            sentences.append(f"Run {place + 2} against run 1, “{system}”: {'; '.join(parts)}.")
    return sentences


def difference_text(difference: Difference, gap: str = " ") -> str:
    """A difference with its sign and interval."""
    size = max(abs(difference.value), abs(difference.high - difference.low))
    low, high = number(difference.low, size), number(difference.high, size)
    sign = "+" if difference.value > 0 else ""
    return f"{sign}{number(difference.value, size)}{gap}[{low}, {high}]"


def verdict(difference: Difference) -> str:
    """A difference (later run minus first) in words."""
    if difference.value == difference.low == difference.high == 0:
        return SAME
    return {1: BETTER, 2: WORSE, None: UNCLEAR}[difference.better]


def _distinct(found: Mapping[str, ListeningItem]) -> list[Version]:
    """The compared systems' versions of one item by run, those of equal sound in one."""
    alike: dict[tuple[str, bytes], list[str]] = {}
    firsts: dict[tuple[str, bytes], Version] = {}
    for run, item in found.items():
        for version in item.versions:
            if version.role in COMPARED:
                key = version.system, hashlib.sha256(version.audio.read_bytes()).digest()
                alike.setdefault(key, []).append(run)
                firsts.setdefault(key, version)
    return [
        Version(
            f"{'all runs' if len(runs) == len(found) else ', '.join(runs)}: {system}",
            firsts[system, digest].role,
            firsts[system, digest].audio,
        )
        for (system, digest), runs in alike.items()
    ]


def _line(runs: Sequence[Run], system: str, role: Role, name: str) -> Line | None:
    """One line, or None where a run lacks the figure."""
    values = []
    for run in runs:
        row = next((row for row in run.table.rows if row.system == system), None)
        if row is None or name not in row.figures:
            return None
        values.append(row.figures[name])
    first = values[0]
    return Line(
        figure=name,
        system=system,
        role=role,
        values=tuple(values),
        differences=tuple(paired_difference(value, first) for value in values[1:]),
        unlike=tuple(tuple(differences(first.settings, v.settings)) for v in values[1:]),
    )


def _refusals(runs: Sequence[Run], line: Line) -> list[Refusal]:
    return [
        Refusal(line.figure, line.system, runs[0].name, run.name, fields)
        for run, fields in zip(runs[1:], line.unlike, strict=True)
        if fields
    ]


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return record


def _load(folder: Path) -> Run:
    path = folder / "table.json"
    if not path.exists():
        status = _record(folder).get("status", "unknown")
        raise WorkbenchError(f"run {folder.name!r} has no figures yet; its status is {status!r}")
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    table = ResultTable.from_json(path.read_text())
    return Run(folder.name, folder, _record(folder), recipe, table)
