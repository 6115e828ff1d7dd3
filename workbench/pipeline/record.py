"""A run's folder under ``results/runs`` and its MLflow run: recipe, curves, figures, audio."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench.audio.dataset import AudioDataset
from workbench.evaluation.table import ResultTable
from workbench.pipeline.experiment import Experiment, process_rank
from workbench.pipeline.generation import SYSTEMS, Generated
from workbench.pipeline.models import BuiltCodec, LanguageModels, Teacher
from workbench.pipeline.store import content_key
from workbench.pipeline.trained import describe_models
from workbench.recipe.load import to_dict, to_yaml
from workbench.tracking import Tracker
from workbench.training.session import Listener

logger = logging.getLogger("workbench.pipeline")

TRACKED_ITEMS = 3
"""Items whose audio is kept with the MLflow run; the run's folder has them all."""


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

    def __enter__(self) -> RunRecord:
        if not self.main:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "recipe.yaml").write_text(to_yaml(self.experiment.recipe))
        self._open_tracker()
        self.experiment.on_step = self._listener
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
            self._write("failed" if failed else "interrupted")
            self.tracker.finish("FAILED" if failed else "KILLED")

    def corpus(self, data: AudioDataset) -> None:
        """Note what the corpus holds and what was skipped."""
        self.facts["skipped"] = [asdict(entry) for entry in data.skipped]
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

    def results(self, output: Generated, table: ResultTable) -> None:
        """Keep the table, and link the audio."""
        if not self.main:
            return
        (self.folder / "table.json").write_text(table.to_json())
        (self.folder / "table.md").write_text(table.to_markdown())
        link = self.folder / "audio"
        link.unlink(missing_ok=True)
        link.symlink_to((output.folder / "audio").resolve())
        self.tracker.log_table(table)
        for request in output.requests[:TRACKED_ITEMS]:
            for system in ("prompt", *SYSTEMS):
                path = output.audio_path(system, request)
                self.tracker.log_file(path, f"audio/{path.stem}/{path.parent.name}")

    def finish(self) -> Path:
        """Send what the training stages logged, and close the run; returns its folder."""
        if self.main:
            histories = self._histories()
            (self.folder / "history.json").write_text(json.dumps(histories))
            for stage, lines in histories.items():
                self.tracker.log_history(stage, lines)
            self._write("finished")
            self.tracker.finish()
        return self.folder

    def _open_tracker(self) -> None:
        recipe = self.experiment.recipe
        section = recipe.tracking
        self.tracker = Tracker(Path(recipe.results), section.uri, section.experiment)
        path = self.folder / "run.json"
        known = json.loads(path.read_text()).get("mlflow_run_id", "") if path.exists() else ""
        if not (known and self.tracker.resume(known)):
            parts = {"codec": recipe.codec, "encoder": recipe.encoder, "task": recipe.task}
            tags = {f"workbench.{part}": slot.name for part, slot in parts.items()}
            tags |= {"workbench.recipe": recipe.name, "workbench.seed": str(recipe.seed)}
            params = {k: v for k, v in to_dict(recipe).items() if k not in ("results", "tracking")}
            all_tags = {**tags, **section.tags}
            known = self.tracker.start(self.folder.name, params, all_tags, self.parent)
        self.facts["mlflow_run_id"] = known
        self.tracker.log_file(self.folder / "recipe.yaml")

    def _listener(self, stage: str) -> Listener:
        return self.tracker.listener(stage)

    def _histories(self) -> dict[str, list[dict[str, Any]]]:
        """Each training stage's logged steps, of this run or of the one that it is reused from."""
        found = {}
        for name, stage in self.experiment.stages.items():
            path = stage.path / "history.jsonl"
            if path.exists():
                found[name] = [json.loads(line) for line in path.read_text().splitlines()]
        return found

    def _write(self, status: str) -> None:
        stages = {
            name: {"folder": str(stage.path), **(stage.summary if stage.done else {})}
            for name, stage in self.experiment.stages.items()
        }
        record = {
            **self.facts,
            "status": status,
            "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "models": self.models,
            "stages": stages,
            "reused": sorted(self.experiment.reused),
        }
        (self.folder / "run.json").write_text(json.dumps(record, indent=1))


def run_folder(experiment: Experiment) -> Path:
    """A recipe's own folder below ``results/runs``: its name and a hash of what it says."""
    recipe = experiment.recipe
    said = {k: v for k, v in to_dict(recipe).items() if k not in ("results", "tracking", "threads")}
    return Path(recipe.results) / "runs" / f"{recipe.name}-{content_key(said)[:8]}"
