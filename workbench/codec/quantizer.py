"""Residual vector quantisation with Euclidean codebooks learnt by moving averages.

A forward pass in training mode has no lasting effect but to collect statistics; :meth:`update`,
called once an optimisation step, moves the codebooks. So a second forward pass, or the batches of
an accumulated step, can't move them twice. Buffer names are those of transformers' ``XcodecModel``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.codec.config import QuantizerConfig

SMOOTHING = 1e-5
DERIVED = ".embed_avg"
"""End of the names of tensors that weights may leave out: loading makes them of the others."""


@dataclass(frozen=True)
class Quantized:
    """Result of a training pass.

    ``vectors`` ``[B, F, Q]`` carry the straight-through gradient; ``codes`` are ``[B, n, F]`` for
    the n codebooks used; ``commitment`` is the mean over them of the squared distances.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """One codebook of ``size`` vectors of width ``dim``."""

    inited: Tensor
    cluster_size: Tensor
    embed: Tensor
    embed_avg: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("inited", torch.zeros(1))
        self.register_buffer("cluster_size", torch.zeros(size))
        self.register_buffer("embed", torch.zeros(size, dim))
        self.register_buffer("embed_avg", torch.zeros(size, dim))
        self.counts: Tensor | None = None
        self.sums: Tensor | None = None
        self.candidates: Tensor | None = None

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Load; averages that are left out are what entries and their uses imply."""
        names = [f"{prefix}{name}" for name in ("embed", "cluster_size", "embed_avg")]
        if names[0] in state_dict and names[1] in state_dict and names[2] not in state_dict:
            uses = state_dict[names[1]].float()
            state_dict[names[2]] = state_dict[names[0]].float() * uses[:, None]
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def nearest(self, x: Tensor) -> Tensor:
        """Index of the nearest entry for each row of ``[N, Q]``."""
        embed = self.embed.t()
        squares = x.pow(2).sum(1, keepdim=True)
        distance = -(squares - 2 * x @ embed + embed.pow(2).sum(0, keepdim=True))
        return distance.max(dim=-1).indices

    @torch.no_grad()
    def collect(self, x: Tensor, codes: Tensor) -> None:
        """Add the uses of entries by the rows of ``[N, Q]`` to this step's statistics."""
        uses = torch.zeros_like(self.cluster_size).index_add_(0, codes, torch.ones_like(x[:, 0]))
        sums = torch.zeros_like(self.embed).index_add_(0, codes, x)
        self.counts = uses if self.counts is None else self.counts + uses
        self.sums = sums if self.sums is None else self.sums + sums
        self.candidates = x

    @torch.no_grad()
    def update(self, decay: float, dead_threshold: float) -> None:
        """Move the entries by the collected statistics of all processes; forget these."""
        if self.counts is None or self.sums is None or self.candidates is None:
            return
        counts, sums = all_sum(self.counts), all_sum(self.sums)
        self.cluster_size.lerp_(counts, 1 - decay)
        self.embed_avg.lerp_(sums, 1 - decay)
        total = self.cluster_size.sum()
        smoothed = self.cluster_size + SMOOTHING
        smoothed *= total / (total + SMOOTHING * len(smoothed))
        self.embed.copy_(self.embed_avg / smoothed[:, None])
        self._replace_dead(dead_threshold)
        self.counts = self.sums = self.candidates = None

    def _replace_dead(self, threshold: float) -> None:
        """Put frames of the batch in the place of entries that are hardly used."""
        assert self.candidates is not None
        dead = self.cluster_size < threshold
        candidates = all_rows(self.candidates)
        choice = from_first(torch.randint(len(candidates), (len(dead),)).to(candidates.device))
        fresh = candidates[choice]
        # A fresh entry counts as just alive, and its average agrees with it: else the next update
        # would move it back to where it died.
        self.embed[dead] = fresh[dead]
        self.embed_avg[dead] = fresh[dead] * threshold
        self.cluster_size[dead] = threshold

    @torch.no_grad()
    def initialise(self, x: Tensor, config: QuantizerConfig) -> None:
        """Set the entries by k-means over the rows of ``[N, Q]`` of all processes."""
        rows = all_rows(x)
        order = from_first(torch.randperm(len(rows)).to(rows.device))
        rows = rows[order[: config.kmeans_samples]]
        means, counts = kmeans(rows, len(self.embed), config.kmeans_iterations)
        self.embed.copy_(means)
        self.cluster_size.copy_(counts * (len(x) * world() / len(rows)))  # uses a batch
        self.embed_avg.copy_(means * self.cluster_size[:, None])
        self.inited.fill_(1)


class VectorQuantization(nn.Module):
    """One level; a module of its own so that names agree with transformers'."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.codebook = Codebook(size, dim)


class ResidualVectorQuantizer(nn.Module):
    """K codebooks, each quantising what the ones before it left over."""

    steps: Tensor

    def __init__(self, config: QuantizerConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.quantizers = nn.ModuleList(
            VectorQuantization(config.size, dim) for _ in range(config.codebooks)
        )
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def codebooks(self) -> list[Codebook]:
        """The codebooks, coarsest first."""
        return [level.codebook for level in self.quantizers]  # type: ignore[misc]

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise ``[B, F, Q]`` for training, with a random number of codebooks.

        Before the k-means step, latents pass unchanged, and the commitment is 0.
        """
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            if self.training and int(self.steps) < self.config.kmeans_step:
                codes = torch.zeros(
                    (len(latents), 0, latents.shape[1]), dtype=torch.int64, device=latents.device
                )
                return Quantized(latents, codes, latents.new_zeros(()))
            return self._quantize(latents, self._draw_count())

    def _quantize(self, latents: Tensor, count: int) -> Quantized:
        residual = latents
        codes, losses = [], []
        for codebook in self.codebooks[:count]:
            rows = residual.detach().flatten(0, 1)
            if not bool(codebook.inited):
                codebook.initialise(rows, self.config)
            chosen = codebook.nearest(rows)
            if self.training:
                codebook.collect(rows, chosen)
            entries = F.embedding(chosen, codebook.embed).view_as(residual)
            losses.append(F.mse_loss(residual, entries))
            residual = residual - entries
            codes.append(chosen.view(residual.shape[:2]))
        vectors = latents - residual.detach()  # straight-through: gradients pass to latents as is
        return Quantized(vectors, torch.stack(codes, dim=1), torch.stack(losses).mean())

    def update(self) -> None:
        """Move the codebooks; to be called once in each optimisation step."""
        for codebook in self.codebooks:
            codebook.update(self.config.ema_decay, self.config.dead_threshold)
        self.steps += 1

    def _draw_count(self) -> int:
        """Number of codebooks of this step: a random bandwidth serves as dropout.

        All of them outside training and in the step that initialises them.
        """
        if not self.training or not bool(self.codebooks[-1].inited):
            return self.config.codebooks
        choices = self.config.dropout_choices or list(range(1, self.config.codebooks + 1))
        draw = torch.rand(2)
        if float(draw[0]) >= self.config.dropout:
            return self.config.codebooks
        return choices[int(float(draw[1]) * len(choices))]

    def encode(self, latents: Tensor, count: int | None = None) -> Tensor:
        """Codes ``[B, K, F]`` of ``[B, F, Q]``, or of the first ``count`` codebooks."""
        residual = latents.float()
        codes = []
        for codebook in self.codebooks[:count]:
            chosen = codebook.nearest(residual.flatten(0, 1)).view(residual.shape[:2])
            residual = residual - F.embedding(chosen, codebook.embed)
            codes.append(chosen)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Vectors ``[B, F, Q]`` of codes ``[B, k, F]``, k from 1 to K."""
        total = torch.zeros((), device=codes.device)
        for chosen, codebook in zip(codes.unbind(1), self.codebooks, strict=False):
            total = total + F.embedding(chosen, codebook.embed)
        return total


def kmeans(rows: Tensor, clusters: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Centres ``[clusters, Q]`` and member counts of ``rows`` ``[N, Q]``, started from random rows.

    With fewer rows than clusters, some rows start several centres. An empty cluster keeps its
    centre.
    """
    if len(rows) >= clusters:
        start = torch.randperm(len(rows))[:clusters]
    else:
        start = torch.randint(len(rows), (clusters,))
    means = rows[from_first(start.to(rows.device))].clone()
    counts = rows.new_zeros(clusters)
    for _ in range(iterations):
        distance = means.pow(2).sum(1) - 2 * rows @ means.t()
        nearest = distance.argmin(dim=1)
        counts = torch.zeros_like(counts).index_add_(0, nearest, torch.ones_like(rows[:, 0]))
        sums = torch.zeros_like(means).index_add_(0, nearest, rows)
        means = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], means)
    return means, counts


def world() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_sum(x: Tensor) -> Tensor:
    """Sum over all processes; ``x`` itself in a single one."""
    if world() > 1:
        x = x.clone()
        dist.all_reduce(x)
    return x


def all_rows(x: Tensor) -> Tensor:
    """Rows of all processes, in their order (each holds equally many)."""
    if world() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(world())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)


def from_first(x: Tensor) -> Tensor:
    """The first process' value, on all."""
    if world() > 1:
        x = x.clone()
        dist.broadcast(x, 0)
    return x
