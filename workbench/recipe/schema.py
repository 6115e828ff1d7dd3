"""What a recipe holds. Plain dataclasses with a docstring under each field; this is the reference.

Slots name components; which ones there are, and their options, `workbench plugins list` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from workbench.api.settings import (
    LMSizes,
    SamplingSettings,
    Slot,
    TrainingSettings,
    check,
    slot,
    slots,
)


@dataclass
class EncoderSlot(Slot):
    """A semantic encoder that teaches the codec."""

    weight: float = 1.0
    """Factor on the codec's semantic loss for this encoder."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    """Self-supervised training of the encoder before the codec's; `steps: 0` takes it as is."""

    def __post_init__(self) -> None:
        check(self.weight >= 0, "weight", self.weight, "at least 0")


@dataclass
class CodecSlot(Slot):
    """The codec."""

    training: TrainingSettings = field(default_factory=TrainingSettings)
    """Training of the codec; `steps: 0` takes it as is."""
    codebooks: int = 0
    """Use only this many of its codebooks, the first ones, once it is trained; 0 uses all."""

    def __post_init__(self) -> None:
        check(self.codebooks >= 0, "codebooks", self.codebooks, "at least 0")


@dataclass
class LMSection:
    """The language models of the task."""

    init: str = "scratch"
    """Weights to start from: `scratch`, `embedded` (shipped with the task), or a folder with a
    model (for a task with several, with a folder for each role). They must know the same codes."""
    model: LMSizes = field(default_factory=LMSizes)
    """Size and shape of each model."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    """Training of each model; `batch_size` counts sequences, `segment_seconds` is not used."""
    steps: dict[str, int] = field(default_factory=dict)
    """Training steps of single models by role, where they differ from `training.steps`, as in
    `{nar: 1500}`."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """How codes are drawn when generating."""
    pool: int = 1
    """Batches that are drawn together and shared out by length, so that little of a batch is
    padding; 1 draws each by itself."""
    snapshots: list[int] = field(default_factory=list)
    """Numbers of training steps after which a copy of each model is kept, its running average where
    `training.ema_decay` is set, and scored: how the results come about. The finished model is the
    last point of the curve, and the one that all other figures are of. Models that have `steps` of
    their own are finished at every point."""

    def __post_init__(self) -> None:
        check(self.pool >= 1, "pool", self.pool, "at least 1")
        for role, steps in self.steps.items():
            check(steps >= 0, f"steps.{role}", steps, "at least 0")
        rising = self.snapshots == sorted(set(self.snapshots))
        inside = all(1 <= steps < self.training.steps for steps in self.snapshots)
        must = f"rising numbers of at least 1 and below training.steps {self.training.steps}"
        check(rising and inside, "snapshots", self.snapshots, must)

    def training_of(self, role: str) -> TrainingSettings:
        """Training of the model of one role."""
        return replace(self.training, steps=self.steps.get(role, self.training.steps))

    def snapshots_of(self, role: str) -> list[int]:
        """When the model of one role is kept."""
        return [] if role in self.steps else self.snapshots


@dataclass
class EvaluationSection:
    """What is measured on held-out items."""

    metrics: list[Slot] = slots("metric")
    """Metrics; an empty list takes those that the task names."""
    items: int = 64
    """Held-out items to generate and score; fewer where the corpus has fewer."""
    snapshot_items: int = 32
    """Held-out items, the first ones, that the language models' snapshots are scored on."""
    guidance: list[float] = field(default_factory=list)
    """Guidance scales whose results are scored as well, for a plot over the scale; the other
    figures are those of `lm.sampling.guidance_scale`."""
    guidance_items: int = 32
    """Held-out items, the first ones, that those scales are scored on."""
    depths: list[int] = field(default_factory=list)
    """Numbers of codebooks from which round trip and result are heard and scored as well, each as
    a system of its own: `[1]` shows what a first, autoregressive model alone is worth."""
    by: list[str] = field(default_factory=list)
    """What the figures are broken down by: `language`, `speaker`, or an entry of the examples'
    details. Its groups take turns when items are chosen."""

    def __post_init__(self) -> None:
        for name in ("items", "snapshot_items", "guidance_items"):
            check(getattr(self, name) >= 2, name, getattr(self, name), "at least 2")
        scales = self.guidance == sorted(set(self.guidance)) and min(self.guidance, default=0) >= 0
        check(scales, "guidance", self.guidance, "rising numbers of at least 0")
        rising = self.depths == sorted(set(self.depths)) and min(self.depths, default=1) >= 1
        check(rising, "depths", self.depths, "rising numbers of at least 1")
        check(len(set(self.by)) == len(self.by), "by", self.by, "names that are not repeated")


@dataclass
class TrackingSection:
    """Where MLflow keeps the run."""

    uri: str = ""
    """Tracking server; empty for a SQLite store below `results`."""
    experiment: str = "workbench"
    """Experiment that the run belongs to."""
    tags: dict[str, str] = field(default_factory=dict)
    """Tags put on the run."""


@dataclass
class AblationSection:
    """Matched arms for `workbench ablate`; a plain run takes no notice of it."""

    over: dict[str, list[Any]] = field(default_factory=dict)
    """Key paths of this recipe, each with the values to compare; the arms are all combinations."""
    arms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Named arms, each with the key paths that it sets; instead of `over`. The first one is what
    the others are compared with."""
    seeds: int = 1
    """Runs of each arm, with seeds counted up from the recipe's."""

    def __post_init__(self) -> None:
        check(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        check(not (self.over and self.arms), "arms", list(self.arms), "empty where 'over' is given")

    def choices(self) -> dict[str, dict[str, Any]]:
        """What each arm sets, by the arm's name, in order."""
        if self.arms:
            return self.arms
        combinations = [
            dict(zip(self.over, values, strict=True)) for values in product(*self.over.values())
        ]
        return {arm_name(chosen): chosen for chosen in combinations if chosen}


def arm_name(chosen: Mapping[str, Any]) -> str:
    """An arm's name: its value where one key is varied, else all keys with their values."""
    if len(chosen) == 1:
        return str(next(iter(chosen.values())))
    return ", ".join(f"{key}={value}" for key, value in chosen.items())


@dataclass
class Recipe:
    """One experiment, completely."""

    name: str = ""
    """Name of the recipe; the file's name where it states none."""
    description: str = ""
    """What the recipe is for, for people."""
    seed: int = 0
    """Seed of everything random."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, or `auto` for a GPU where there is one."""
    threads: int = 0
    """CPU threads to use; 0 is all."""
    results: str = "results"
    """Folder for the store, checkpoints and reports."""
    corpus: Slot = slot("corpus")
    """Where the audio comes from."""
    encoder: EncoderSlot = slot("semantic_encoder", "none", cls=EncoderSlot)
    """The codec's teacher; `none` is the acoustic control."""
    more_encoders: list[EncoderSlot] = slots("semantic_encoder")
    """Further teachers beside `encoder`."""
    codec: CodecSlot = slot("codec", cls=CodecSlot)
    """Audio to codes and back."""
    task: Slot = slot("task", "none")
    """What is generated; `none` ends the run after the codec."""
    lm: LMSection = field(default_factory=LMSection)
    """The task's language models."""
    evaluation: EvaluationSection = field(default_factory=EvaluationSection)
    """What is measured."""
    tracking: TrackingSection = field(default_factory=TrackingSection)
    """Where the run is recorded."""
    ablation: AblationSection = field(default_factory=AblationSection)
    """What `workbench ablate` compares."""

    def __post_init__(self) -> None:
        known = re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None
        check(known, "device", self.device, "auto, cpu, cuda or cuda:N")
        check(self.seed >= 0, "seed", self.seed, "at least 0")
        check(self.threads >= 0, "threads", self.threads, "at least 0")
        check(
            self.encoder.chosen or not self.more_encoders,
            "more_encoders",
            [encoder.name for encoder in self.more_encoders],
            "empty while encoder.name is 'none'",
        )

    @property
    def encoders(self) -> list[EncoderSlot]:
        """All teachers of the codec, the first one first; empty for the acoustic control."""
        return [self.encoder, *self.more_encoders] if self.encoder.chosen else []
