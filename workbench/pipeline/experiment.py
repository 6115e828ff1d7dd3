"""What a run's stages share: the recipe, the catalog, the store, the device and the tracker."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from workbench.api.errors import RecipeError
from workbench.api.settings import Slot, TrainingSettings
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.pipeline.store import StageFolder, Store, weights_key
from workbench.recipe.schema import Recipe
from workbench.training.session import Alarm, Listener, TrainingSession

logger = logging.getLogger("workbench.pipeline")


@dataclass
class Experiment:
    """One run of a recipe."""

    recipe: Recipe
    catalog: Catalog
    device: str
    on_step: Callable[[str], Listener] | None = None
    """Gives a stage's listener for training steps, by the stage's title."""
    on_finding: Callable[[str], Alarm] | None = None
    """Gives what hears of the doctor's findings in a stage, by the stage's title."""
    stages: dict[str, StageFolder] = field(default_factory=dict)
    """The stages that this run used, in order."""
    reused: set[str] = field(default_factory=set)
    """Names of the stages whose output the store held already."""

    @property
    def store(self) -> Store:
        """Where the stages lie."""
        return Store(Path(self.recipe.results) / "store")

    def context(self, encoders: tuple[Any, ...] = ()) -> Context:
        """What components are built with."""
        return Context(self.catalog, self.device, self.recipe.seed, encoders)

    def identity(self, kind: str, slot: Slot, model: object = None) -> dict[str, Any]:
        """What a stage's key holds of a component: provider, options, and the weights it has."""
        provider = self.catalog.provider(kind, slot.name)
        return {
            "name": slot.name,
            "provider": str(provider),
            "options": slot.options,
            "weights": weights_key(model),
        }

    def stage(
        self,
        name: str,
        inputs: Mapping[str, Any],
        build: Callable[[StageFolder], Mapping[str, Any]],
        parallel: bool = False,
    ) -> StageFolder:
        """The finished stage ``name``, built where the store does not hold it.

        ``build(folder)`` writes the output and returns facts for the stage's summary. In a run of
        many processes the first one builds and the others wait, unless ``parallel``.
        """
        folder = self.store.stage(name.split("/")[0], inputs)
        self.stages[name] = folder
        if folder.done:
            self.reused.add(name)
            logger.info("%s: reused (%s)", name, folder.key)
            return folder
        if process_rank() != 0 and not parallel:
            folder.wait()
            return folder
        self._build(name, folder, build)
        return folder

    def _build(
        self, name: str, folder: StageFolder, build: Callable[[StageFolder], Mapping[str, Any]]
    ) -> None:
        logger.info("%s: started", name)
        started = time.monotonic()
        if process_rank() != 0:
            build(folder)
            folder.wait()
            return
        self.reused.discard(name)  # where an earlier form of the stage was reused and is of no use
        with folder.lock():
            if not folder.done:  # another process may have built it while this one waited
                facts = build(folder)
                folder.finish(time.monotonic() - started, **facts)
        logger.info("%s: done in %.1f s", name, time.monotonic() - started)

    def session(
        self, folder: StageFolder, settings: TrainingSettings, title: str
    ) -> TrainingSession:
        """A training session whose checkpoints and history lie in the stage's folder."""
        listeners = [self.on_step(title)] if self.on_step else []
        alarms = [self.on_finding(title)] if self.on_finding else []
        return TrainingSession(
            settings, folder.path, self.recipe.seed, self.device, listeners, title, alarms
        )


def process_rank() -> int:
    """This process' number in a run of many (``torchrun``, ``accelerate launch``), else 0."""
    return int(os.environ.get("RANK", "0"))


def resolve_device(device: str) -> str:
    """``auto`` is the first GPU where there is one, else the CPU."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError(["device = 'cuda': no CUDA device is visible here; use device=cpu"])
    return device
