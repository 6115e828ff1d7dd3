"""Train a language model on codes, and score held-out codes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench.api.settings import TrainingSettings
from workbench.api.types import Sequence, TokenizedExample
from workbench.lm.collate import LMBatch, collate
from workbench.lm.drawing import SequenceDrawer
from workbench.lm.refine import collate_stage
from workbench.lm.transformer import TransformerLM
from workbench.training.doctor.monitors import BatchMonitor

if TYPE_CHECKING:
    from workbench.api.protocols import Task
    from workbench.training.session import Optimise


def codebook_losses(model: TransformerLM, batch: LMBatch) -> list[Tensor]:
    """Cross-entropy in nats of each codebook's trained tokens, ``[N_k]``."""
    memory = None if batch.memory is None else model.without_memory(batch.memory, batch.bare)
    hidden = model(batch.rows, memory, batch.allowed, batch.visible).flatten(0, 1)
    return [
        F.cross_entropy(model.logits(hidden[at], k).float(), targets, reduction="none")
        for k, (at, targets) in enumerate(zip(batch.positions, batch.targets, strict=True))
    ]


class LMTrainee:
    """What the training loop needs to train a language model on :class:`LMBatch` batches.

    The loss is the mean cross-entropy of all trained tokens.
    """

    def __init__(self, model: TransformerLM, settings: TrainingSettings) -> None:
        self.model = model
        decayed = [p for n, p in model.named_parameters() if p.dim() > 1 and n != EMBEDDING]
        others = [p for n, p in model.named_parameters() if p.dim() <= 1 or n == EMBEDDING]
        groups = [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        betas = (settings.betas[0], settings.betas[1])
        self.optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=betas, fused=True
        )
        self.monitor = BatchMonitor(model, lambda batch: batch.rows)

    def modules(self) -> dict[str, nn.Module]:
        """The model."""
        return {"model": self.model}

    def optimizers(self) -> dict[str, Optimizer]:
        """One AdamW."""
        return {"model": self.optimizer}

    def step(
        self,
        batch: LMBatch,
        step: int,  # noqa: ARG002 - part of the protocol
        optimise: Optimise,
    ) -> Mapping[str, float | Tensor]:
        """One optimisation step; logs the loss and the perplexity of each codebook in the batch."""
        self.model.train()
        losses = codebook_losses(self.model, batch.to(self.model.heads.device))
        loss = torch.cat(losses).mean()
        norm = optimise(loss, "model")
        scalars: dict[str, float | Tensor] = {"loss": loss.detach(), "gradient_norm": norm}
        for k, each in enumerate(losses):
            if len(each):
                scalars[f"perplexity_{k + 1}"] = each.detach().mean().exp()
        return scalars


EMBEDDING = "embedding.weight"


def sequence_batches(
    task: Task,
    role: str,
    items: Items[TokenizedExample],
    model: TransformerLM,
    batch_size: int,
    seed: int,
    shard: tuple[int, int] = (0, 1),
    pool: int = 1,
) -> Callable[[int], LMBatch]:
    """``batches(step)`` for the training loop: a pure function of (seed, step).

    Each pass over ``items`` has an order of its own. ``batch_size`` counts one process' items;
    ``shard`` is (rank, world), and processes take turns within a step's items. ``pool`` steps are
    drawn together and their items shared out by length, the steps in random order. Items that the
    task has no use for are passed over in favour of a random other one.
    """
    drawer = SequenceDrawer(task, role, items)
    rank, world = shard
    whole = world * batch_size
    config = model.config
    lengths = [item.codes.shape[-1] for item in items] if pool > 1 else []

    @lru_cache(maxsize=2)
    def order(epoch: int) -> list[int]:
        return np.random.default_rng((seed, epoch)).permutation(len(items)).tolist()  # type: ignore[no-any-return]

    @lru_cache(maxsize=2)
    def pooled(index: int) -> list[list[int]]:
        """The numbers of the draws of each step of a pool."""
        numbers = range(index * pool * whole, (index + 1) * pool * whole)
        if pool == 1:
            return [list(numbers)]
        drawn = {n: order(n // len(items))[n % len(items)] for n in numbers}
        by_length = sorted(numbers, key=lambda n: (lengths[drawn[n]], n))
        steps = [by_length[first : first + whole] for first in range(0, pool * whole, whole)]
        return [steps[i] for i in np.random.default_rng((seed, index, 3)).permutation(pool)]

    def batches(step: int) -> LMBatch:
        sequences, bare = [], []
        for number in pooled(step // pool)[step % pool][rank * batch_size :][:batch_size]:
            epoch, place = divmod(number, len(items))
            rng = np.random.default_rng((seed, epoch, place, 1))
            sequences.append(drawer.of_any(order(epoch)[place], rng))
            bare.append(bool(rng.random() < config.condition_dropout))
        if not config.given_codebooks:
            return collate(config, sequences, torch.tensor(bare))
        rng = np.random.default_rng((seed, step, rank, 2))
        stage = int(rng.integers(config.given_codebooks, config.num_codebooks))
        return collate_stage(config, sequences, torch.tensor(bare), stage)

    return batches


@dataclass(frozen=True)
class SequenceScore:
    """How well a model predicts one sequence: summed nats and tokens of each codebook."""

    nats: tuple[float, ...]
    tokens: tuple[int, ...]


@torch.no_grad()
def score_sequences(
    model: TransformerLM, sequences: Iterable[Sequence], batch_size: int = 8
) -> list[SequenceScore]:
    """Score held-out sequences, from each one's ``loss_from`` on, in order.

    The perplexity of codebook k over many is ``exp(sum nats[k] / sum tokens[k])``. A model that
    fills in codebooks is scored stage by stage, each given the true codebooks before.
    """
    model.eval()
    items = list(sequences)
    scores = []
    for first in range(0, len(items), batch_size):
        scores += _score_batch(model, items[first : first + batch_size])
    return scores


def _score_batch(model: TransformerLM, items: list[Sequence]) -> list[SequenceScore]:
    config = model.config
    bare = torch.zeros(len(items), dtype=torch.bool)
    if config.given_codebooks:
        stages = range(config.given_codebooks, config.num_codebooks)
        passes = [collate_stage(config, items, bare, stage) for stage in stages]
    else:
        passes = [collate(config, items, bare)]
    nats = torch.zeros(len(items), config.num_codebooks, dtype=torch.float64)
    tokens = torch.zeros(len(items), config.num_codebooks, dtype=torch.long)
    for batch in passes:
        losses = codebook_losses(model, batch.to(model.heads.device))
        for k, (at, loss) in enumerate(zip(batch.positions, losses, strict=True)):
            owners = at // batch.rows.shape[1]
            nats[:, k].index_add_(0, owners, loss.cpu().double())
            tokens[:, k].index_add_(0, owners, torch.ones_like(owners))
    return [
        SequenceScore(tuple(n), tuple(t))
        for n, t in zip(nats.tolist(), tokens.tolist(), strict=True)
    ]
