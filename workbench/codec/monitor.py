"""What the doctor sees of a codec's training: see :mod:`workbench.training.doctor`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.codec.quantizer import Codebook, Quantized, all_sum
from workbench.codec.xcodec import XCodec
from workbench.training.doctor.monitors import (
    BatchMonitor,
    Monitors,
    StepMonitor,
    TeacherMonitor,
)

if TYPE_CHECKING:
    from torch.optim import Optimizer

BARELY_USED = 0.01
"""An entry is dead below this share of the mean use, where dead entries are not replaced."""
CLUSTER_SIZES = re.compile(r"quantizer\.quantizers\.(\d+)\.codebook\.cluster_size")


class CodecMonitor(Monitors):
    """Looks into a step: batch, teachers, quantiser, and what each loss sends to the encoder.

    A step that is looked at takes one more backward pass through the decoders and each loss, none
    through the encoders: about half a step's time.
    """

    def __init__(self, codec: XCodec, optimizers: Iterable[Optimizer]) -> None:
        names = [teacher.name for teacher in codec.config.teachers]
        teachers = {
            name if names.count(name) == 1 else f"{name}-{number}": teacher.get_submodule("encoder")
            # A codec may go without its teachers where their features are stored.
            for number, (name, teacher) in enumerate(zip(names, codec.teachers, strict=False), 1)
        }
        self.gradients = GradientMonitor(codec)
        super().__init__(
            BatchMonitor(codec, lambda batch: batch.wav, lambda r: (r.wav, *r.features)),
            TeacherMonitor(teachers, optimizers),
            QuantizerMonitor(codec),
            self.gradients,
        )

    def weigh(self, contributions: Mapping[str, Tensor], wav: Tensor) -> None:
        """See :meth:`GradientMonitor.weigh`."""
        self.gradients.weigh(contributions, wav)


class GradientMonitor(StepMonitor):
    """Shares of the losses in the gradient at the encoders' output, before the quantiser.

    There all losses meet: those on the waveform and the semantic one come through the quantiser
    (so that their gradient is 0 where the straight-through estimator is missing), the commitment
    from its input. Shares among the losses on the waveform are those at the waveform itself, so
    that they need one pass through the decoder together.
    """

    def __init__(self, codec: XCodec) -> None:
        super().__init__()
        self.codec = codec
        self._latents: Tensor | None = None
        self._norms: dict[str, float] = {}
        self._through = 0.0

    def begin(self) -> None:
        """See :class:`~workbench.training.doctor.monitors.Monitor`."""
        self._norms, self._through = {}, 0.0
        self.hold(self.codec.quantizer.register_forward_pre_hook(self._entered))

    def _entered(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del module
        self._latents = inputs[0]

    def weigh(self, contributions: Mapping[str, Tensor], wav: Tensor) -> None:
        """Measure weighted losses (scalars by name) before the backward pass that uses them up.

        Does nothing in steps that are not looked at, or where the encoders are not trained.
        """
        latents = self._latents
        if not self.looking or latents is None or not latents.requires_grad:
            return
        # The commitment is a plain 0 until codebooks are set; any other loss has a gradient.
        present = {n: t for n, t in contributions.items() if t.requires_grad or bool(t != 0)}
        slopes = {name: slope(term, wav) for name, term in present.items()}
        on_wav = {name: gradient for name, gradient in slopes.items() if gradient is not None}
        if on_wav:
            together = torch.stack(list(on_wav.values())).sum(dim=0)
            through = norm(slope(wav, latents, together))
            sizes = {name: norm(gradient) for name, gradient in on_wav.items()}
            total = max(sum(sizes.values()), 1e-30)
            self._norms |= {name: through * size / total for name, size in sizes.items()}
            self._through += through
        for name in present.keys() - on_wav.keys():
            self._norms[name] = norm(slope(present[name], latents))
        if not on_wav:
            self._through += sum(self._norms.values())

    def end(self) -> dict[str, float]:
        """See :class:`~workbench.training.doctor.monitors.Monitor`."""
        self.release()
        self._latents = None
        if not self._norms:
            return {}
        total = max(sum(self._norms.values()), 1e-30)
        shares = {f"doctor/share/{name}": self._norms[name] / total for name in sorted(self._norms)}
        return {"doctor/into_encoder": self._through, **shares}


class QuantizerMonitor(StepMonitor):
    """Use of each codebook, and how often the codebooks take a batch in."""

    def __init__(self, codec: XCodec) -> None:
        super().__init__()
        self.quantizer = codec.quantizer

    def begin(self) -> None:
        """See :class:`~workbench.training.doctor.monitors.Monitor`."""
        first = self.quantizer.codebooks[0]
        self._before = first.cluster_size.clone() if bool(first.inited) else None
        self._steps = int(self.quantizer.steps)
        self._counts = torch.zeros_like(first.cluster_size)
        self._passes = self._rounds = 0
        self.hold(self.quantizer.register_forward_hook(self._quantized))

    def given(self, batch: Any) -> None:
        """Count the rounds of the step."""
        del batch
        self._rounds += 1

    def _quantized(self, module: nn.Module, inputs: Any, result: Quantized) -> None:
        del module, inputs
        self._passes += 1
        if result.codes.shape[1]:
            chosen = result.codes[:, 0].flatten()
            self._counts += torch.bincount(chosen, minlength=len(self._counts))

    def end(self) -> dict[str, float]:
        """See :class:`~workbench.training.doctor.monitors.Monitor`."""
        self.release()
        passes = self._passes / max(1, self._rounds)
        counts = all_sum(self._counts) / max(1.0, passes)
        called = int(self.quantizer.steps) - self._steps
        config = self.quantizer.config
        taken = [float(called)]
        if self._before is not None:
            after = self.quantizer.codebooks[0].cluster_size
            alive = after != config.dead_threshold  # others were just set anew
            taken.append(
                updates_taken(self._before[alive], counts[alive], after[alive], config.ema_decay)
            )
        # Once in all ways of counting is healthy; else the one farthest from it tells.
        updates = max([*taken, passes], key=lambda count: abs(count - 1))
        return {
            "doctor/codebook_updates": updates,
            **codebook_signs(self.quantizer.codebooks, config.dead_threshold),
        }


def slope(value: Tensor, at: Tensor, weights: Tensor | None = None) -> Tensor | None:
    """Gradient of ``value`` at a tensor that it was made from; None where it doesn't reach it."""
    if not value.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(value, at, weights, retain_graph=True, allow_unused=True)
    return gradient


def norm(gradient: Tensor | None) -> float:
    """Norm of a gradient, 0 where there is none."""
    return 0.0 if gradient is None else float(gradient.float().norm())


def updates_taken(before: Tensor, counts: Tensor, after: Tensor, decay: float) -> float:
    """How many updates of a moving average lie between two states of it, all by ``counts``.

    m updates leave ``counts + decay^m (before - counts)``; 1 where that can't be told.
    """
    start, now = (before - counts).double(), (after - counts).double()
    size = float(start.square().sum())
    if decay == 0 or size < 1e-6:
        return 1.0
    left = float((start * now).sum()) / size
    return math.log(min(max(left, 1e-6), 1.0)) / math.log(decay)


def codebook_signs(codebooks: Iterable[Codebook], dead_threshold: float) -> dict[str, float]:
    """Use and dead entries of each codebook that has been set, as shares of its entries."""
    signs: dict[str, float] = {}
    for level, codebook in enumerate(codebooks, 1):
        signs |= level_signs(level, codebook.cluster_size, dead_threshold)
    return signs


def level_signs(level: int, uses: Tensor, dead_threshold: float = 0.0) -> dict[str, float]:
    """Use and dead entries of one codebook by its entries' averaged uses a batch ``[size]``."""
    total = float(uses.sum())
    if total <= 0:
        return {}
    share = uses.double() / total
    entropy = -(share * share.clamp_min(1e-12).log()).sum()
    dead = uses <= max(dead_threshold, BARELY_USED * total / len(uses))
    return {
        f"doctor/codebook_use/{level}": float(entropy.exp()) / len(uses),
        f"doctor/codebook_dead/{level}": float(dead.double().mean()),
    }


def checkpoint_signs(state: Mapping[str, Tensor], step: int) -> dict[str, float]:
    """The same of a codec's saved state after ``step`` steps, and how often it was updated a step.

    The latter is left out where the codec had been updated before this training.
    """
    signs: dict[str, float] = {}
    for name, value in state.items():
        found = CLUSTER_SIZES.fullmatch(name)
        if found:
            signs |= level_signs(int(found[1]) + 1, value)
    updates = int(state.get("quantizer.steps", torch.zeros(())))
    if step and updates and updates % step == 0:
        signs["doctor/codebook_updates"] = updates / step
    return signs
