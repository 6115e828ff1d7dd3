"""A recipe from top to bottom: corpus, teachers, codec, tokens, language models, figures."""

from __future__ import annotations

import torch

from workbench.api.protocols import ReadingTask, Task
from workbench.host.catalog import Catalog
from workbench.pipeline.choosing import refuse_own_judge
from workbench.pipeline.corpus import prepare_corpus, require_split
from workbench.pipeline.experiment import Experiment, resolve_device
from workbench.pipeline.generation import check_depths, generate_held_out
from workbench.pipeline.guidance import check_guidance_scales, sweep_guidance
from workbench.pipeline.held_out import hold_out
from workbench.pipeline.learning import score_snapshots
from workbench.pipeline.models import (
    build_codec,
    build_teachers,
    train_codec,
    train_language_models,
    train_teachers,
)
from workbench.pipeline.record import RunRecord
from workbench.pipeline.report import RunReport
from workbench.pipeline.scoring import evaluate_generated, metric_slots
from workbench.pipeline.texts import read_texts
from workbench.pipeline.tokens import tokenize
from workbench.recipe.schema import Recipe


def run_recipe(recipe: Recipe, catalog: Catalog) -> RunReport:
    """Run every stage that the store does not hold yet, and record the run."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    experiment = Experiment(recipe, catalog, resolve_device(recipe.device))
    with RunRecord(experiment) as record:
        teachers = build_teachers(experiment)
        codec = build_codec(experiment, recipe.codec, teachers)
        data, corpus_key = prepare_corpus(experiment, codec.model)
        record.corpus(data)

        teachers = train_teachers(experiment, teachers, data, corpus_key)
        codec = build_codec(experiment, recipe.codec, teachers)
        codec = train_codec(experiment, codec, teachers, data, corpus_key).at_bandwidth()
        record.codec(teachers, codec)
        if not recipe.task.chosen:
            return record.finish()

        task: Task = experiment.context().build("task", recipe.task.name, recipe.task.options)
        require_split(data, "train", "training a language model")
        require_split(data, "test", "evaluating the task")
        check_depths(recipe.evaluation, codec.model)
        refuse_own_judge(task, metric_slots(experiment, task))
        check_guidance_scales(experiment, task, codec.model)
        tokens, tokens_key = tokenize(experiment, data, corpus_key, codec.model)
        record.tokens(tokens["test"], codec.model)
        if isinstance(task, ReadingTask):
            task.remember(read_texts(experiment, task, data))
        held_out = hold_out(experiment, task, tokens["test"], data, codec.model)
        models = train_language_models(experiment, task, tokens, tokens_key, codec.model)
        record.language_models(models)

        output = generate_held_out(experiment, task, models, held_out, codec.model)
        table = evaluate_generated(experiment, task, output, models.by_role)
        record.results(output, table)
        record.guidance(sweep_guidance(experiment, task, models, held_out, codec.model, output))
        record.learning(score_snapshots(experiment, task, models, held_out, codec.model, output))
        return record.finish()
