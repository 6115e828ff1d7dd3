"""How results depend on the guidance scale: the same models, asked with several scales.

A scale above 1 follows the condition more closely and varies less; where the figures turn is a
matter of model and data, so that it is shown and not assumed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from workbench.api.errors import RecipeError
from workbench.api.protocols import Codec, Task
from workbench.evaluation.runner import System
from workbench.evaluation.table import ResultTable
from workbench.lm.generators import generator_for
from workbench.pipeline.choosing import answered_items
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.generation import Generated
from workbench.pipeline.held_out import HeldOut, hear_alone
from workbench.pipeline.models import LanguageModels, language_model_configs
from workbench.pipeline.scoring import metric_slots, score_systems
from workbench.pipeline.store import StageFolder
from workbench.pipeline.systems import (
    ANOTHER_ITEM,
    GENERATED,
    GROUND_TRUTH,
    ROUND_TRIP,
    SystemAudio,
)

FILE = "guidance.json"
"""In a run's folder, where its recipe asks for several scales."""


@dataclass(frozen=True)
class GuidanceSweep:
    """Figures over the same items: yardsticks, and a row for each scale.

    ``scales`` are the guidance scales by the name of their row, rising.
    """

    table: ResultTable
    scales: Mapping[str, float]

    def to_json(self) -> str:
        """All of it, scores of single items included."""
        return json.dumps({"scales": self.scales, "table": json.loads(self.table.to_json())})

    @classmethod
    def from_json(cls, text: str) -> GuidanceSweep:
        """What :meth:`to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(ResultTable.from_json(json.dumps(data["table"])), data["scales"])


def check_guidance_scales(experiment: Experiment, task: Task, codec: Codec) -> None:
    """Complain before the training where guidance is asked of a model that can't learn it."""
    recipe = experiment.recipe
    unlearnt = [
        role
        for role, config in language_model_configs(experiment, task, codec).items()
        if not config.condition_dropout
    ]
    asked = {
        "evaluation.guidance": recipe.evaluation.guidance,
        "lm.sampling.guidance_scale": [recipe.lm.sampling.guidance_scale],
    }
    problems = [
        f"{key} = {scales}: must be 1, since the language model {unlearnt[0]!r} is trained without "
        "condition dropout"
        for key, scales in asked.items()
        if unlearnt and any(scale != 1 for scale in scales)
    ]
    if problems:
        raise RecipeError(problems)


def sweep_guidance(
    experiment: Experiment,
    task: Task,
    models: LanguageModels,
    held_out: HeldOut,
    codec: Codec,
    output: Generated,
) -> GuidanceSweep | None:
    """The figures of every scale in ``evaluation.guidance``; None where there is none."""
    recipe = experiment.recipe
    if not recipe.evaluation.guidance:
        return None
    slots = metric_slots(experiment, task)
    count = min(recipe.evaluation.guidance_items, len(held_out.requests))
    scales = {f"{GENERATED}, guidance {s:g}": s for s in recipe.evaluation.guidance}
    inputs = {
        "generation": output.key,
        "evaluation": experiment.stages["evaluation"].key,
        "metrics": [experiment.identity("metric", slot) for slot in slots],
        "scales": recipe.evaluation.guidance,
        "sampling": asdict(recipe.lm.sampling),
        "items": count,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        heard = [
            hear_alone(request, held_out, codec, experiment.device)
            for request in held_out.requests[:count]
        ]
        audio = SystemAudio(
            held_out.requests[:count], held_out.data, codec, experiment.device, recipe.seed
        )
        systems = [
            System(GROUND_TRUTH, "truth", output.items(GROUND_TRUTH)[:count]),
            System(ROUND_TRIP, "ceiling", output.items(ROUND_TRIP)[:count]),
            System(ANOTHER_ITEM, "floor", output.items(ANOTHER_ITEM)[:count]),
        ]
        for row, scale in scales.items():
            sampling = replace(recipe.lm.sampling, guidance_scale=scale)
            generators = {r: generator_for(m, sampling) for r, m in models.by_role.items()}
            like = output.items(GENERATED)[:count]
            items = answered_items(task, generators, heard, like, recipe.seed, audio.decoded)
            systems.append(System(row, "result", items))
        sweep = GuidanceSweep(score_systems(experiment, slots, systems), scales)
        (folder.path / FILE).write_text(sweep.to_json())
        return {"items": count, "scales": len(scales)}

    stage = experiment.stage("guidance", inputs, build)
    return GuidanceSweep.from_json((stage.path / FILE).read_text())
