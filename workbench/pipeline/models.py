"""Model stages: build the recipe's encoders and codec, and train what the recipe wants trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench.api.errors import RecipeError
from workbench.api.protocols import Codec, SemanticEncoder, Task, TrainableCodec, TrainableEncoder
from workbench.api.types import Split
from workbench.audio.dataset import AudioDataset
from workbench.lm.config import LMConfig
from workbench.lm.storage import build_model, load_model, save_model
from workbench.lm.training import LMTrainee, sequence_batches
from workbench.lm.transformer import TransformerLM
from workbench.pipeline.corpus import require_split
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.store import StageFolder, weights_key
from workbench.pipeline.tokens import TokenizedSplit
from workbench.recipe.schema import EncoderSlot


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
        "training": training_inputs(slot),
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


def build_codec(experiment: Experiment, teachers: tuple[Teacher, ...]) -> Codec:
    """The recipe's codec, fed by ``teachers``."""
    slot = experiment.recipe.codec
    codec: Codec = codec_context(experiment, teachers).build("codec", slot.name, slot.options)
    return codec


def train_codec(
    experiment: Experiment,
    codec: Codec,
    teachers: tuple[Teacher, ...],
    data: AudioDataset,
    corpus_key: str,
) -> Codec:
    """The codec, trained on the corpus where ``codec.training.steps`` is above 0."""
    slot = experiment.recipe.codec
    if not slot.training.steps:
        return codec
    if not isinstance(codec, TrainableCodec):
        raise RecipeError([f"codec {slot.name!r} can't be trained: set codec.training.steps=0"])
    require_split(data, "train", f"training the codec {slot.name!r}")
    inputs = {
        "codec": experiment.identity("codec", slot, codec),
        "teachers": [
            {"name": t.slot.name, "weight": t.slot.weight, "weights": weights_key(t.encoder)}
            for t in teachers
        ],
        "training": training_inputs(slot),
        "corpus": corpus_key,
        "seed": experiment.recipe.seed,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        session = experiment.session(folder, slot.training, "codec")
        codec.fit(data, session)
        if session.rank == 0:
            codec.save(folder.path / "weights")
        return {"steps": slot.training.steps}

    stage = experiment.stage("codec", inputs, build, parallel=True)
    options = {**slot.options, "weights": str(stage.path / "weights")}
    trained: Codec = codec_context(experiment, teachers).build("codec", slot.name, options)
    return trained


def codec_context(experiment: Experiment, teachers: tuple[Teacher, ...]) -> Any:
    """What a codec is built with: the encoders with their names and loss weights."""
    encoders = tuple((t.slot.name, t.encoder, t.slot.weight) for t in teachers)
    return experiment.context(encoders)


def train_language_models(
    experiment: Experiment,
    task: Task,
    tokens: Mapping[Split, TokenizedSplit],
    tokens_key: str,
    codec: Codec,
) -> tuple[dict[str, TransformerLM], dict[str, str]]:
    """The task's language models by role, trained, and their stages' keys."""
    section = experiment.recipe.lm
    base = LMConfig.of(section.model, codec.num_codebooks, codec.codebook_size)
    models, keys = {}, {}
    for role, config in task.language_models(codec, base).items():
        stage = _train_language_model(experiment, task, role, config, tokens, tokens_key)
        models[role] = load_model(stage.path / "weights", experiment.device)
        keys[role] = stage.key
    return models, keys


def _train_language_model(
    experiment: Experiment,
    task: Task,
    role: str,
    config: LMConfig,
    tokens: Mapping[Split, TokenizedSplit],
    tokens_key: str,
) -> StageFolder:
    recipe = experiment.recipe
    section = recipe.lm
    start = None if section.init == "scratch" else Path(section.init)
    inputs = {
        "task": experiment.identity("task", recipe.task),
        "role": role,
        "config": asdict(config),
        "training": training_inputs(section),
        "init": weights_key(start and load_model(start)),
        "tokens": tokens_key,
        "seed": recipe.seed,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        session = experiment.session(folder, section.training, f"lm/{role}")
        model = build_model(config, recipe.seed, start).to(session.device)
        local = session.round_batch_size // session.world
        shard = (session.rank, session.world)
        batches = sequence_batches(task, role, tokens["train"], model, local, recipe.seed, shard)
        session.fit(LMTrainee(model, section.training), batches)
        if session.rank == 0:
            save_model(model, folder.path / "weights")
        return {"steps": section.training.steps, "parameters": count_parameters(model)}

    return experiment.stage(f"lm/{role}", inputs, build, parallel=True)


def training_inputs(slot: Any) -> dict[str, Any]:
    """The training settings that change the result; how often to save or log does not."""
    settings: dict[str, Any] = asdict(slot.training)
    return {k: v for k, v in settings.items() if k not in ("checkpoint_seconds", "log_every")}


def count_parameters(model: Any) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in model.parameters())
