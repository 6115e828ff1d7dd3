"""A run's folder under ``results/runs`` and its MLflow run: recipe, curves, figures, audio."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from workbench.api.protocols import Codec
from workbench.api.types import Example, Skipped
from workbench.audio.dataset import AudioDataset
from workbench.evaluation.groups import Breakdown, break_down, labels
from workbench.evaluation.table import ResultTable
from workbench.pipeline.evaluate.of_run import note_items
from workbench.pipeline.experiment import Experiment, process_rank
from workbench.pipeline.generation import Generated
from workbench.pipeline.guidance import FILE as GUIDANCE_FILE
from workbench.pipeline.guidance import GuidanceSweep
from workbench.pipeline.health import has_history, run_health, summaries
from workbench.pipeline.learning import FILE as LEARNING_FILE
from workbench.pipeline.learning import LearningCurve
from workbench.pipeline.listening import ListeningItem, Version
from workbench.pipeline.models import BuiltCodec, LanguageModels, Teacher
from workbench.pipeline.plots import CodebookUse
from workbench.pipeline.report import (
    PAGE,
    RunReport,
    StageReport,
    read_history,
    write_plots,
    write_report,
)
from workbench.pipeline.store import content_key
from workbench.pipeline.tokens import TokenizedSplit
from workbench.pipeline.tracked import track_audio, track_items
from workbench.pipeline.trained import describe_models
from workbench.recipe.load import to_dict, to_yaml
from workbench.tracking import Tracker, environment_tags
from workbench.training.doctor.diagnosis import Health, health_json, health_markdown
from workbench.training.doctor.findings import Finding
from workbench.training.session import Alarm, Listener

logger = logging.getLogger("workbench.pipeline")


class RunRecord:
    """Fills a run's folder and its MLflow run while the run goes on.

    A recipe that is run again goes on with the same folder and the same MLflow run. Only the first
    of several processes writes anything.
    """

    def __init__(self, experiment: Experiment, parent: str = "") -> None:
        self.experiment = experiment
        self.parent = parent
        self.folder = run_folder(experiment)
        self.main = process_rank() == 0
        self.facts: dict[str, Any] = {
            "id": self.folder.name,
            "name": experiment.recipe.name,
            "recipe": experiment.recipe.name,
            "seed": experiment.recipe.seed,
            "sampling": asdict(experiment.recipe.lm.sampling),
        }
        self.models: dict[str, Any] = {}
        self.skipped: tuple[Skipped, ...] = ()
        self.table = ResultTable(())
        self.breakdowns: list[Breakdown] = []
        self.items: list[ListeningItem] = []
        self.examples: dict[str, Example] = {}
        self.codebooks: CodebookUse | None = None
        self.curve: LearningCurve | None = None
        self.sweep: GuidanceSweep | None = None

    def __enter__(self) -> RunRecord:
        if not self.main:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "recipe.yaml").write_text(to_yaml(self.experiment.recipe))
        self._open_tracker()
        self.experiment.on_step = self._listener
        self.experiment.on_finding = self._alarm
        self._write("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.main:
            failed = isinstance(error, Exception)
            healths = run_health(self._histories())
            self._write("failed" if failed else "interrupted", healths)
            self._track_health(healths)
            self.tracker.finish("FAILED" if failed else "KILLED")

    def corpus(self, data: AudioDataset) -> None:
        """Note what the corpus holds and what was skipped."""
        self.skipped = data.skipped
        if self.main:
            for entry in data.skipped:
                logger.warning("skipped %s: %s", entry.id, entry.reason)
            slot = self.experiment.recipe.corpus
            self.tracker.log_dataset(slot.name, data.fingerprint, slot.options)

    def codec(self, teachers: tuple[Teacher, ...], codec: BuiltCodec) -> None:
        """Note the models that codes are made with."""
        self.models = describe_models(teachers, codec, self.experiment.recipe.task, {})

    def language_models(self, models: LanguageModels) -> None:
        """Note the task's models."""
        folders = {role: str(stage.path / "weights") for role, stage in models.stages.items()}
        self.models["language_models"] = folders

    def tokens(self, split: TokenizedSplit, codec: Codec) -> None:
        """Note how the codec uses its codebooks on held-out recordings."""
        self.codebooks = codebook_use(split, codec.codebook_size)

    def results(self, output: Generated, table: ResultTable) -> None:
        """Note the table, and link the audio."""
        if not self.main:
            return
        link = self.folder / "audio"
        link.unlink(missing_ok=True)
        link.symlink_to((output.folder / "audio").resolve())
        note_items(output, self.folder)
        self.table = table
        self.examples = {request.id: request.example for request in output.requests}
        self.breakdowns = [
            break_down(table, name, labels(self.examples, name))
            for name in self.experiment.recipe.evaluation.by
        ]
        self.items = [
            ListeningItem(
                id=request.id,
                title=request.example.caption or request.example.text or request.id,
                versions=[
                    Version(name, role, self._linked(output.audio_path(name, request)))
                    for name, role in output.roles.items()
                ],
                prompt=self._linked(path) if (path := output.prompt_path(request)) else None,
            )
            for request in output.requests
        ]

    def guidance(self, sweep: GuidanceSweep | None) -> None:
        """Note how results depend on the guidance scale, where the recipe asks for several."""
        self.sweep = sweep

    def learning(self, curve: LearningCurve | None) -> None:
        """Note how the results came about, where the recipe keeps snapshots."""
        self.curve = curve

    def finish(self) -> RunReport:
        """Write the report, send everything to MLflow and close the run."""
        report = self._report()
        if self.main:
            write_report(report)
            plots = write_plots(report, self.folder / "plots")
            self._write("finished", report.healths)
            self._track(report, plots)
        return report

    def _report(self) -> RunReport:
        experiment = self.experiment
        stages = [
            StageReport(name, float(stage.summary["seconds"]), name in experiment.reused)
            for name, stage in experiment.stages.items()
        ]
        versions = {
            key.removeprefix("version."): value
            for key, value in environment_tags().items()
            if key.startswith("version.")
        }
        return RunReport(
            title=self.folder.name,
            folder=self.folder,
            description=experiment.recipe.description,
            table=self.table,
            breakdowns=self.breakdowns,
            items=self.items,
            losses={name: read_history(path) for name, path in self._histories().items()},
            codebooks=self.codebooks,
            learning=self.curve,
            guidance=self.sweep,
            healths=run_health(self._histories()),
            stages=stages,
            skipped=self.skipped,
            recipe=to_yaml(experiment.recipe),
            versions=versions,
        )

    def _track(self, report: RunReport, plots: list[Path]) -> None:
        tracker = self.tracker
        for stage, path in self._histories().items():
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            tracker.log_history(stage, lines)
        if report.table.columns or report.table.left_out:
            tracker.log_table(report.table)
        for breakdown in report.breakdowns:
            tracker.log_breakdown(breakdown)
        if report.guidance is not None:
            tracker.log_file(self.folder / GUIDANCE_FILE)
        if report.learning is not None:
            for row, steps in report.learning.steps.items():
                figures = report.learning.table.row(row).figures
                values = {name: figure.value for name, figure in figures.items()}
                tracker.log_step("learning", steps, values)
            tracker.log_file(self.folder / LEARNING_FILE)
        self._track_health(report.healths)
        if self.examples:
            track_items(tracker, self.examples)
            track_audio(tracker, self.items)
        for plot in plots:
            tracker.log_file(plot, "plots")
        tracker.log_file(self.folder / PAGE)
        tracker.finish()

    def _track_health(self, healths: Sequence[Health]) -> None:
        self.tracker.tag(summaries(healths))
        self.tracker.log_text(health_markdown(healths), "doctor/health.md")

    def _linked(self, path: Path) -> Path:
        """A path of the generation stage as seen through the run folder's link."""
        return self.folder / "audio" / path.parent.name / path.name

    def _open_tracker(self) -> None:
        recipe = self.experiment.recipe
        section = recipe.tracking
        self.tracker = Tracker(Path(recipe.results), section.uri, section.experiment)
        path = self.folder / "run.json"
        known = json.loads(path.read_text()).get("mlflow_run_id", "") if path.exists() else ""
        if known and self.tracker.resume(known):
            self.tracker.tag(section.tags)
        else:
            parts = {"codec": recipe.codec, "encoder": recipe.encoder, "task": recipe.task}
            tags = {f"workbench.{part}": slot.name for part, slot in parts.items()}
            tags |= {"workbench.recipe": recipe.name, "workbench.seed": str(recipe.seed)}
            params = {k: v for k, v in to_dict(recipe).items() if k not in ("results", "tracking")}
            all_tags = {**tags, **section.tags}
            known = self.tracker.start(self.folder.name, params, all_tags, self.parent)
        self.facts["mlflow_run_id"] = known
        self.tracker.log_file(self.folder / "recipe.yaml")

    def _listener(self, stage: str) -> Listener:
        self._write("running")  # so that a run that is killed now has noted the stage
        return self.tracker.listener(stage)

    def _alarm(self, stage: str) -> Alarm:
        """Puts what the doctor finds on the MLflow run at once."""
        heard: list[str] = []

        def alarm(finding: Finding) -> None:
            heard.append(f"{finding.complaint.severity}: {finding.sentence}")
            self.tracker.tag({f"doctor.{stage}": "; ".join(heard)})

        return alarm

    def _histories(self) -> dict[str, Path]:
        """Each training stage's logged steps, of this run or of the one that it is reused from."""
        paths = {n: s.path / "history.jsonl" for n, s in self.experiment.stages.items()}
        return {name: path for name, path in paths.items() if has_history(path.parent)}

    def _write(self, status: str, healths: Sequence[Health] = ()) -> None:
        stages = {
            name: {"folder": str(stage.path), **(stage.summary if stage.done else {})}
            for name, stage in self.experiment.stages.items()
        }
        record = {
            **self.facts,
            "status": status,
            "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "models": self.models,
            "skipped": [asdict(entry) for entry in self.skipped],
            "left_out": [asdict(entry) for entry in self.table.left_out],
            "stages": stages,
            "health": [health_json(health) for health in healths],
            "reused": sorted(self.experiment.reused),
        }
        (self.folder / "run.json").write_text(json.dumps(record, indent=1))


def run_folder(experiment: Experiment) -> Path:
    """A recipe's own folder below ``results/runs``: its name and a hash of what it says."""
    recipe = experiment.recipe
    said = {k: v for k, v in to_dict(recipe).items() if k not in ("results", "tracking", "threads")}
    return Path(recipe.results) / "runs" / f"{recipe.name}-{content_key(said)[:8]}"


def codebook_use(split: TokenizedSplit, size: int) -> CodebookUse | None:
    """Share of entries that occur in a split, and their perplexity, level by level."""
    codes = [item.codes for item in split]
    if not codes:
        return None
    used, perplexity = [], []
    for level in torch.cat(codes, dim=-1):
        shares = torch.bincount(level, minlength=size).double() / level.numel()
        present = shares[shares > 0]
        used.append(len(present) / size)
        perplexity.append(float((-(present * present.log()).sum()).exp()))
    return CodebookUse(used, perplexity, size)
