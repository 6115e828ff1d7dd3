"""The training loop of every model: exact resume, one or many processes, progress, history.

A step is a function of (state, step number): before each, all generators are seeded from the run's
seed, the phase and the step, and batches are drawn by step number. So a checkpoint needs no random
state, and an interrupted run ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn
from torch.optim import Optimizer

from workbench.api.errors import TrainingDiverged
from workbench.api.settings import TrainingSettings
from workbench.training.averaging import WeightAverage
from workbench.training.checkpoint import load_checkpoint, save_checkpoint
from workbench.training.doctor.live import LiveDoctor
from workbench.training.progress import StepProgress
from workbench.training.session import Trainee, TrainingSession, Validate


def run_loop(
    session: TrainingSession,
    trainee: Trainee,
    batches: Callable[[int], Any],
    steps: int,
    phase: str,
    validate: Validate | None = None,
    keep: Mapping[int, Callable[[], None]] | None = None,
) -> None:
    """Train ``trainee`` to step ``steps``; see :meth:`TrainingSession.fit`."""
    loop = _Loop(session, trainee, steps, phase)
    start = loop.restore()
    torch.set_flush_denormal(True)  # denormals slow CPU steps several times over
    with StepProgress(f"{session.title} {phase}", start, steps, session.rank == 0) as progress:
        for step in range(start, steps):
            seed_step(session.seed, phase, step)
            scalars = loop.step(batches, step)
            if loop.to_be_logged(step):
                loop.record(step, loop.over_processes(scalars))
            every = session.settings.validate_every
            if validate and every and ((step + 1) % every == 0 or step == steps - 1):
                loop.record(step, {f"validation_{k}": v for k, v in validate().items()})
            if keep and step + 1 in keep:
                with loop.average.in_place():
                    keep[step + 1]()
            loop.checkpoint_if_due(step + 1)
            progress.advance(scalars)
    loop.finish(start)


def seed_step(seed: int, phase: str, step: int) -> None:
    """Seed every generator from (seed, phase, step)."""
    digest = hashlib.blake2b(f"{seed}/{phase}/{step}".encode(), digest_size=4).digest()
    value = int.from_bytes(digest, "little")
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def learning_rate_factor(settings: TrainingSettings, step: int, steps: int) -> float:
    """Share of the peak learning rate at ``step``: linear warm-up, then the schedule."""
    warmup = min(settings.warmup_steps, max(1, steps // 2))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    final = settings.final_lr_ratio
    if settings.schedule == "cosine":
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    if settings.schedule == "exponential":
        return float(max(final, 1e-8) ** progress)
    return 1.0


class _Loop:
    """State of one running phase."""

    def __init__(self, session: TrainingSession, trainee: Trainee, steps: int, phase: str) -> None:
        self.session = session
        self.settings = session.settings
        self.trainee = trainee
        self.steps = steps
        self.phase = phase
        self.path = session.folder / f"{phase}.checkpoint"
        self.history = session.folder / "history.jsonl"
        self.optimizers: dict[str, Any] = {
            name: session.accelerator.prepare(optimizer)
            for name, optimizer in trainee.optimizers().items()
        }
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        self.average = WeightAverage(trainee.modules(), self.settings.ema_decay)
        self.doctor = LiveDoctor(session, trainee, phase)
        self.last_saved = time.monotonic()
        self.micro = 0
        self.now = 0
        self.saved = 0
        self.batch: Any = None

    def step(self, batches: Callable[[int], Any], step: int) -> dict[str, float]:
        """All batches of one optimisation step; scalars are averaged over them."""
        factor = learning_rate_factor(self.settings, step, self.steps)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
        count = self.settings.accumulate
        logged: dict[str, list[float]] = {}
        self.now = step
        self.doctor.begin(step)
        for self.micro in range(count):
            self.batch = batches(step * count + self.micro)
            self.doctor.given(self.batch)
            with self.session.accelerator.autocast():
                scalars = self.trainee.step(self.batch, step, self.optimise)
            for name, value in scalars.items():
                logged.setdefault(name, []).append(float(value))
        self.average.update(step)
        means = {name: sum(values) / len(values) for name, values in logged.items()}
        return means | self.doctor.end()

    def to_be_logged(self, step: int) -> bool:
        """Whether the step's scalars are recorded."""
        every = self.settings.log_every
        return step % every == 0 or step == self.steps - 1 or self.doctor.due(step)

    def optimise(self, loss: Tensor, name: str) -> Tensor:
        """Backward, and on the last batch of a step: average over processes, clip, step."""
        if not bool(torch.isfinite(loss)):
            raise self._diverged(f"the {name} loss is {float(loss.detach())}", name)
        optimizer = self.optimizers[name]
        with torch.autocast(self.session.device.type, enabled=False):
            self.session.accelerator.backward(loss.float() / self.settings.accumulate)
        if self.micro + 1 < self.settings.accumulate:
            return torch.zeros(())
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        average_gradients(parameters, self.session.world)
        if self.settings.precision == "fp16":
            self.session.accelerator.unscale_gradients(optimizer)
        limit = self.settings.clip_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
        if self.settings.precision != "fp16" and not bool(torch.isfinite(norm)):
            raise self._diverged(f"the gradient of the {name} loss is not finite", name)
        with self.doctor.stepping(name, parameters, norm):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm.detach()

    def _diverged(self, symptom: str, name: str) -> TrainingDiverged:
        """The error that ends a training whose values are not finite any more."""
        last = f"The last good checkpoint is {self.path}, after {self.saved} steps."
        where = last if self.saved else "There is no checkpoint yet."

        def reseed() -> None:
            seed_step(self.session.seed, self.phase, self.now)

        words = self.doctor.explain(symptom, name, self.batch, self.now, reseed, where)
        return TrainingDiverged(f"{self.session.title}: {words}")

    def over_processes(self, scalars: Mapping[str, float]) -> Mapping[str, float]:
        """The whole batch's scalars: the mean over processes, each with an equal share of it."""
        if self.session.world == 1:
            return scalars
        values = torch.tensor(
            list(scalars.values()), dtype=torch.float64, device=self.session.device
        )
        torch.distributed.all_reduce(values)
        return dict(zip(scalars, (values / self.session.world).tolist(), strict=True))

    def record(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append to the history and tell the listeners (main process only)."""
        if self.session.rank != 0 or not scalars:
            return
        line = {"phase": self.phase, "step": step, **{k: float(v) for k, v in scalars.items()}}
        self.history.parent.mkdir(parents=True, exist_ok=True)
        with self.history.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for listener in self.session.listeners:
            listener(self.phase, step, scalars)
        self.doctor.heard(step, scalars)

    def checkpoint_if_due(self, done: int) -> None:
        """Save when time is up or the phase ends. All processes hold the same state.

        A training that has exploded keeps its last good checkpoint.
        """
        due = time.monotonic() - self.last_saved > self.settings.checkpoint_seconds
        due = due and not self.doctor.exploded
        if (due or done == self.steps) and self.session.rank == 0:
            save_checkpoint(self.path, self.state(done))
            self.last_saved = time.monotonic()
            self.saved = done

    def state(self, done: int) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "step": done,
            "modules": {k: m.state_dict() for k, m in self.trainee.modules().items()},
            "optimizers": {k: o.state_dict() for k, o in self.optimizers.items()},
            "average": self.average.state(),
        }

    def restore(self) -> int:
        """Load the phase's checkpoint where there is one; returns the step to go on from."""
        if not self.path.exists():
            broadcast_start([*self.trainee.modules().values()], self.session.world)
            truncate_history(self.history, self.phase, 0)
            self.doctor.resume(self.history)
            return 0
        state = load_checkpoint(self.path, self.session.device)
        for name, module in self.trainee.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.average.load(state["average"])
        truncate_history(self.history, self.phase, int(state["step"]))
        self.doctor.resume(self.history)
        self.saved = int(state["step"])
        return self.saved

    def finish(self, start: int) -> None:
        """Leave the averaged weights in the trainee, where they were asked for."""
        if self.steps > start and self.session.world > 1:
            self.session.accelerator.wait_for_everyone()
        self.average.apply()


def average_gradients(parameters: list[nn.Parameter], world: int) -> None:
    """Mean of the gradients over all processes, in one flat reduction.

    With equal shards of a batch, the mean of the shards' gradients is the batch's gradient, so that
    many processes take the same step as one.
    """
    if world == 1:
        return
    grads = []
    for parameter in parameters:
        if parameter.grad is None:  # unused here, perhaps used elsewhere
            parameter.grad = torch.zeros_like(parameter)
        grads.append(parameter.grad)
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    torch.distributed.all_reduce(flat)
    flat /= world
    offset = 0
    for grad in grads:
        grad.copy_(flat[offset : offset + grad.numel()].view_as(grad))
        offset += grad.numel()


def broadcast_start(modules: list[nn.Module], world: int) -> None:
    """Give every process the first one's weights, whatever it was initialised with."""
    if world == 1:
        return
    for module in modules:
        for tensor in module.state_dict().values():
            torch.distributed.broadcast(tensor, 0)


def truncate_history(path: Path, phase: str, done: int) -> None:
    """Drop lines of ``phase`` from step ``done`` on: they will be written again."""
    if not path.exists():
        return
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    kept = [line for line in lines if line["phase"] != phase or line["step"] < done]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept))


def adamw(parameters: Any, settings: TrainingSettings) -> Optimizer:
    """AdamW as the settings say; the loop applies warm-up and schedule."""
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=(settings.betas[0], settings.betas[1]),
        weight_decay=settings.weight_decay,
    )
