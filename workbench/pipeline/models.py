"""Model stages: build the recipe's encoders and codec, and train what the recipe wants trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from workbench.api.errors import RecipeError
from workbench.api.protocols import (
    Codec,
    PretrainedTask,
    SemanticEncoder,
    Task,
    TrainableCodec,
    TrainableEncoder,
)
from workbench.api.settings import TrainingSettings
from workbench.api.types import Sequence, Split
from workbench.audio.dataset import AudioDataset
from workbench.codec.fewer import use_codebooks
from workbench.lm.config import LMConfig
from workbench.lm.drawing import SequenceDrawer
from workbench.lm.storage import build_model, load_model, save_model
from workbench.lm.training import LMTrainee, score_sequences, sequence_batches
from workbench.lm.transformer import TransformerLM
from workbench.pipeline.corpus import require_split
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.features import prepare_fit, teacher_inputs
from workbench.pipeline.store import StageFolder, weights_key
from workbench.pipeline.tokens import TokenizedSplit
from workbench.recipe.schema import CodecSlot, EncoderSlot

CODEC_KEY = "codec.txt"
"""Beside a language model's weights: the key of the codec whose codes it knows."""


@dataclass(frozen=True)
class BuiltCodec:
    """The codec and the slot that it can be built from again, trained weights included."""

    slot: CodecSlot
    model: Codec

    def at_bandwidth(self) -> BuiltCodec:
        """The same codec with only as many codebooks as the recipe uses."""
        return replace(self, model=use_codebooks(self.model, self.slot.codebooks))


@dataclass(frozen=True)
class Teacher:
    """A semantic encoder as the codec gets it: its slot in the recipe and the built model."""

    slot: EncoderSlot
    encoder: SemanticEncoder


def build_teachers(experiment: Experiment) -> tuple[Teacher, ...]:
    """The recipe's semantic encoders, as their options have them; none for the acoustic control."""
    context = experiment.context()
    return tuple(
        Teacher(slot, context.build("semantic_encoder", slot.name, slot.options))
        for slot in experiment.recipe.encoders
    )


def train_teachers(
    experiment: Experiment, teachers: tuple[Teacher, ...], data: AudioDataset, corpus_key: str
) -> tuple[Teacher, ...]:
    """The same encoders, those with ``training.steps`` above 0 trained on the corpus."""
    return tuple(
        _train_teacher(experiment, teacher, data, corpus_key)
        if teacher.slot.training.steps
        else teacher
        for teacher in teachers
    )


def _train_teacher(
    experiment: Experiment, teacher: Teacher, data: AudioDataset, corpus_key: str
) -> Teacher:
    slot, encoder = teacher.slot, teacher.encoder
    if not isinstance(encoder, TrainableEncoder):
        raise RecipeError([f"encoder {slot.name!r} can't be trained: set encoder.training.steps=0"])
    require_split(data, "train", f"training the encoder {slot.name!r}")
    inputs = {
        "encoder": experiment.identity("semantic_encoder", slot, encoder),
        "training": training_inputs(slot.training),
        "corpus": corpus_key,
        "seed": experiment.recipe.seed,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        session = experiment.session(folder, slot.training, f"encoder/{slot.name}")
        encoder.pretrain(data, session)
        if session.rank == 0:
            encoder.save(folder.path / "weights")
        return {"steps": slot.training.steps}

    stage = experiment.stage(f"encoder/{slot.name}", inputs, build, parallel=True)
    options = {**slot.options, "weights": str(stage.path / "weights")}
    trained = experiment.context().build("semantic_encoder", slot.name, options)
    return Teacher(replace(slot, options=options), trained)


def build_codec(
    experiment: Experiment, slot: CodecSlot, teachers: tuple[Teacher, ...]
) -> BuiltCodec:
    """A codec fed by ``teachers``."""
    encoders = tuple((t.slot.name, t.encoder, t.slot.weight) for t in teachers)
    model = experiment.context(encoders).build("codec", slot.name, slot.options)
    return BuiltCodec(slot, model)


def train_codec(
    experiment: Experiment,
    built: BuiltCodec,
    teachers: tuple[Teacher, ...],
    data: AudioDataset,
    corpus_key: str,
) -> BuiltCodec:
    """The codec, trained on the corpus where ``codec.training.steps`` is above 0."""
    slot, codec = built.slot, built.model
    if not slot.training.steps:
        return built
    if not isinstance(codec, TrainableCodec):
        raise RecipeError([f"codec {slot.name!r} can't be trained: set codec.training.steps=0"])
    trainable: TrainableCodec = codec
    require_split(data, "train", f"training the codec {slot.name!r}")
    heard = {"teachers": teacher_inputs(teachers), "corpus": corpus_key}
    inputs = {
        **heard,
        "codec": experiment.identity("codec", slot, codec),
        "teacher_weights": [teacher.slot.weight for teacher in teachers],
        "training": training_inputs(slot.training),
        "seed": experiment.recipe.seed,
    }
    trained = experiment.store.stage("codec", inputs).done
    fit = None if trained else prepare_fit(experiment, trainable, slot.training, data, heard)

    def build(folder: StageFolder) -> dict[str, object]:
        assert fit is not None  # where it is trained, nothing is built
        session = experiment.session(folder, slot.training, "codec")
        fit(session)
        if session.rank == 0:
            trainable.save(folder.path / "weights")
        return {"steps": slot.training.steps, "parameters": count_parameters(trainable)}

    stage = experiment.stage("codec", inputs, build, parallel=True)
    options = {**slot.options, "weights": str(stage.path / "weights")}
    return build_codec(experiment, replace(slot, options=options), teachers)


@dataclass(frozen=True)
class LanguageModels:
    """The task's language models by role, and the stages that hold them."""

    by_role: Mapping[str, TransformerLM]
    stages: Mapping[str, StageFolder]


def language_model_configs(
    experiment: Experiment, task: Task, codec: Codec
) -> Mapping[str, LMConfig]:
    """The task's language models by role, at the recipe's sizes."""
    sizes = experiment.recipe.lm.model
    return task.language_models(codec, LMConfig.of(sizes, codec.num_codebooks, codec.codebook_size))


def train_language_models(
    experiment: Experiment,
    task: Task,
    tokens: Mapping[Split, TokenizedSplit],
    tokens_key: str,
    codec: Codec,
) -> LanguageModels:
    """The task's language models, trained on the training split's codes."""
    models, stages = {}, {}
    configs = language_model_configs(experiment, task, codec)
    if unknown := set(experiment.recipe.lm.steps) - set(configs):
        roles = ", ".join(configs)
        raise RecipeError([f"lm.steps.{role}: the task's models are {roles}" for role in unknown])
    for role, config in configs.items():
        stage = _train_language_model(experiment, task, role, config, tokens, tokens_key, codec)
        models[role] = load_model(stage.path / "weights", experiment.device)
        stages[role] = stage
    return LanguageModels(models, stages)


def _train_language_model(
    experiment: Experiment,
    task: Task,
    role: str,
    config: LMConfig,
    tokens: Mapping[Split, TokenizedSplit],
    tokens_key: str,
    codec: Codec,
) -> StageFolder:
    recipe = experiment.recipe
    section = recipe.lm
    settings, snapshots = section.training_of(role), section.snapshots_of(role)
    codec_key = weights_key(codec)
    start = starting_weights(task, section.init, role, codec_key)
    inputs = {
        "task": experiment.identity("task", recipe.task),
        "role": role,
        "config": asdict(config),
        "training": training_inputs(settings),
        "init": weights_key(start and load_model(start)),
        "tokens": tokens_key,
        "seed": recipe.seed,
        **({"snapshots": snapshots} if snapshots else {}),
        **({"pool": section.pool} if section.pool > 1 else {}),
    }

    def build(folder: StageFolder) -> dict[str, object]:
        session = experiment.session(folder, settings, f"lm/{role}")
        model = build_model(config, recipe.seed, start).to(session.device)
        local = session.round_batch_size // session.world
        shard = (session.rank, session.world)
        batches = sequence_batches(
            task, role, tokens["train"], model, local, recipe.seed, shard, section.pool
        )
        held_out = validation_sequences(task, role, tokens["validation"], recipe.seed)
        validate = (lambda: held_out_loss(model, held_out)) if held_out else None
        keep = {
            steps: partial(save_model, model, snapshot_folder(folder, steps))
            for steps in snapshots
            if session.rank == 0
        }
        trainee = LMTrainee(model, settings)
        session.fit(trainee, batches, validate=validate, keep=keep)
        if session.rank == 0:
            save_model(model, folder.path / "weights")
            (folder.path / "weights" / CODEC_KEY).write_text(codec_key)
        return {"steps": settings.steps, "parameters": count_parameters(model)}

    return experiment.stage(f"lm/{role}", inputs, build, parallel=True)


def snapshot_folder(stage: StageFolder, steps: int) -> Path:
    """Where a language model lies as it was after so many steps of its training."""
    return stage.path / "snapshots" / str(steps)


VALIDATION_SEQUENCES = 32
"""Held-out sequences that a language model is scored on while it trains."""


def validation_sequences(task: Task, role: str, items: TokenizedSplit, seed: int) -> list[Sequence]:
    """The first validation items' sequences, the same at every look."""
    if not items:
        return []
    rng = np.random.default_rng(seed)
    drawer = SequenceDrawer(task, role, items)
    drawn = (drawer.of(i, rng) for i in range(min(len(items), VALIDATION_SEQUENCES)))
    return [sequence for sequence in drawn if sequence is not None]


def held_out_loss(model: TransformerLM, sequences: list[Sequence]) -> dict[str, float]:
    """Mean negative log-likelihood of a held-out token, in nats."""
    scores = score_sequences(model, sequences)
    nats = sum(sum(score.nats) for score in scores)
    return {"loss": nats / sum(sum(score.tokens) for score in scores)}


def starting_weights(task: Task, init: str, role: str, codec_key: str) -> Path | None:
    """The folder that a language model starts from; None for a start from scratch.

    Codes of two codecs mean different things, so weights that know another codec's are refused.
    """
    if init == "scratch":
        return None
    if init == "embedded" and not isinstance(task, PretrainedTask):
        raise RecipeError(["lm.init = 'embedded': this task ships no language model; use scratch"])
    folder = task.weights if isinstance(task, PretrainedTask) and init == "embedded" else Path(init)
    folder = folder / role if (folder / role).is_dir() else folder
    known = folder / CODEC_KEY
    if not known.exists():
        raise RecipeError(
            [f"lm.init = {init!r}: {folder} holds no language model of the workbench"]
        )
    if known.read_text() != codec_key:
        raise RecipeError(
            [f"lm.init = {init!r}: was trained on another codec's codes; use lm.init=scratch"]
        )
    return folder


UNFELT = ("checkpoint_seconds", "log_every", "validate_every", "health_every")
"""Training settings that leave the result as it is."""


def training_inputs(settings: TrainingSettings) -> dict[str, Any]:
    """The training settings that change the result."""
    return {k: v for k, v in asdict(settings).items() if k not in UNFELT}


def count_parameters(model: Any) -> int:
    """Number of weights; 0 for what is no torch module."""
    return sum(p.numel() for p in model.parameters()) if isinstance(model, nn.Module) else 0
