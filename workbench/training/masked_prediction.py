"""Masked prediction: the self-supervised objective of HuBERT, WavLM and MERT.

Some input frames are hidden from an encoder, which must tell from the rest what teachers say of
them: a cluster index (HuBERT, arXiv 2106.07447; MERT's acoustic teacher) or a vector such as a
constant-Q spectrum (MERT's musical teacher, arXiv 2306.00107). Teachers see the clean audio; the
encoder may be given a varied version of it, as in WavLM (arXiv 2110.13900).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench.audio.encoder import WaveformEncoder
from workbench.training.clustering import kmeans, nearest
from workbench.training.doctor.monitors import BatchMonitor, Monitors, TeacherMonitor
from workbench.training.loop import adamw

if TYPE_CHECKING:
    from workbench.api.settings import TrainingSettings
    from workbench.training.session import Optimise

KMEANS_ITERATIONS = 25


@dataclass(frozen=True)
class Masking:
    """Which frames are hidden, and how much the others count."""

    span: int = 8
    """Frames in a row that are hidden together."""
    probability: float = 0.08
    """Chance of each frame to start a hidden span."""
    unmasked_weight: float = 0.5
    """Weight of the loss on the frames that are not hidden."""

    def draw(self, batch: int, frames: int) -> Tensor:
        """A mask bool ``[batch, frames]`` from torch's random state; at least a span an item."""
        starts = torch.rand(batch, frames) < self.probability
        forced = torch.randint(frames, (batch,))
        starts[torch.arange(batch), forced] = True
        reach = F.pad(starts.float().unsqueeze(1), (self.span - 1, 0))
        return F.max_pool1d(reach, self.span, stride=1).squeeze(1).bool()


class UnitTeacher(nn.Module):
    """Says of each frame which of K clusters it belongs to.

    ``features`` maps audio ``[B, T]`` and a frame count F to ``[B, F, D]``. The clusters are found
    by :meth:`fit` in z-scored features, and are buffers, so that checkpoints hold them.
    """

    mean: Tensor
    scale: Tensor
    centroids: Tensor

    def __init__(self, features: nn.Module, dim: int, clusters: int) -> None:
        super().__init__()
        self.features = features
        self.outputs = clusters
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("centroids", torch.zeros(clusters, dim))

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, int]], generator: torch.Generator) -> None:
        """Find the clusters in batches of (audio ``[B, T]``, frames)."""
        points = _pool(self.features, batches)
        _set_statistics(self, points)
        points = (points - self.mean) / self.scale
        self.centroids.copy_(kmeans(points, self.outputs, KMEANS_ITERATIONS, generator))

    @torch.no_grad()
    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """Cluster indices int64 ``[B, F]``."""
        with torch.autocast(wav.device.type, enabled=False):  # half precision misplaces points
            points = (self.features(wav, frames) - self.mean) / self.scale
            return nearest(points.flatten(0, 1), self.centroids).view(points.shape[:2])

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy ``[B, F]`` of logits ``[B, F, K]``."""
        return F.cross_entropy(prediction.transpose(1, 2), target, reduction="none")


class SpectrumTeacher(nn.Module):
    """Gives each frame a vector to be predicted: ``features``, z-scored in each dimension."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: nn.Module, dim: int) -> None:
        super().__init__()
        self.features = features
        self.outputs = dim
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, int]], generator: torch.Generator) -> None:
        """Measure mean and standard deviation; ``generator`` is not needed here."""
        del generator
        _set_statistics(self, _pool(self.features, batches))

    @torch.no_grad()
    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """Targets ``[B, F, D]``."""
        with torch.autocast(wav.device.type, enabled=False):
            values: Tensor = (self.features(wav, frames) - self.mean) / self.scale
        return values

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean squared error ``[B, F]``; 1 is what predicting the mean scores."""
        return (prediction - target).square().mean(dim=-1)


class HiddenStateFeatures(nn.Module):
    """A frozen encoder's hidden state as a teacher's features: HuBERT's second round."""

    def __init__(self, encoder: WaveformEncoder, layer: int) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.layer = layer

    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """``[B, F, D]``; ``frames`` is what the encoder yields anyway."""
        del frames
        return self.encoder.hidden_states(wav)[self.layer]


Teacher = UnitTeacher | SpectrumTeacher


class MaskedPrediction:
    """Trains a :class:`WaveformEncoder` to predict its teachers: a ``Trainee`` of the session.

    ``teachers`` maps a name (used in the log) to a fitted teacher and the weight of its loss.
    ``vary``, where given, makes the encoder's input from the clean audio ``[B, T]``; ``seed``
    initialises the prediction heads. A batch is audio ``[B, T]`` at the encoder's rate.
    """

    def __init__(
        self,
        encoder: WaveformEncoder,
        teachers: Mapping[str, tuple[Teacher, float]],
        masking: Masking,
        settings: TrainingSettings,
        vary: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.masking = masking
        self.vary = vary
        self.weights = {name: weight for name, (_, weight) in teachers.items()}
        self.teachers = nn.ModuleDict({name: teacher for name, (teacher, _) in teachers.items()})
        device = next(encoder.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # so that a resumed run starts its next round the same way
            heads = {name: nn.Linear(encoder.dim, t.outputs) for name, (t, _) in teachers.items()}
        self.heads = nn.ModuleDict(heads).to(device)
        parameters = [*encoder.parameters(), *self.heads.parameters()]
        self.optimizer = adamw(parameters, settings)
        head = next(iter(self.heads.values()))
        self.monitor = Monitors(
            BatchMonitor(head, lambda batch: batch),
            TeacherMonitor(dict(self.teachers.items()), [self.optimizer]),
        )

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, prediction heads, and teachers with their clusters."""
        return {"encoder": self.encoder, "heads": self.heads, "teachers": self.teachers}

    def optimizers(self) -> dict[str, Optimizer]:
        """One AdamW over encoder and heads."""
        return {"encoder": self.optimizer}

    def step(self, batch: Tensor, step: int, optimise: Optimise) -> dict[str, float | Tensor]:
        """One step on audio ``[B, T]``; logs each teacher's loss on the hidden frames."""
        del step  # the objective is the same throughout
        frames = self.encoder.frames(batch.shape[-1])
        mask = self.masking.draw(len(batch), frames).to(batch.device)
        heard = batch if self.vary is None else self.vary(batch)
        features = self.encoder.hidden_states(heard, mask)[-1]
        total = batch.new_zeros(())
        log: dict[str, float | Tensor] = {}
        for name, weight in self.weights.items():
            hidden, seen = self._losses(name, features, mask, batch)
            total = total + weight * (hidden + self.masking.unmasked_weight * seen)
            log[f"masked_{name}"] = hidden.detach()
        log["loss"] = total.detach()
        optimise(total, "encoder")
        return log

    def _losses(
        self, name: str, features: Tensor, mask: Tensor, wav: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One teacher's mean loss on the hidden frames and on the others."""
        teacher = self.teachers[name]
        assert isinstance(teacher, UnitTeacher | SpectrumTeacher)
        target = teacher(wav, features.shape[1])
        losses = teacher.loss(self.heads[name](features), target)
        hidden = (losses * mask).sum() / mask.sum()
        seen = (losses * ~mask).sum() / (~mask).sum().clamp_min(1)
        return hidden, seen


def _pool(features: nn.Module, batches: Iterable[tuple[Tensor, int]]) -> Tensor:
    """All frames of all batches, ``[N, D]``."""
    return torch.cat([features(wav, frames).flatten(0, 1) for wav, frames in batches])


def _set_statistics(teacher: Teacher, points: Tensor) -> None:
    teacher.mean.copy_(points.mean(dim=0))
    teacher.scale.copy_(points.std(dim=0).clamp_min(1e-5))
