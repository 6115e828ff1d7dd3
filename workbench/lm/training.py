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

from workbench.api.errors import WorkbenchError
from workbench.api.settings import TrainingSettings
from workbench.api.types import Sequence, TokenizedExample
from workbench.lm.collate import LMBatch, collate
from workbench.lm.transformer import TransformerLM

if TYPE_CHECKING:
    from workbench.api.protocols import Task
    from workbench.training.session import Optimise

MAX_DRAWS = 100
"""Draws of an example in a row that may be too short before the corpus counts as unusable."""


def codebook_losses(model: TransformerLM, batch: LMBatch, reduction: str = "mean") -> list[Tensor]:
    """Cross-entropy in nats of each codebook's trained tokens."""
    memory = None if batch.memory is None else model.without_memory(batch.memory, batch.bare)
    hidden = model(batch.rows, memory, batch.allowed).flatten(0, 1)
    return [
        F.cross_entropy(model.logits(hidden[at], k).float(), targets, reduction=reduction)
        for k, (at, targets) in enumerate(zip(batch.positions, batch.targets, strict=True))
    ]


class LMTrainee:
    """What the training loop needs to train a language model on :class:`LMBatch` batches.

    The loss is the mean of the codebooks' cross-entropies, each codebook counting alike.
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
        """One optimisation step; logs the loss and each codebook's perplexity."""
        self.model.train()
        losses = codebook_losses(self.model, batch.to(self.model.heads.device))
        loss = torch.stack(losses).mean()
        norm = optimise(loss, "model")
        scalars: dict[str, float | Tensor] = {"loss": loss.detach(), "gradient_norm": norm}
        for k, each in enumerate(losses):
            scalars[f"perplexity_{k + 1}"] = each.detach().exp()
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
) -> Callable[[int], LMBatch]:
    """``batches(step)`` for the training loop: a pure function of (seed, step).

    Each pass over ``items`` has an order of its own. ``batch_size`` counts one process' items;
    ``shard`` is (rank, world), and processes take turns within a step's items. Items that the task
    finds too short are passed over in favour of a random other one.
    """
    if not items:
        raise WorkbenchError("there are no tokenised examples to train a language model on")
    rank, world = shard
    config = model.config

    @lru_cache(maxsize=2)
    def order(epoch: int) -> list[int]:
        return np.random.default_rng((seed, epoch)).permutation(len(items)).tolist()  # type: ignore[no-any-return]

    def batches(step: int) -> LMBatch:
        sequences, bare = [], []
        for slot in range(batch_size):
            number = (step * world + rank) * batch_size + slot
            epoch, place = divmod(number, len(items))
            rng = np.random.default_rng((seed, epoch, place, 1))
            sequences.append(_draw(task, role, items, order(epoch)[place], rng))
            bare.append(bool(rng.random() < config.condition_dropout))
        return collate(config, sequences, torch.tensor(bare))

    return batches


def _draw(
    task: Task, role: str, items: Items[TokenizedExample], index: int, rng: np.random.Generator
) -> Sequence:
    """A training sequence of item ``index``, or of a random one where that is too short."""
    for _ in range(MAX_DRAWS):
        sequence = task.training_sequence(role, items[index], rng)
        if sequence is not None:
            return sequence
        index = int(rng.integers(len(items)))
    raise WorkbenchError(
        f"{MAX_DRAWS} examples in a row were too short to train on; "
        "shorten what the task asks for, or give it longer recordings"
    )


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

    The perplexity of codebook k over many is ``exp(sum nats[k] / sum tokens[k])``.
    """
    model.eval()
    items = list(sequences)
    scores = []
    for first in range(0, len(items), batch_size):
        part = items[first : first + batch_size]
        batch = collate(model.config, part, torch.zeros(len(part), dtype=torch.bool))
        length = batch.rows.shape[1]
        batch = batch.to(model.heads.device)
        losses = codebook_losses(model, batch, reduction="none")
        owners = [at // length for at in batch.positions]
        for b in range(len(part)):
            mine = [loss[owner == b] for loss, owner in zip(losses, owners, strict=True)]
            nats = tuple(float(each.double().sum()) for each in mine)
            scores.append(SequenceScore(nats, tuple(len(each) for each in mine)))
    return scores
