"""A run's folder under ``results/runs``: recipe, figures, models and audio, for people."""

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
from workbench.pipeline.generation import Generated
from workbench.pipeline.models import BuiltCodec, LanguageModels, Teacher
from workbench.pipeline.store import content_key
from workbench.pipeline.trained import describe_models
from workbench.recipe.load import to_dict, to_yaml

logger = logging.getLogger("workbench.pipeline")


class RunRecord:
    """Fills a run's folder while the run goes on."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        recipe = experiment.recipe
        identity = {k: v for k, v in to_dict(recipe).items() if k not in ("results", "tracking")}
        self.folder = Path(recipe.results) / "runs" / f"{recipe.name}-{content_key(identity)[:8]}"
        self.facts: dict[str, Any] = {
            "id": self.folder.name,
            "recipe": recipe.name,
            "seed": recipe.seed,
            "sampling": asdict(recipe.lm.sampling),
        }
        self.models: dict[str, Any] = {}

    def __enter__(self) -> RunRecord:
        self.folder.mkdir(parents=True, exist_ok=True)
        if process_rank() == 0:
            (self.folder / "recipe.yaml").write_text(to_yaml(self.experiment.recipe))
            self._write("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and process_rank() == 0:
            self._write("failed" if isinstance(error, Exception) else "interrupted")

    def corpus(self, data: AudioDataset) -> None:
        """Note what the corpus holds and what was skipped."""
        self.facts["skipped"] = [asdict(entry) for entry in data.skipped]

    def codec(self, teachers: tuple[Teacher, ...], codec: BuiltCodec) -> None:
        """Note the models that codes are made with."""
        self.models = describe_models(teachers, codec, self.experiment.recipe.task, {})

    def language_models(self, models: LanguageModels) -> None:
        """Note the task's models."""
        folders = {role: str(stage.path / "weights") for role, stage in models.stages.items()}
        self.models["language_models"] = folders

    def results(self, output: Generated, table: ResultTable) -> None:
        """Keep the table, and link the audio."""
        if process_rank() != 0:
            return
        (self.folder / "table.json").write_text(table.to_json())
        (self.folder / "table.md").write_text(table.to_markdown())
        link = self.folder / "audio"
        link.unlink(missing_ok=True)
        link.symlink_to((output.folder / "audio").resolve())

    def finish(self) -> Path:
        """Mark the run as finished; returns its folder."""
        if process_rank() == 0:
            self._write("finished")
        return self.folder

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
