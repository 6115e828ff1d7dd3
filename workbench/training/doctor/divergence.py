"""Where a training that met NaN or infinity met it first, and a note of it for later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from workbench.training.session import Trainee

FILE = "diverged.json"
"""Beside the history of a training that was stopped."""
ADVICE = (
    "Lower learning_rate or clip_norm, or lengthen warmup_steps; with precision fp16, try bf16 or "
    "fp32. Where the tensor is an input or a target, look at the data."
)

OVERFLOWING = 1e15
"""Size of gradients, all of them finite, whose norm may not be: squares end at 3e38."""


@dataclass(frozen=True)
class Divergence:
    """A training that was stopped: what was not finite (``symptom``), and where that began."""

    phase: str
    step: int
    symptom: str
    origin: str
    checkpoint: str

    @property
    def sentence(self) -> str:
        """All of it in words."""
        return (
            f"{self.symptom} at step {self.step}. First value that was not finite: {self.origin}. "
            f"{self.checkpoint} {ADVICE}"
        )

    def save(self, folder: Path) -> None:
        """Leave a note in a training's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1))


def read_divergence(folder: Path) -> Divergence | None:
    """The note in a training's folder, where there is one."""
    path = folder / FILE
    return Divergence(**json.loads(path.read_text())) if path.exists() else None


def forget_divergence(folder: Path, phase: str) -> None:
    """Take away the note about a phase that is being trained again."""
    found = read_divergence(folder)
    if found is not None and found.phase == phase:
        (folder / FILE).unlink()


class _Found(Exception):
    """Ends the diagnostic pass."""


def find_origin(
    trainee: Trainee, others: Mapping[str, nn.Module], batch: Any, step: int, name: str
) -> str:
    """The first tensor of a step that is not finite: data, weight, activation or gradient.

    The step's forward and backward pass run once more, up to the optimiser ``name``, with an eye on
    what every module yields; ``others`` are modules that the trainee runs but does not own. The
    caller seeds the generators as they were. Leaves the trainee as a stopped one may be left.
    """
    if not all_finite(batch):
        return "the batch itself, as it was read from the data"
    parts = {**trainee.modules(), **others}
    found: list[str] = []

    def stop(loss: Tensor, optimizer: str) -> Tensor:
        if not all_finite(loss):
            found.append(f"the {optimizer} loss, computed from finite outputs of all modules")
            raise _Found
        if optimizer == name:
            loss.float().backward()  # type: ignore[no-untyped-call]
            found.append(_gradient(trainee.modules()))
            raise _Found
        return torch.zeros(())

    for module in trainee.modules().values():
        module.zero_grad()
    with _watched(parts, found):
        try:
            trainee.step(batch, step, stop)
        except _Found:
            return found[0]
    return "nothing in a second pass over the same batch: the fault does not repeat itself"


def all_finite(value: Any) -> bool:
    """Whether all floating-point tensors in a tensor, dataclass or collection are finite."""
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, Mapping):
        return all(map(all_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(all_finite, value))
    if is_dataclass(value):
        return all(all_finite(getattr(value, field.name)) for field in fields(value))
    return True


@contextmanager
def _watched(parts: Mapping[str, nn.Module], found: list[str]) -> Iterator[None]:
    """Note in ``found`` the first module output, or gradient of one, that is not finite."""
    handles: list[RemovableHandle] = []

    def forward(path: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if not all_finite(output):
            found.append(f"the output of {path} ({_circumstance(path, module, inputs)})")
            raise _Found
        for tensor in _tensors(output):
            if tensor.requires_grad:
                tensor.register_hook(partial(backward, path))  # type: ignore[no-untyped-call]

    def backward(path: str, gradient: Tensor) -> None:
        if not found and not all_finite(gradient):
            found.append(f"the gradient of the output of {path} (its value was finite)")

    for part, module in parts.items():
        for key, child in module.named_modules():
            path = f"{part}.{key}" if key else part
            handles.append(child.register_forward_hook(partial(forward, path)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _circumstance(path: str, module: nn.Module, inputs: Any) -> str:
    """Whether a module was given what it yields, holds it, or made it."""
    if not all_finite(inputs):
        return "its input was not finite"
    for key, tensor in module.state_dict(keep_vars=True).items():
        if not all_finite(tensor):
            return f"its input was finite, {path}.{key} is not"
    return "its input was finite"


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in what a module yields."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _gradient(modules: Mapping[str, nn.Module]) -> str:
    """The first parameter whose gradient is not finite, or the largest gradient of all."""
    largest, where = 0.0, ""
    for part, module in modules.items():
        for key, parameter in module.named_parameters():
            if parameter.grad is None:
                continue
            if not all_finite(parameter.grad):
                return f"the gradient of {part}.{key}"
            size = float(parameter.grad.abs().max())
            if size > largest:
                largest, where = size, f"{part}.{key}"
    if largest < OVERFLOWING:
        return "nothing in a second pass over the same batch: the fault does not repeat itself"
    return f"the norm of all gradients, which overflows; the largest, {largest:.2g}, is in {where}"
