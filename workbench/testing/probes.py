"""Audio to try models with, and what all torch models must keep."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.testing.subject import Subject, require


def noise(batch: int, samples: int, seed: int = 0) -> Tensor:
    """Float32 ``[batch, samples]``: noise and a tone, another in each item, the first one silent.

    Items differ in level as well, so that anything shared between them shows.
    """
    generator = torch.Generator().manual_seed(seed)
    level = 0.8 * torch.arange(batch)[:, None] / max(1, batch - 1)
    time = torch.arange(samples) / 8000
    pitch = 150.0 * (1 + torch.arange(batch))[:, None]
    tone = 0.7 * torch.sin(2 * math.pi * pitch * time)
    return level * (tone + 0.3 * torch.randn(batch, samples, generator=generator))


def loud(batch: int, samples: int, seed: int = 0) -> Tensor:
    """As :func:`noise`, without the silent item."""
    return noise(batch + 1, samples, seed)[1:]


def lengths_around(hop: float) -> list[int]:
    """Numbers of samples at the edges of frames, and between them."""
    whole = max(1, round(hop))
    near = [1, whole // 2, whole - 1, whole, whole + 1, 3 * whole, 3 * whole + 7, 10 * whole - 1]
    return sorted({max(1, samples) for samples in near})


def nominal_frames(samples: int, hop: float) -> tuple[int, int]:
    """Whole and started frames in so many samples.

    Models round their rates and cut long audio into windows: one frame in ten thousand may be off.
    """
    frames = samples / hop
    return max(1, math.floor(frames - frames * 1e-4 + 0.02)), math.ceil(
        frames + frames * 1e-4 - 0.02
    )


def difference(one: Tensor, other: Tensor) -> float:
    """Largest difference as a share of the largest magnitude."""
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-9)
    return float((one.double() - other.double()).abs().max()) / scale


def upset_random_state(seed: int) -> None:
    """Set every global random generator, as other code in the same process would."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def check_positive(subject: Subject, *names: str, whole: bool) -> None:
    """The named attributes are numbers above 0; whole ones where ``whole``."""
    for name in names:
        value = getattr(subject.built, name)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        wanted = "a whole number" if whole else "a number"
        require(number and value > 0, f"{name} is {value!r}; it must be {wanted} above 0")


def check_eval_mode(model: Any) -> None:
    """A torch module is in eval mode throughout."""
    if not isinstance(model, nn.Module):
        return
    training = [
        name or "the module itself" for name, part in model.named_modules() if part.training
    ]
    require(
        not training,
        f"it is built in train mode ({_some(training)}): call eval() at the end of build, or "
        "dropout and the like make its output random",
    )


def check_tensors_registered(model: Any) -> None:
    """A torch module has all its tensors and parts where ``to`` and ``state_dict`` find them."""
    if not isinstance(model, nn.Module):
        return
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or f"{name}_g" in module._parameters:
                continue  # torch's own tables; torch's older weight_norm, made anew in each call
            where = f"{prefix}.{name}" if prefix else name
            parts = list(_parts(value))
            # A lone number may stay on the CPU: torch lets it meet tensors of any device.
            tensors = any(isinstance(part, Tensor) and part.dim() > 0 for part in parts)
            require(
                not tensors,
                f"{where} holds a tensor as a plain attribute, which to(device) leaves behind: "
                "use register_buffer",
            )
            modules = any(isinstance(part, nn.Module) for part in parts)
            require(
                not modules or type(module)._apply is not nn.Module._apply,
                f"{where} holds modules in a plain container, which to(device) leaves behind: "
                "use nn.ModuleList or nn.ModuleDict",
            )


def check_on_device(model: Any, device: str) -> None:
    """A torch module has all its tensors on the device that it was built for."""
    if not isinstance(model, nn.Module):
        return
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        require(
            tensor.device.type == torch.device(device).type,
            f"{name} is on {tensor.device}, not on context.device, {device}",
        )


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, Tensor):
        yield value


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
