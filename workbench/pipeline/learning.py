"""How a run's results come about: the figures of the language models' snapshots.

All points are of one training, with one schedule: a snapshot is no model that was trained for so
few steps and has come to rest. What its weights still swing is averaged out where
``lm.training.ema_decay`` is set; the last point is the finished model itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workbench.api.protocols import Codec, Task
from workbench.evaluation.runner import System
from workbench.evaluation.table import ResultTable
from workbench.lm.generators import generator_for
from workbench.lm.storage import load_model
from workbench.pipeline.choosing import answered_items
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.generation import Generated
from workbench.pipeline.held_out import HeldOut, hear_alone
from workbench.pipeline.models import LanguageModels, snapshot_folder
from workbench.pipeline.scoring import metric_slots, score_systems
from workbench.pipeline.store import StageFolder
from workbench.pipeline.systems import GENERATED, GROUND_TRUTH, ROUND_TRIP, SystemAudio

FILE = "learning.json"
"""In a run's folder, where its recipe keeps snapshots."""


@dataclass(frozen=True)
class LearningCurve:
    """Figures over the same items: truth, the codec's round trip, and a row for each point.

    ``steps`` are the points' numbers of training steps by the name of their row, rising.
    """

    table: ResultTable
    steps: Mapping[str, int]

    def to_json(self) -> str:
        """All of it, scores of single items included."""
        return json.dumps({"steps": self.steps, "table": json.loads(self.table.to_json())})

    @classmethod
    def from_json(cls, text: str) -> LearningCurve:
        """What :meth:`to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(ResultTable.from_json(json.dumps(data["table"])), data["steps"])

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Each figure's value by steps."""
        return {
            name: [(at, self.table.figure(row, name).value) for row, at in self.steps.items()]
            for name in self.table.columns
        }


def score_snapshots(
    experiment: Experiment,
    task: Task,
    models: LanguageModels,
    held_out: HeldOut,
    codec: Codec,
    output: Generated,
) -> LearningCurve | None:
    """The figures of every snapshot and of the finished models; None where none are kept."""
    recipe = experiment.recipe
    if not recipe.lm.snapshots:
        return None
    slots = metric_slots(experiment, task)
    count = min(recipe.evaluation.snapshot_items, len(held_out.requests))
    inputs = {
        "generation": output.key,
        "metrics": [experiment.identity("metric", slot) for slot in slots],
        "snapshots": recipe.lm.snapshots,
        "sampling": asdict(recipe.lm.sampling),
        "items": count,
        "evaluation": experiment.stages["evaluation"].key,
    }
    steps = {f"{GENERATED}, {n} steps": n for n in (*recipe.lm.snapshots, recipe.lm.training.steps)}

    def build(folder: StageFolder) -> dict[str, object]:
        requests = list(held_out.requests[:count])
        heard = [hear_alone(r, held_out, codec, experiment.device) for r in requests]
        audio = SystemAudio(requests, held_out.data, codec, experiment.device, recipe.seed)
        finished = output.items(GENERATED)[:count]
        systems = [
            System(GROUND_TRUTH, "truth", output.items(GROUND_TRUTH)[:count]),
            System(ROUND_TRIP, "ceiling", output.items(ROUND_TRIP)[:count]),
        ]
        for row, number in steps.items():
            items = finished
            if number != recipe.lm.training.steps:
                generators = _snapshot(experiment, models, number)
                items = answered_items(
                    task, generators, heard, finished, recipe.seed, audio.decoded
                )
            systems.append(System(row, "result", items))
        curve = LearningCurve(score_systems(experiment, slots, systems), steps)
        (folder.path / FILE).write_text(curve.to_json())
        return {"items": count}

    stage = experiment.stage("learning", inputs, build)
    return LearningCurve.from_json((stage.path / FILE).read_text())


def _snapshot(experiment: Experiment, models: LanguageModels, steps: int) -> Mapping[str, Any]:
    """What generates with the models as they were after ``steps``."""
    section = experiment.recipe.lm
    generators = {}
    for role, stage in models.stages.items():
        kept = section.snapshots_of(role)
        model = load_model(snapshot_folder(stage, steps), experiment.device) if kept else None
        generators[role] = generator_for(model or models.by_role[role], section.sampling)
    return generators
