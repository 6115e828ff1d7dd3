"""Matched arms: one recipe, run with each arm's changes and each seed, then compared in pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.evaluation.arms import ArmComparison, compare_arms
from workbench.evaluation.table import Role
from workbench.host.catalog import Catalog
from workbench.pipeline.comparison import COMPARED, Run, find_run
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.record import run_folder
from workbench.recipe.load import load_recipe, to_dict, to_yaml
from workbench.recipe.schema import AblationSection, Recipe
from workbench.tracking import Tracker, environment_tags

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
    """One figure of one system: every later arm against the first."""

    figure: str
    system: str
    role: Role
    comparisons: Mapping[str, ArmComparison]


@dataclass(frozen=True)
class HeldOutScalar:
    """A held-out scalar at the end of a training, by arm and seed; it has no interval."""

    stage: str
    name: str
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Outcome:
    """What an ablation found; ``runs`` holds each arm's runs by seed."""

    ablation: Ablation
    runs: Mapping[str, Sequence[Run]]
    figures: Sequence[ArmFigure]
    scalars: Sequence[HeldOutScalar]


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
    first = runs[ablation.arms[0]]
    figures = []
    for row in [row for role in COMPARED for row in first[0].table.of_role(role)]:
        for name, figure in row.figures.items():
            if figure.per_item is None:
                continue
            comparisons = _against_first(ablation.arms, runs, row.system, name)
            figures.append(ArmFigure(name, row.system, row.role, comparisons))
    return Outcome(ablation, runs, figures, held_out_scalars(runs))


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


def _against_first(
    arms: Sequence[str], runs: Mapping[str, Sequence[Run]], system: str, name: str
) -> dict[str, ArmComparison]:
    first = [run.table.figure(system, name) for run in runs[arms[0]]]
    return {
        arm: compare_arms(first, [run.table.figure(system, name) for run in runs[arm]])
        for arm in arms[1:]
    }


class AblationRecord:
    """The ablation's own MLflow run, parent of the arms' runs."""

    def __init__(self, ablation: Ablation) -> None:
        section = ablation.runs[0].recipe.tracking
        results = Path(ablation.runs[0].recipe.results)
        self.note = ablation.folder / "mlflow.txt"
        self.tracker = Tracker(results, section.uri, section.experiment)
        known = self.note.read_text().strip() if self.note.exists() else ""
        if not (known and self.tracker.resume(known)):
            recipe = to_dict(ablation.runs[0].recipe)
            params = {k: v for k, v in recipe.items() if k not in ("results", "tracking", "name")}
            tags = {**environment_tags(), "workbench.ablation": ablation.name}
            known = self.tracker.start(f"ablation {ablation.name}", params, tags)
        ablation.folder.mkdir(parents=True, exist_ok=True)
        self.note.write_text(known)
        self.id = known

    def finish(self, outcome: Outcome, page: Path) -> None:
        """Log the comparisons and the page, and close the run."""
        for figure in outcome.figures:
            for arm, found in figure.comparisons.items():
                seeds = len(found.by_seed)  # more seeds are another point of the same curve
                self.tracker.log_step("ablation", seeds, _metrics(figure, arm, found))
        self.tracker.flush()
        for path in (page, page.with_suffix(".json"), page.with_suffix(".md")):
            self.tracker.log_file(path)
        choices = {arm: dict(chosen) for arm, chosen in outcome.ablation.choices.items()}
        self.tracker.log_text(yaml.safe_dump(choices, sort_keys=False), "arms.yaml")
        self.tracker.finish()

    def fail(self) -> None:
        """Close the run as failed."""
        self.tracker.finish("FAILED")


def _metrics(figure: ArmFigure, arm: str, found: ArmComparison) -> dict[str, float]:
    base = f"{figure.figure}/{figure.system}/{arm}"
    values = {
        f"{base}/first": found.first,
        f"{base}/second": found.second,
        f"{base}/difference": found.difference,
        f"{base}/difference_low": found.difference_interval.low,
        f"{base}/difference_high": found.difference_interval.high,
    }
    if found.ratio is not None and found.ratio_interval is not None:
        values[f"{base}/ratio"] = found.ratio
        values[f"{base}/ratio_low"] = found.ratio_interval.low
        values[f"{base}/ratio_high"] = found.ratio_interval.high
    return values


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
