"""Settings that recipes hold and components read. Plain dataclasses; this module imports no torch.

A rule that a value breaks is raised as ``ValueError("field = value: rule")``; the recipe reader
puts the full path in front of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NO_COMPONENT = "none"
"""What an optional slot names when it is to stay empty."""


def check(rule: bool, name: str, value: object, must: str) -> None:
    """Raise the ``ValueError`` that recipe reading turns into a problem, unless ``rule`` holds."""
    if not rule:
        raise ValueError(f"{name} = {value!r}: must be {must}")


@dataclass
class Slot:
    """A choice of component: its name and its options.

    In YAML a bare string is short for a slot with default options. After a recipe has been read,
    ``options`` holds every option as plain values and ``settings`` the component's own dataclass.
    """

    name: str = ""
    """Name of the component; `workbench plugins list` shows them."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of that component; `workbench plugins list` shows them with their defaults."""
    settings: Any = field(default=None, repr=False, compare=False, metadata={"internal": True})
    """The options as an instance of the component's dataclass; filled in by the reader."""

    @property
    def chosen(self) -> bool:
        """Whether the slot names a component (and not ``none``)."""
        return self.name not in ("", NO_COMPONENT)


def slot(
    kind: str,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    cls: type[Slot] = Slot,
) -> Any:
    """A dataclass field of type :class:`Slot` (or ``cls``) that chooses a component of ``kind``.

    Without a default ``name`` the slot must be filled; with ``name="none"`` it may stay empty.
    A component's own options may hold such fields too; they are validated with the recipe.

    Example: ``judge: Slot = slot("semantic_encoder", "mert", {"layers": [9]})``.
    """
    return field(
        default_factory=lambda: cls(name, dict(options or {})),
        metadata={"kind": kind, "optional": name == NO_COMPONENT},
    )


def slots(kind: str) -> Any:
    """A dataclass field of type ``list[Slot]``, empty by default, of components of ``kind``."""
    return field(default_factory=list, metadata={"kind": kind, "optional": False})


@dataclass
class TrainingSettings:
    """How one model is trained; the same for codecs, encoders and language models."""

    steps: int = 0
    """Optimisation steps; 0 leaves the model as it was built or loaded."""
    batch_size: int = 8
    """Items a step, over all processes and accumulation rounds together."""
    segment_seconds: float = 3.0
    """Length of the audio crops that are trained on, in seconds."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    """AdamW's two decay rates of its moments."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises linearly from 0."""
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"
    """How the learning rate goes from its peak to `final_lr_ratio` of it."""
    final_lr_ratio: float = 0.05
    """Learning rate at the last step as a share of the peak."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 turns clipping off."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward and backward pass; weights stay in fp32. `fp16` needs a GPU."""
    accumulate: int = 1
    """Rounds that a batch is split into, to fit memory."""
    ema_decay: float = 0.0
    """Decay of a running average of the weights, kept as the result; 0 keeps the last weights."""
    checkpoint_seconds: float = 60.0
    """Seconds between checkpoints; a killed run goes on from the last."""
    validate_every: int = 200
    """Steps between looks at held-out data, where the model has them; 0 for none."""
    log_every: int = 10
    """Steps between logged points."""
    health_every: int = 50
    """Steps between the doctor's looks into a step (about half a step's time each); 0 for none."""

    def __post_init__(self) -> None:
        check(self.steps >= 0, "steps", self.steps, "at least 0")
        for name in ("batch_size", "accumulate", "log_every"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("segment_seconds", "learning_rate", "checkpoint_seconds"):
            check(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("weight_decay", "warmup_steps", "clip_norm", "validate_every", "health_every"):
            check(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        check(
            len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "betas",
            self.betas,
            "two numbers in [0, 1)",
        )
        check(0 <= self.final_lr_ratio <= 1, "final_lr_ratio", self.final_lr_ratio, "in [0, 1]")
        check(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "in [0, 1)")
        divides = self.batch_size % self.accumulate == 0
        check(divides, "accumulate", self.accumulate, f"a divisor of batch_size {self.batch_size}")


@dataclass
class LMSizes:
    """Size and shape of a language model over codes."""

    width: int = 256
    """Width of the residual stream; a multiple of `heads`."""
    depth: int = 6
    """Transformer layers."""
    heads: int = 4
    """Attention heads."""
    ffn_multiple: float = 4.0
    """Width of the feed-forward layers as a multiple of `width`."""
    dropout: float = 0.0
    """Dropout during training."""
    pattern: Literal["flatten", "delay", "parallel"] = "flatten"
    """Order in which the codebooks are predicted; `flatten` is the paper's for music."""
    context: int = 2048
    """Longest sequence in positions, condition included."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "context"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        check(
            self.width % self.heads == 0, "width", self.width, f"a multiple of heads {self.heads}"
        )
        check(self.ffn_multiple > 0, "ffn_multiple", self.ffn_multiple, "above 0")
        check(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")


@dataclass
class SamplingSettings:
    """How codes are drawn from a language model."""

    temperature: float = 1.0
    """Logits are divided by it; 0 takes the likeliest code."""
    top_k: int = 0
    """Draw among the k likeliest codes; 0 is no limit."""
    top_p: float = 1.0
    """Draw among the likeliest codes that together have this probability; 1 is no limit."""
    guidance_scale: float = 1.0
    """Classifier-free guidance: 1 is off, more follows the condition more closely."""
    repetition_window: int = 0
    """Repetition-aware sampling looks back at this many codes of a codebook; 0 is off."""
    repetition_ratio: float = 0.1
    """A code that makes up more than this share of the window is drawn anew, without limits."""
    refine_temperature: float = 0.0
    """Temperature of models that fill in codebooks beside given ones; 0, VALL-E's choice, takes
    the likeliest code."""

    def __post_init__(self) -> None:
        for name in ("temperature", "refine_temperature"):
            check(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        check(self.top_k >= 0, "top_k", self.top_k, "at least 0")
        check(0 < self.top_p <= 1, "top_p", self.top_p, "in (0, 1]")
        check(self.guidance_scale >= 0, "guidance_scale", self.guidance_scale, "at least 0")
        check(
            self.repetition_window >= 0, "repetition_window", self.repetition_window, "at least 0"
        )
        check(
            0 <= self.repetition_ratio <= 1, "repetition_ratio", self.repetition_ratio, "in [0, 1]"
        )
