"""What looks into a training from inside, at the steps that the doctor chooses.

Monitors hang hooks on modules for the length of one step, and take them away again; a step that is
looked at ends with the same weights as one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class Monitor(Protocol):
    """Looks into one step of a trainee."""

    def begin(self) -> None:
        """A step that is to be looked at begins; its batch is about to be made."""
        ...

    def given(self, batch: Any) -> None:
        """A round of the step is about to run on ``batch``."""
        ...

    def end(self) -> Mapping[str, float]:
        """The step is over; scalars by name, each beginning with ``doctor/``.

        The same names in every process.
        """
        ...

    def modules(self) -> Mapping[str, nn.Module]:
        """Modules that the step runs but doesn't train (teachers), by name."""
        ...


@runtime_checkable
class Monitored(Protocol):
    """A trainee that lets the doctor look into its steps."""

    monitor: Monitor


class Monitors:
    """Several monitors as one."""

    def __init__(self, *parts: Monitor) -> None:
        self.parts = parts

    def begin(self) -> None:
        """See :class:`Monitor`."""
        for part in self.parts:
            part.begin()

    def given(self, batch: Any) -> None:
        """See :class:`Monitor`."""
        for part in self.parts:
            part.given(batch)

    def end(self) -> dict[str, float]:
        """See :class:`Monitor`."""
        return {name: value for part in self.parts for name, value in part.end().items()}

    def modules(self) -> dict[str, nn.Module]:
        """See :class:`Monitor`."""
        return {name: module for part in self.parts for name, module in part.modules().items()}


class StepMonitor:
    """What monitors share: hooks that hang on modules from a step's beginning to its end."""

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []

    @property
    def looking(self) -> bool:
        """Whether the present step is looked at."""
        return bool(self._handles)

    def hold(self, handle: RemovableHandle) -> None:
        """Keep a hook until the step's end."""
        self._handles.append(handle)

    def release(self) -> None:
        """Take all hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def given(self, batch: Any) -> None:
        """See :class:`Monitor`; not every monitor needs the batch."""

    def modules(self) -> dict[str, nn.Module]:
        """See :class:`Monitor`; none but the trainee's own."""
        return {}


class BatchMonitor(StepMonitor):
    """How many distinct items of a batch the loss hears: those whose output has a gradient.

    ``items(batch)`` is what tells items apart, ``[B, ...]``; ``module`` is called with the items
    ``[B', ...]`` as its first argument, and ``outputs`` picks the tensors ``[B', ...]`` of its
    result that losses are computed on. Of several such tensors, the one that hears least counts.
    """

    def __init__(
        self,
        module: nn.Module,
        items: Callable[[Any], Tensor],
        outputs: Callable[[Any], Iterable[Tensor]] = lambda output: (output,),
    ) -> None:
        super().__init__()
        self.module = module
        self.items = items
        self.outputs = outputs

    def begin(self) -> None:
        """See :class:`Monitor`."""
        self._given = 0
        self._calls: list[Tensor] = []
        self._heard: dict[int, dict[int, Tensor]] = {}
        self.hold(self.module.register_forward_hook(self._called))

    def given(self, batch: Any) -> None:
        """See :class:`Monitor`."""
        self._given += distinct(self.items(batch))

    def _called(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        del module
        call = len(self._calls)
        self._calls.append(inputs[0].detach())
        for place, tensor in enumerate(self.outputs(output)):
            if tensor.requires_grad:
                tensor.register_hook(  # type: ignore[no-untyped-call]
                    partial(self._note, place, call)
                )

    def _note(self, place: int, call: int, gradient: Tensor) -> None:
        """Which items have a gradient; of several backward passes, the last one counts."""
        self._heard.setdefault(place, {})[call] = gradient.detach().flatten(1).abs().amax(1) > 0

    def end(self) -> dict[str, float]:
        """See :class:`Monitor`."""
        self.release()
        heard = [
            sum(distinct(self._calls[call][mask]) for call, mask in calls.items())
            for calls in self._heard.values()
        ]
        self._calls, self._heard = [], {}
        return {
            "doctor/items_given": float(self._given),
            "doctor/items_in_loss": float(min(heard, default=0)),
        }


class TeacherMonitor(StepMonitor):
    """Whether frozen teachers, by name, stay frozen and in eval mode when they run."""

    def __init__(
        self, teachers: Mapping[str, nn.Module], optimizers: Iterable[torch.optim.Optimizer]
    ) -> None:
        super().__init__()
        self.teachers = dict(teachers)
        self.optimizers = tuple(optimizers)

    def begin(self) -> None:
        """See :class:`Monitor`."""
        self._training: dict[str, bool] = {}
        self._followed: dict[str, bool] = {}
        for name, teacher in self.teachers.items():
            self.hold(teacher.register_forward_hook(partial(self._ran, name)))

    def _ran(self, name: str, teacher: nn.Module, inputs: Any, output: Any) -> None:
        del inputs
        self._training[name] = self._training.get(name, False) or in_train_mode(teacher)
        carries = isinstance(output, Tensor) and output.requires_grad
        self._followed[name] = self._followed.get(name, False) or carries

    def end(self) -> dict[str, float]:
        """See :class:`Monitor`; nothing about a teacher that didn't run."""
        self.release()
        held = {
            id(parameter)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        scalars = {}
        for name, training in self._training.items():
            parameters = list(self.teachers[name].parameters())
            trained = any(p.grad is not None or id(p) in held for p in parameters)
            scalars[f"doctor/teacher_training/{name}"] = float(training)
            scalars[f"doctor/teacher_gradient/{name}"] = float(trained or self._followed[name])
        return scalars

    def modules(self) -> dict[str, nn.Module]:
        """The teachers."""
        return {f"teacher {name}": teacher for name, teacher in self.teachers.items()}


def distinct(rows: Tensor) -> int:
    """Number of different rows of ``[B, ...]``, without those that are silent (all 0)."""
    flat = rows.flatten(1)
    flat = flat[(flat != 0).any(dim=1)]
    return len(torch.unique(flat, dim=0)) if len(flat) else 0


def in_train_mode(module: nn.Module) -> bool:
    """Whether a part that its mode can matter to is in train mode: one with weights, or dropout.

    A container's own mode says nothing.
    """
    return any(
        part.training
        and (isinstance(part, DROPOUTS) or next(part.parameters(recurse=False), None) is not None)
        for part in module.modules()
    )
