"""What an evaluation leaves: a folder under ``results/runs`` and an MLflow run, as a run does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from workbench.api.settings import Slot
from workbench.api.types import Skipped
from workbench.evaluation.groups import break_down, labels
from workbench.evaluation.table import ResultTable
from workbench.pipeline.evaluate.items import FileSystem, ItemFiles
from workbench.pipeline.listening import ListeningItem, Version
from workbench.pipeline.report import PAGE, RunReport, StageReport, write_plots, write_report
from workbench.pipeline.store import content_key
from workbench.pipeline.tracked import track_audio, track_items
from workbench.recipe.schema import TrackingSection
from workbench.tracking import Tracker, environment_tags


@dataclass(frozen=True)
class Evaluated:
    """What is evaluated.

    ``source`` says in plain JSON values what it is; ``tags`` go to MLflow; ``parent`` is the MLflow
    run that it belongs to; ``metrics`` are taken where nobody says which.
    """

    name: str
    description: str
    systems: Sequence[FileSystem]
    source: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    parent: str = ""
    metrics: Sequence[Slot] = ()


class EvaluationRecord:
    """Keeps one evaluation; made again from the same settings, it goes on with the same folder."""

    def __init__(
        self,
        evaluated: Evaluated,
        settings: Mapping[str, Any],
        results: Path,
        tracking: TrackingSection,
    ) -> None:
        self.evaluated = evaluated
        self.recipe = {
            "name": evaluated.name,
            "source": dict(evaluated.source),
            **settings,
        }
        key = content_key(self.recipe)[:8]
        self.folder = results / "runs" / f"{evaluated.name}-{key}"
        self.by = list(settings["evaluation"]["by"])
        self.facts: dict[str, Any] = {
            "id": self.folder.name,
            "name": evaluated.name,
            "kind": "evaluation",
            "seed": settings["seed"],
            "skipped": [asdict(entry) for entry in evaluated.skipped],
            "models": {},  # it has none of its own, and trained nothing
            "stages": {},
        }
        self.tracker = Tracker(results, tracking.uri, tracking.experiment)
        self.tags = {"workbench.kind": "evaluation", **evaluated.tags, **tracking.tags}

    def __enter__(self) -> EvaluationRecord:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(self.recipe, sort_keys=False, allow_unicode=True)
        (self.folder / "recipe.yaml").write_text(text)
        path = self.folder / "run.json"
        known = json.loads(path.read_text()).get("mlflow_run_id", "") if path.exists() else ""
        if not known or not self.tracker.resume(known):
            known = self.tracker.start(
                self.folder.name, self.recipe, self.tags, self.evaluated.parent
            )
        self.facts["mlflow_run_id"] = known
        self._write("running")
        self.tracker.log_file(self.folder / "recipe.yaml")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            failed = isinstance(error, Exception)
            self._write("failed" if failed else "interrupted")
            self.tracker.finish("FAILED" if failed else "KILLED")

    def finish(self, table: ResultTable, stages: Sequence[StageReport]) -> RunReport:
        """Write the report, send everything to MLflow and close the run."""
        report = self._report(table, stages)
        write_report(report)
        plots = write_plots(report, self.folder / "plots")
        self.facts["left_out"] = [asdict(entry) for entry in table.left_out]
        self._write("finished")
        self.tracker.log_table(table)
        for figure in [f for row in table.rows for f in row.figures.values()][:1]:
            reference = str(figure.settings["reference"])
            self.tracker.log_dataset(self.evaluated.name, reference, self.evaluated.source)
        for breakdown in report.breakdowns:
            self.tracker.log_breakdown(breakdown)
        track_items(self.tracker, {item.id: item.example for item in self._items})
        track_audio(self.tracker, list(report.items))
        for plot in plots:
            self.tracker.log_file(plot, "plots")
        self.tracker.log_file(self.folder / PAGE)
        self.tracker.finish()
        return report

    @property
    def _items(self) -> Sequence[ItemFiles]:
        return self.evaluated.systems[0].items

    def _report(self, table: ResultTable, stages: Sequence[StageReport]) -> RunReport:
        examples = {item.id: item.example for item in self._items}
        versions = environment_tags().items()
        return RunReport(
            title=self.folder.name,
            folder=self.folder,
            description=self.evaluated.description,
            table=table,
            breakdowns=[break_down(table, name, labels(examples, name)) for name in self.by],
            items=self._heard(),
            stages=stages,
            skipped=self.evaluated.skipped,
            recipe=(self.folder / "recipe.yaml").read_text(),
            versions={
                key.removeprefix("version."): value
                for key, value in versions
                if key.startswith("version.")
            },
        )

    def _heard(self) -> list[ListeningItem]:
        """Every item with every system's file."""
        heard = []
        for number, item in enumerate(self._items):
            versions = [
                Version(system.name, system.role, system.items[number].generated)
                for system in self.evaluated.systems
            ]
            title = item.example.caption or item.example.text or item.id
            heard.append(ListeningItem(item.id, title, versions, item.prompt))
        return heard

    def _write(self, status: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        record = {**self.facts, "status": status, "updated": now}
        (self.folder / "run.json").write_text(json.dumps(record, indent=1))
