"""The doctor at a running training: looks into its steps, and speaks up at once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.training.doctor.divergence import (
    Divergence,
    find_origin,
    forget_divergence,
)
from workbench.training.doctor.examination import Doctor, read_lines
from workbench.training.doctor.monitors import Monitor, Monitored
from workbench.training.session import Trainee, TrainingSession

logger = logging.getLogger("workbench.doctor")

SAMPLED = 4096
"""Most values of a weight matrix that are compared before and after a step."""
TINY = 1e-12
EXPLOSIONS = ("finite values", "loss", "gradient norm")
"""Checks that complain of weights that aren't worth keeping."""


class LiveDoctor:
    """Watches one phase of a training session.

    Every ``health_every`` steps, and more often at the start, it looks into the step: through the
    trainee's monitor, where it has one, and at each optimiser's gradient and step size. It listens
    to all that is recorded, and says each thing that it finds once: in the log and to the session's
    alarms.
    """

    def __init__(self, session: TrainingSession, trainee: Trainee, phase: str) -> None:
        self.session = session
        self.trainee = trainee
        self.phase = phase
        self.monitor: Monitor | None = trainee.monitor if isinstance(trainee, Monitored) else None
        self.doctor = Doctor()
        self.looking = False
        self._scalars: dict[str, float] = {}

    def due(self, step: int) -> bool:
        """Whether the doctor looks into this step: also into steps 1, 2, 4, 8 ... at the start.

        Most faults show then, and a learning rate that is far too high does its damage.
        """
        every = self.session.settings.health_every
        if every == 0:
            return False
        return step % every == 0 or (step < every and step & (step - 1) == 0)

    @property
    def exploded(self) -> bool:
        """Whether loss or gradients are beyond all measure at present."""
        return any(check in EXPLOSIONS for check, _ in self.doctor.complaining)

    def resume(self, history: Path) -> None:
        """Take in what was recorded before; what was found then has been said already."""
        forget_divergence(self.session.folder, self.phase)
        self.doctor.replay(read_lines(history))

    def begin(self, step: int) -> None:
        """A step begins; its batch is about to be made."""
        self.looking = self.due(step)
        if self.looking and self.monitor is not None:
            self.monitor.begin()

    def given(self, batch: Any) -> None:
        """A round of the step is about to run on ``batch``."""
        if self.looking and self.monitor is not None:
            self.monitor.given(batch)

    def end(self) -> dict[str, float]:
        """What was measured in the step that has just ended; empty where it was not looked at."""
        if not self.looking:
            return {}
        inside = self.monitor.end() if self.monitor is not None else {}
        scalars, self._scalars = {**self._scalars, **inside}, {}
        self.looking = False
        return scalars

    @contextmanager
    def stepping(
        self, name: str, parameters: Sequence[nn.Parameter], norm: Tensor
    ) -> Iterator[None]:
        """Around an optimiser's step: measures its gradient, its weights and how far they move."""
        if not self.looking:
            yield
            return
        matrices = [p for p in parameters if p.dim() > 1] or parameters
        before = [sample(p) for p in matrices]
        yield
        sizes = torch.stack([b.norm() for b in before])
        moves = [(sample(p) - b).norm() for p, b in zip(matrices, before, strict=True)]
        self._scalars |= {
            f"doctor/gradient/{name}": float(norm),
            f"doctor/step_size/{name}": float(
                (torch.stack(moves) / sizes.clamp_min(TINY)).median()
            ),
            f"doctor/weight_size/{name}": float(sizes.median()),
        }

    def heard(self, step: int, scalars: Mapping[str, float]) -> None:
        """Scalars were recorded (main process)."""
        for finding in self.doctor.observe(self.phase, step, scalars):
            logger.warning("%s: %s", self.session.title, finding.sentence)
            for alarm in self.session.alarms:
                alarm(finding)

    def explain(
        self,
        symptom: str,
        name: str,
        batch: Any,
        step: int,
        reseed: Callable[[], None],
        checkpoint: str,
    ) -> str:
        """Find where a training that is not finite went wrong: leaves a note, and returns words.

        ``symptom`` was met at ``step`` on ``batch`` by the optimiser ``name``; ``reseed`` sets the
        generators to where the step began, ``checkpoint`` says what the training can go on from.
        """
        if self.session.world > 1:  # a second pass would wait for processes that take no part
            origin = "unknown; train in a single process to learn which tensor"
        else:
            others = self.monitor.modules() if self.monitor is not None else {}
            reseed()
            with self.session.accelerator.autocast():
                origin = find_origin(self.trainee, others, batch, step, name)
        divergence = Divergence(self.phase, step, symptom, origin, checkpoint)
        divergence.save(self.session.folder)
        return divergence.sentence


def sample(parameter: Tensor) -> Tensor:
    """A copy of at most ``SAMPLED`` values, evenly spread over a parameter."""
    flat = parameter.detach().reshape(-1)
    return flat[:: math.ceil(len(flat) / SAMPLED)].clone()
