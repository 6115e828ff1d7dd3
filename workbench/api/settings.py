"""Settings that recipes and the parts they configure share. Plain dataclasses, validated once."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEDULES = ("cosine", "exponential", "constant")
PRECISIONS = ("fp32", "bf16", "fp16")
PATTERNS = ("flatten", "delay", "parallel")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass
class TrainingSettings:
    """How long and how fast one model is trained. ``steps: 0`` means: not trained."""

    steps: int = 0
    """Optimisation steps in all."""
    batch_size: int = 8
    """Items of one optimisation step, over all processes and before accumulation."""
    segment_seconds: float = 3.0
    """Length of the audio crops that a codec or an encoder is trained on."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    """AdamW's two moment decays."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    warmup_steps: int = 100
    """Steps of linear warm-up to the peak."""
    schedule: str = "cosine"
    """`cosine` or `exponential` decay to `final_lr_ratio`, or `constant`."""
    final_lr_ratio: float = 0.05
    """Last learning rate as a share of the peak."""
    clip_norm: float = 1.0
    """Largest gradient norm; 0 leaves gradients as they are."""
    precision: str = "fp32"
    """`fp32`, `bf16` or `fp16` (the last on a GPU only) for forward and backward passes."""
    accumulate: int = 1
    """Batches whose gradients are added up in one optimisation step."""
    ema_decay: float = 0.0
    """Decay of a running average of the weights, kept as the result; 0 keeps the last weights."""
    checkpoint_seconds: float = 60.0
    """Time between checkpoints; a killed run goes on from the last one."""
    log_every: int = 10
    """Steps between logged values."""

    def __post_init__(self) -> None:
        _require(self.steps >= 0, f"steps must be at least 0; got {self.steps}")
        for name in ("batch_size", "accumulate", "log_every"):
            value = getattr(self, name)
            _require(value >= 1, f"{name} must be at least 1; got {value}")
        for name in ("segment_seconds", "learning_rate", "checkpoint_seconds"):
            value = getattr(self, name)
            _require(value > 0, f"{name} must be above 0; got {value}")
        _require(
            self.schedule in SCHEDULES,
            f"schedule must be one of {', '.join(SCHEDULES)}; got {self.schedule!r}",
        )
        _require(
            self.precision in PRECISIONS,
            f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}",
        )
        _require(0 <= self.ema_decay < 1, f"ema_decay must be in [0, 1); got {self.ema_decay}")
        _require(len(self.betas) == 2, f"betas must be two numbers; got {self.betas}")
