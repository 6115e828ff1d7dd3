"""Matched arms: one recipe, run with each arm's changes and each seed, then compared in pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.types import Figure
from workbench.evaluation.arms import ArmComparison, beyond, compare_arms
from workbench.evaluation.groups import break_down, labels
from workbench.evaluation.table import ResultTable, Role
from workbench.host.catalog import Catalog
from workbench.pipeline.comparison import COMPARED, Run, find_run
from workbench.pipeline.evaluate.of_run import noted_examples
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.learning import FILE as LEARNING
from workbench.pipeline.learning import LearningCurve
from workbench.pipeline.record import run_folder
from workbench.pipeline.systems import GENERATED, ROUND_TRIP
from workbench.recipe.load import load_recipe, to_yaml
from workbench.recipe.schema import AblationSection, Recipe

FOLDER = "ablations"
"""Below ``results``: a folder for each ablation."""


@dataclass(frozen=True)
class ArmRun:
    """One run to be made: an arm with a seed, as a recipe of its own in ``path``."""

    arm: str
    seed: int
    recipe: Recipe
    path: Path

    @property
    def title(self) -> str:
        """How people tell it apart."""
        return f"{self.arm}, seed {self.seed}"


@dataclass(frozen=True)
class Ablation:
    """All runs of an ablation, arm by arm, and its folder."""

    name: str
    folder: Path
    choices: Mapping[str, Mapping[str, Any]]
    runs: tuple[ArmRun, ...]

    @property
    def arms(self) -> list[str]:
        """The arms' names; the first is what the others are compared with."""
        return list(self.choices)


@dataclass(frozen=True)
class ArmFigure:
    """One figure of one system: every later arm against the first.

    ``pairs`` holds the later arms against each other, each by its own name and the other's.
    """

    figure: str
    system: str
    role: Role
    comparisons: Mapping[str, ArmComparison]
    pairs: Mapping[tuple[str, str], ArmComparison] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """How many items it was scored on."""
        return next(iter(self.comparisons.values())).items


@dataclass(frozen=True)
class HeldOutScalar:
    """A held-out scalar at the end of a training, by arm and seed; it has no interval."""

    stage: str
    name: str
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class ArmCurve:
    """One figure over the language models' training: at each point, every later arm and the first.

    ``headline`` is the number of steps of the finished models, which all else is of.
    """

    figure: str
    points: Mapping[int, Mapping[str, ArmComparison]]
    headline: int


@dataclass(frozen=True)
class ArmGroups:
    """An ablation's figures by group of items, as the recipe's ``evaluation.by`` has them."""

    by: str
    figures: Mapping[str, Sequence[ArmFigure]]


@dataclass(frozen=True)
class Outcome:
    """What an ablation found; ``runs`` holds each arm's runs by seed."""

    ablation: Ablation
    runs: Mapping[str, Sequence[Run]]
    figures: Sequence[ArmFigure]
    scalars: Sequence[HeldOutScalar]
    curves: Sequence[ArmCurve] = ()
    groups: Sequence[ArmGroups] = ()
    left_out: Sequence[str] = ()


def plan_ablation(
    path: Path,
    overrides: Sequence[str],
    over: Mapping[str, list[Any]],
    seeds: int | None,
    catalog: Catalog,
) -> Ablation:
    """The runs that the recipe at ``path`` asks for; ``over`` and ``seeds`` go before its own."""
    base = load_recipe(path, overrides, catalog)
    section = base.ablation
    if over:
        section = AblationSection(over=dict(over), seeds=section.seeds)
    choices = section.choices()
    if len(choices) < 2:
        raise RecipeError(
            [
                "ablation: at least two arms are needed; state ablation.over or ablation.arms in "
                "the recipe, or give --over encoder.name=none,hubert"
            ],
            source=str(path),
        )
    folder = Path(base.results) / FOLDER / base.name
    runs = []
    for arm, chosen in choices.items():
        changes = [f"{key}={json.dumps(value)}" for key, value in chosen.items()]
        recipe = load_recipe(path, [*overrides, *changes], catalog)
        for seed in range(base.seed, base.seed + (section.seeds if seeds is None else seeds)):
            name = f"{base.name}-{file_name(arm)}-seed{seed}"
            seeded = replace(recipe, name=name, seed=seed, ablation=AblationSection())
            runs.append(ArmRun(arm, seed, seeded, folder / "recipes" / f"{name}.yaml"))
    return Ablation(base.name, folder, choices, tuple(runs))


def file_name(arm: str) -> str:
    """An arm's name as part of a file's."""
    return "".join(c if c.isalnum() else "-" for c in arm).strip("-")


def write_recipes(ablation: Ablation, parent: str, threads: int, devices: Sequence[str]) -> None:
    """Write each run's recipe, with its share of the machine and the MLflow run it belongs to."""
    for number, run in enumerate(ablation.runs):
        recipe = run.recipe
        tags = {
            **recipe.tracking.tags,
            "mlflow.parentRunId": parent,
            "workbench.ablation": ablation.name,
            "workbench.arm": run.arm,
        }
        placed = replace(
            recipe,
            threads=threads or recipe.threads,
            device=devices[number % len(devices)] if devices else recipe.device,
            tracking=replace(recipe.tracking, tags=tags),
        )
        run.path.parent.mkdir(parents=True, exist_ok=True)
        run.path.write_text(to_yaml(placed), encoding="utf-8")


def gather(ablation: Ablation, catalog: Catalog) -> Outcome:
    """Compare the arms' finished runs: figures with a score for each item, results and ceilings."""
    runs: dict[str, list[Run]] = {arm: [] for arm in ablation.arms}
    for run in ablation.runs:
        written = load_recipe(run.path, [], catalog)
        folder = run_folder(Experiment(written, catalog, written.device))
        runs[run.arm].append(find_run(str(folder), Path(written.results)))
    tables = {arm: [run.table for run in group] for arm, group in runs.items()}
    figures, unpaired = arm_figures(tables)
    absent = sorted({line for group in tables.values() for t in group for line in t.absences()})
    if unpaired and not figures:
        raise WorkbenchError(
            "the runs of the arms were not scored on the same items, so that they can't be paired"
        )
    by = ablation.runs[0].recipe.evaluation.by if figures else ()
    return Outcome(
        ablation,
        runs,
        figures,
        held_out_scalars(runs),
        arm_curves(runs),
        arm_groups(tables, by, runs[ablation.arms[0]][0].folder),
        left_out=[*absent, *unpaired],
    )


ArmTables = Mapping[str, Sequence[ResultTable]]
"""By arm, the tables of its runs."""


def arm_figures(tables: ArmTables) -> tuple[list[ArmFigure], list[str]]:
    """The arms compared in all figures with a score for each item; in words, which could not be.

    A result's figure also counts beyond each run's own round trip, where that was scored too.
    """
    figures, unpaired = [], []
    first = next(iter(tables))
    for row in [row for role in COMPARED for row in tables[first][0].of_role(role)]:
        for name, figure in row.figures.items():
            if figure.per_item is None:
                continue
            if not _same_items(tables, [row.system], name):
                unpaired.append(
                    f"{name} of “{row.system}”: the runs don't have it for the same items"
                )
                continue
            found = [_figures(tables, row.system, name)]
            if row.system == GENERATED and _same_items(tables, [row.system, ROUND_TRIP], name):
                found.append(_beyond(tables, row.system, name))
            figures += [
                ArmFigure(
                    arms[first][0].name, row.system, row.role, _against_first(arms), _pairs(arms)
                )
                for arms in found
            ]
    return figures, unpaired


def arm_groups(tables: ArmTables, by: Sequence[str], folder: Path) -> list[ArmGroups]:
    """The arms compared over each group of items; the run in ``folder`` tells of its items.

    What a group has of one item alone is left out, since no interval tells how far it is by chance.
    """
    made = []
    for name in by:
        groups = labels(noted_examples(folder), name)
        broken = {
            arm: [break_down(table, name, groups).tables for table in several]
            for arm, several in tables.items()
        }
        figures = {}
        for group in sorted(set(groups.values())):
            found, _ = arm_figures({arm: [t[group] for t in ts] for arm, ts in broken.items()})
            figures[group] = [figure for figure in found if figure.items > 1]
        made.append(ArmGroups(name, figures))
    return made


def arm_curves(runs: Mapping[str, Sequence[Run]]) -> list[ArmCurve]:
    """Each figure over the language models' training, where the arms kept the same snapshots."""
    files = {arm: [run.folder / LEARNING for run in group] for arm, group in runs.items()}
    if not all(path.exists() for paths in files.values() for path in paths):
        return []
    curves = {
        arm: [LearningCurve.from_json(p.read_text()) for p in ps] for arm, ps in files.items()
    }
    steps = next(iter(curves.values()))[0].steps
    if any(curve.steps != steps for group in curves.values() for curve in group):
        return []  # an arm that is trained for another time has no points in common
    tables = {arm: [curve.table for curve in group] for arm, group in curves.items()}
    one = next(iter(tables.values()))[0]
    *_, last = steps
    made = []
    for name, figure in one.row(last).figures.items():
        if figure.per_item is None or not _same_items(tables, list(steps), name):
            continue
        alike = _same_items(tables, [*steps, ROUND_TRIP], name)
        ways = [_figures, _beyond] if alike else [_figures]
        for way in ways:
            found = {row: way(tables, row, name) for row in steps}
            points = {at: _against_first(found[row]) for row, at in steps.items()}
            title = next(iter(found[last].values()))[0].name
            made.append(ArmCurve(title, points, steps[last]))
    return made


def held_out_scalars(runs: Mapping[str, Sequence[Run]]) -> list[HeldOutScalar]:
    """The last held-out scalars of trainings that all arms have (a teacher's only some have)."""
    ends = {arm: [_last_scalars(run) for run in group] for arm, group in runs.items()}
    everywhere = [end for group in ends.values() for end in group]
    common = [key for key in everywhere[0] if all(key in end for end in everywhere)]
    return [
        HeldOutScalar(*key, {arm: [end[key] for end in group] for arm, group in ends.items()})
        for key in common
    ]


def _last_scalars(run: Run) -> dict[tuple[str, str], float]:
    """Each stage's scalars on held-out data, the last ones logged."""
    history = json.loads((run.folder / "history.json").read_text())
    return {
        (stage, name): float(curve[-1][1])
        for stage, curves in history.items()
        for name, curve in curves.items()
        if name.rpartition("/")[2].startswith("validation_")
    }


ArmFigures = Mapping[str, list[Figure]]
"""By arm, a figure of each of its runs."""


def _same_items(tables: ArmTables, systems: Sequence[str], name: str) -> bool:
    """Whether every run has this figure of all these systems, for one and the same items.

    Some figures are of those items only where something was heard.
    """
    rows = [table.row(system).figures for t in tables.values() for table in t for system in systems]
    items = {frozenset(row[name].per_item or {}) if name in row else None for row in rows}
    return len(items) == 1 and None not in items


def _figures(tables: ArmTables, system: str, name: str) -> ArmFigures:
    return {arm: [t.figure(system, name) for t in group] for arm, group in tables.items()}


def _beyond(tables: ArmTables, system: str, name: str) -> ArmFigures:
    """The figure beyond each run's own round trip."""
    return {
        arm: [beyond(t.figure(system, name), t.figure(ROUND_TRIP, name)) for t in group]
        for arm, group in tables.items()
    }


def _against_first(figures: ArmFigures) -> dict[str, ArmComparison]:
    """Every later arm against the first."""
    first, *later = figures
    return {arm: compare_arms(figures[first], figures[arm]) for arm in later}


def _pairs(figures: ArmFigures) -> dict[tuple[str, str], ArmComparison]:
    """The later arms against each other."""
    _, *later = figures
    return {(a, b): compare_arms(figures[a], figures[b]) for a, b in combinations(later, 2)}


def failures(ablation: Ablation, statuses: Mapping[str, int]) -> None:
    """Raise where runs failed, naming them and where they say why."""
    failed = [run for run in ablation.runs if statuses[run.title] != 0]
    if failed:
        lines = "".join(f"\n  - {run.title}: {log_path(run)}" for run in failed)
        raise WorkbenchError(
            f"{len(failed)} of {len(ablation.runs)} runs failed; their logs say why:{lines}\n"
            "The same command again goes on where they stopped."
        )


def log_path(run: ArmRun) -> Path:
    """Where a run's output goes."""
    return run.path.with_suffix(".log")
