"""Evaluation stage: every metric on every system, and the model's perplexity of their codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workbench.api.errors import ModelAbsent
from workbench.api.protocols import Task
from workbench.api.settings import Slot
from workbench.api.types import Sequence as TokenSequence
from workbench.evaluation.provenance import metric_settings
from workbench.evaluation.runner import (
    System,
    evaluate,
    metric_entry,
    perplexity_figure,
    with_figure,
)
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable
from workbench.host.fields import plain
from workbench.lm.training import score_sequences
from workbench.lm.transformer import TransformerLM
from workbench.pipeline.evaluate.kept import metric_key
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.generation import Generated, at_limit
from workbench.pipeline.store import StageFolder
from workbench.pipeline.systems import (
    ANOTHER_ITEM,
    GENERATED,
    GROUND_TRUTH,
    SHUFFLED,
    reference,
    shuffle_codes,
)
from workbench.training.progress import StepProgress

logger = logging.getLogger("workbench.pipeline")


def evaluate_generated(
    experiment: Experiment,
    task: Task,
    output: Generated,
    models: Mapping[str, TransformerLM],
    arrived: Sequence[str] = (),
) -> ResultTable:
    """The table of figures: systems in rows.

    ``arrived`` names metrics whose model is here now, but was absent when a table that the store
    holds was made: that one is not used again.
    """
    slots = metric_slots(experiment, task)
    inputs = {
        "generation": output.key,
        "metrics": [metric_key(experiment.catalog, slot, experiment.recipe.seed) for slot in slots],
        **({"arrived": sorted(arrived)} if arrived else {}),
    }

    def build(folder: StageFolder) -> dict[str, object]:
        table = score_audio(experiment, slots, output)
        table = score_codes(experiment, table, output, models)
        table = score_ends(table, output, models)
        (folder.path / "table.json").write_text(table.to_json())
        return {"figures": len(table.columns)}

    stage = experiment.stage("evaluation", inputs, build)
    table = ResultTable.from_json((stage.path / "table.json").read_text())
    if "evaluation" in experiment.reused:
        absent = {entry.metric for entry in table.left_out}
        now = absent - _absent(experiment, [slot for slot in slots if slot.name in absent])
        if now:
            return evaluate_generated(experiment, task, output, models, [*arrived, *now])
    for sentence in table.absences():
        logger.warning("left out of the table: %s", sentence)
    return table


def _absent(experiment: Experiment, slots: list[Slot]) -> set[str]:
    """Those of the metrics whose model is absent still."""
    names = set()
    for slot in slots:
        try:
            experiment.context().build("metric", slot.name, slot.options)
        except ModelAbsent:
            names.add(slot.name)
    return names


def metric_slots(experiment: Experiment, task: Task) -> list[Slot]:
    """The recipe's metrics, or those that the task names, with every option filled in."""
    chosen = experiment.recipe.evaluation.metrics
    if chosen:
        return chosen
    slots = []
    for name in task.metrics:
        slots.append(Slot(name, plain(experiment.catalog.options("metric", name))))
    return slots


def score_audio(experiment: Experiment, slots: list[Slot], output: Generated) -> ResultTable:
    """Every metric on every system's audio."""
    systems = [System(name, role, output.items(name)) for name, role in output.roles.items()]
    return score_systems(experiment, slots, systems)


def score_systems(
    experiment: Experiment, slots: list[Slot], systems: Sequence[System]
) -> ResultTable:
    """Every metric on every system, with the progress shown."""
    context = experiment.context()
    entries = [metric_entry(context, slot) for slot in slots]
    total = len(entries) * sum(len(system.items) for system in systems)
    with StepProgress("metrics", 0, total) as progress:
        return evaluate(systems, entries, lambda _metric, _system, _done: progress.advance())


def score_codes(
    experiment: Experiment,
    table: ResultTable,
    output: Generated,
    models: Mapping[str, TransformerLM],
) -> ResultTable:
    """Add the perplexity that each language model gives to each system's codes."""
    generated = output.codes()
    truth = [reference(request) for request in output.requests]
    systems = {
        GROUND_TRUTH: truth,
        GENERATED: [generated[request.id] for request in output.requests],
        ANOTHER_ITEM: [*truth[1:], truth[0]],
        SHUFFLED: shuffle_codes(truth, experiment.recipe.seed),
    }
    for role, model in models.items():
        name = "token perplexity" if len(models) == 1 else f"token perplexity ({role})"
        for system, codes in systems.items():
            nats, tokens = _item_scores(model, output, codes)
            settings = {"metric": "token-perplexity", "codes": experiment.stages["tokens"].key}
            table = with_figure(table, system, perplexity_figure(name, nats, tokens, settings))
    return table


def score_ends(
    table: ResultTable, output: Generated, models: Mapping[str, TransformerLM]
) -> ResultTable:
    """Add the share of results that came to an end, where a model decides about that."""
    if not any(model.config.end_symbol for model in models.values()):
        return table
    cut = set(at_limit(output.requests, output.codes()))
    scores = {request.id: float(request.id not in cut) for request in output.requests}
    definition = "share of results that the model ended itself, before their length limit"
    settings = {"metric": "ended", **metric_settings(definition, version=1)}
    return with_figure(table, GENERATED, mean_figure("ended", scores, True, settings=settings))


def _item_scores(
    model: TransformerLM, output: Generated, codes: list[Tensor]
) -> tuple[dict[str, float], dict[str, int]]:
    """Nats and tokens of each item's codes after its prompt."""
    books = model.config.num_codebooks  # a task's model may be over the first ones alone
    sequences = [
        TokenSequence(
            torch.cat([r.prompt, c], dim=-1)[:books], r.condition, int(r.prompt.shape[-1])
        )
        for r, c in zip(output.requests, codes, strict=True)
    ]
    scores = score_sequences(model, sequences)
    ids = [request.id for request in output.requests]
    nats = {i: sum(score.nats) for i, score in zip(ids, scores, strict=True)}
    return nats, {i: sum(score.tokens) for i, score in zip(ids, scores, strict=True)}
