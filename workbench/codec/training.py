"""Training of an X-Codec: one generator forward a step, the whole batch, losses by weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import Optimizer

from workbench.api.settings import TrainingSettings
from workbench.codec.balancer import Balancer
from workbench.codec.discriminator import Discriminators
from workbench.codec.features import CropFeatures, FeatureSource
from workbench.codec.losses import (
    MelDistance,
    STFTDistance,
    SubbandDistance,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    mean_score,
)
from workbench.codec.monitor import CodecMonitor
from workbench.codec.quantizer import all_sum, world
from workbench.codec.xcodec import Reconstruction, XCodec
from workbench.training.loop import adamw
from workbench.training.session import Optimise

if TYPE_CHECKING:
    from workbench.audio.dataset import Crops

ON_WAVEFORM = ("mel", "stft", "pqmf", "adversarial", "feature_matching")
"""Losses on the decoded waveform, which a balancer can weigh."""


class CodecTrainee:
    """One X-Codec, its discriminators where they have a weight, and their optimisers."""

    def __init__(
        self, codec: XCodec, settings: TrainingSettings, features: FeatureSource | None = None
    ) -> None:
        self.codec = codec
        self.settings = settings
        self.features = features or CropFeatures(codec)
        self.losses = codec.config.losses
        self.start_step = codec.config.discriminator.start_step
        self.distances = reconstruction_distances(codec)
        self.discriminators: Discriminators | None = None
        self._optimizers: dict[str, Optimizer] = {"generator": adamw(codec.parameters(), settings)}
        if self.losses.adversarial or self.losses.feature_matching:
            self._add_discriminators()
        self.balancer: Balancer | None = None
        if self.losses.balance:
            self.balancer = Balancer({name: getattr(self.losses, name) for name in ON_WAVEFORM})
            self.balancer.to(codec.device)
        self.monitor = CodecMonitor(codec, self._optimizers.values())
        self._collected = 0

    def _add_discriminators(self) -> None:
        config = self.codec.config.discriminator
        self.discriminators = Discriminators(config, self.codec.channels)
        self.discriminators.to(self.codec.device)
        optimizer = adamw(self.discriminators.parameters(), self.settings)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate or self.settings.learning_rate
        self._optimizers["discriminator"] = optimizer

    def modules(self) -> dict[str, nn.Module]:
        """The codec (its teachers are no part of it), the discriminators and the balancer."""
        parts = {
            "codec": self.codec,
            "discriminators": self.discriminators,
            "balancer": self.balancer,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def optimizers(self) -> dict[str, Optimizer]:
        """``generator`` and, with adversarial training, ``discriminator``."""
        return self._optimizers

    def step(self, batch: Crops, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        """One step: the codec runs once, and both optimisers use what it yields."""
        wav = batch.wav.to(self.codec.device)
        self.codec.train()
        result = self.codec(wav, self.codec.normalise(self.features(batch)))
        scalars: dict[str, Tensor] = {}
        terms = self._reconstruction_terms(wav, result)
        if self.discriminators is not None and step >= self.start_step:
            scalars |= self._train_discriminators(wav, result.wav, optimise)
            terms |= self._adversarial_terms(wav, result.wav)
        objective = self._objective(terms, result.wav)
        self.monitor.weigh(self._contributions(terms), result.wav)
        scalars["gradient_norm"] = optimise(objective, "generator")
        self._update_codebooks()
        scalars |= {name: term.detach() for name, term in terms.items()}
        total = self._weighted(terms).detach()
        return {"loss": total, **scalars, **codebook_health(self.codec, result)}

    def _weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        weighted = [getattr(self.losses, name) * term for name, term in terms.items()]
        return torch.stack(weighted).sum()

    def _objective(self, terms: Mapping[str, Tensor], fake: Tensor) -> Tensor:
        """What is minimised: the weighted sum, or with a balancer, balanced where it can be."""
        if self.balancer is None:
            return self._weighted(terms)
        rest = {name: term for name, term in terms.items() if name not in ON_WAVEFORM}
        # The balanced gradient is a sum over clips; the loop takes means over rounds and processes.
        balanced: Tensor = self.balancer(terms, fake) * self._shards
        return balanced + self._weighted(rest) if rest else balanced

    @property
    def _shards(self) -> int:
        """Rounds and processes that share one batch."""
        return self.settings.accumulate * world()

    def _contributions(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each loss with the weight that it has in the objective of this step."""
        factors = self.balancer.factors if self.balancer is not None else {}
        return {
            name: term * factors[name] * self._shards
            if name in factors
            else term * getattr(self.losses, name)
            for name, term in terms.items()
        }

    def _reconstruction_terms(self, wav: Tensor, result: Reconstruction) -> dict[str, Tensor]:
        """Unweighted losses by the name of their weight; in float32, since they take logarithms."""
        with torch.autocast(wav.device.type, enabled=False):
            fake = result.wav.float()
            terms = {name: distance(fake, wav) for name, distance in self.distances.items()}
        if self.losses.commitment:
            terms["commitment"] = result.quantized.commitment
        if self.losses.semantic and result.targets:
            terms["semantic"] = semantic_loss(self.codec, result)
        return terms

    def _train_discriminators(
        self, real: Tensor, fake: Tensor, optimise: Optimise
    ) -> dict[str, Tensor]:
        """One step of theirs; their loss, and their mean scores of true and decoded audio."""
        assert self.discriminators is not None
        true, decoded = self.discriminators(real), self.discriminators(fake.detach())
        loss = discriminator_loss(true, decoded)
        optimise(loss, "discriminator")
        return {
            "discriminator": loss.detach(),
            "score_real": mean_score(true),
            "score_fake": mean_score(decoded),
        }

    def _adversarial_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        assert self.discriminators is not None
        with frozen(self.discriminators):
            judged = self.discriminators(fake)
            with torch.no_grad():
                truth = self.discriminators(real)
        return {
            "adversarial": adversarial_loss(judged),
            "feature_matching": feature_matching_loss(truth, judged),
        }

    def _update_codebooks(self) -> None:
        """Once an optimisation step, after its last batch where gradients are accumulated."""
        self._collected += 1
        if self._collected == self.settings.accumulate:
            self._collected = 0
            self.codec.quantizer.update()


def reconstruction_distances(codec: XCodec) -> dict[str, nn.Module]:
    """The waveform distances that have a weight, by its name, on the codec's device."""
    losses = codec.config.losses
    distances: dict[str, nn.Module] = {}
    if losses.mel:
        distances["mel"] = MelDistance(codec.sample_rate, losses.mel_windows, losses.mel_bins)
    if losses.stft:
        distances["stft"] = STFTDistance(losses.stft_windows, losses.stft_hops)
    if losses.pqmf:
        distances["pqmf"] = SubbandDistance(
            losses.pqmf_bands, losses.stft_windows, losses.stft_hops
        )
    device = codec.device
    return {name: distance.to(device) for name, distance in distances.items()}


def semantic_loss(codec: XCodec, result: Reconstruction) -> Tensor:
    """Squared distance of reconstructed to true features, summed over teachers by their weights."""
    terms = [
        teacher.weight * mse_loss(features.float(), target)
        for teacher, features, target in zip(
            codec.config.teachers, result.features, result.targets, strict=True
        )
    ]
    return torch.stack(terms).sum()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradient reaches the module's parameters inside the block; it still passes through."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in module.parameters():
            parameter.requires_grad_(True)


@torch.no_grad()
def codebook_health(codec: XCodec, result: Reconstruction) -> dict[str, Tensor]:
    """Perplexity in this batch of each codebook used: how many of its entries share it."""
    health = {}
    for level, codes in enumerate(result.quantized.codes.unbind(dim=1), start=1):
        uses = all_sum(torch.bincount(codes.flatten(), minlength=codec.codebook_size))
        share = uses / uses.sum()
        entropy = -(share * share.clamp_min(1e-12).log()).sum()
        health[f"perplexity_{level}"] = entropy.exp()
    return health
