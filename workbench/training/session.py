"""What a stage is given to train with: settings, a folder, and one exact, resumable loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.optim import Optimizer

from workbench.api.errors import RecipeError
from workbench.api.settings import TrainingSettings
from workbench.audio.dataset import AudioDataset, Crops
from workbench.training.doctor.findings import Finding

logger = logging.getLogger("workbench.training")

Optimise = Callable[[Tensor, str], Tensor]
"""``optimise(loss, optimizer_name) -> gradient norm``: backward and one step of that optimiser."""


class Trainee(Protocol):
    """What a loop trains: it owns its modules and optimisers and knows one step."""

    def modules(self) -> dict[str, nn.Module]:
        """Everything whose state a checkpoint must hold, buffers included, by name."""
        ...

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers, by the names used with ``optimise``."""
        ...

    def step(self, batch: Any, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        """One optimisation step on ``batch``; returns scalars to log.

        Randomness may come from the global generators only: they are seeded afresh before each
        step, so that a step is a function of the state and the step's number alone.
        """
        ...


Validate = Callable[[], Mapping[str, float]]
"""``validate()`` scores the trainee, as it is now, on held-out data."""

Listener = Callable[[str, int, Mapping[str, float]], None]
"""``listener(phase, step, scalars)``, called on the main process at every logged step."""

Alarm = Callable[[Finding], None]
"""``alarm(finding)``, called on the main process when the doctor first finds something wrong."""


class TrainingSession:
    """One stage's training: knows the device, the processes, and where checkpoints lie."""

    def __init__(
        self,
        settings: TrainingSettings,
        folder: Path,
        seed: int = 0,
        device: str = "cpu",
        listeners: Iterable[Listener] = (),
        title: str = "training",
        alarms: Iterable[Alarm] = (),
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.seed = seed
        self.title = title
        self.listeners = tuple(listeners)
        self.alarms = tuple(alarms)
        self.accelerator = make_accelerator(device, settings.precision)

    @property
    def device(self) -> torch.device:
        """Where the trainee's modules must live; in a multi-process run, this process' device."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def rank(self) -> int:
        """This process' number, from 0."""
        return int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """Number of processes that train together."""
        return int(self.accelerator.num_processes)

    @property
    def round_batch_size(self) -> int:
        """Items of one round (``batches`` call), over all processes: batch size / accumulation."""
        return self.settings.batch_size // self.settings.accumulate

    def crops(
        self,
        data: AudioDataset,
        index: int,
        segment_seconds: float | None = None,
        grid: int = 1,
    ) -> Crops:
        """This process' training crops for call ``index`` of ``batches``.

        They start at multiples of ``grid`` samples.
        """
        seconds = segment_seconds or self.settings.segment_seconds
        samples = round(seconds * data.sample_rate)
        part = (self.rank, self.world)
        return data.crops("train", self.round_batch_size, samples, self.seed, index, part, grid)

    def fit(
        self,
        trainee: Trainee,
        batches: Callable[[int], Any],
        steps: int | None = None,
        phase: str = "main",
        validate: Validate | None = None,
        keep: Mapping[int, Callable[[], None]] | None = None,
    ) -> None:
        """Train for ``steps`` (the settings' count where None) and leave the result in ``trainee``.

        ``batches(index)`` gives this process' part of one round and must depend on ``index`` alone;
        with accumulation, one step takes several rounds. A phase that was interrupted goes on from
        its last checkpoint; one that was finished is only loaded. ``validate`` gives scalars on
        held-out data, logged every ``validate_every`` steps and at the end; it changes nothing.
        ``keep[n]()`` is called after n steps, with the averaged weights in the trainee where there
        are some, and again where a killed training does that step again.
        """
        from workbench.training.loop import run_loop

        count = self.settings.steps if steps is None else steps
        run_loop(self, trainee, batches, count, phase, validate, keep)


def make_accelerator(device: str, precision: str = "fp32") -> Accelerator:
    """Accelerate's view of device, processes and precision.

    ``device`` counts in a single process only; under ``torchrun`` or ``accelerate launch`` each
    process takes its own.
    """
    mixed = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}[precision]
    # Accelerate keeps one precision for a process; our stages may each have another.
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=mixed, cpu=device == "cpu")
    if precision == "fp16" and accelerator.device.type == "cpu":  # where it would have no effect
        raise RecipeError(["precision = 'fp16': needs a GPU; on a CPU use 'bf16' or 'fp32'"])
    return accelerator
