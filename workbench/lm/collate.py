"""Training sequences to one padded batch of input rows and per-codebook targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from workbench.api.errors import PluginError, WorkbenchError
from workbench.api.types import Condition, Sequence
from workbench.lm.config import LMConfig
from workbench.lm.patterns import Pattern, build_pattern
from workbench.lm.vocabulary import Vocabulary


@dataclass(frozen=True)
class LMBatch:
    """One batch; an item is its prefix, the start symbol, its model steps but the last, padding.

    ``rows`` int64 ``[B, T, W]``: input rows. ``positions[k]`` and ``targets[k]`` (int64 ``[N_k]``):
    the flat positions (b T + t) that predict a token of codebook k, and those tokens. Only what is
    trained appears there: no prompt, no padding. ``memory`` ``[B, S, D]`` and ``allowed`` (bool
    ``[B, S]``, its valid vectors) are there for a model with ``memory_dim``; ``bare`` (bool
    ``[B]``) marks items that go without their condition. ``visible`` (bool ``[B, T]``, what is no
    padding) is there for a model whose attention goes both ways.
    """

    rows: Tensor
    positions: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    bare: Tensor
    memory: Tensor | None = None
    allowed: Tensor | None = None
    visible: Tensor | None = None

    def to(self, device: torch.device) -> LMBatch:
        """The same batch on ``device``."""
        optional = (self.memory, self.allowed, self.visible)
        return LMBatch(
            self.rows.to(device),
            tuple(position.to(device) for position in self.positions),
            tuple(target.to(device) for target in self.targets),
            self.bare.to(device),
            *(None if tensor is None else tensor.to(device) for tensor in optional),
        )


@dataclass(frozen=True)
class LaidOut:
    """One item: ``rows`` ``[T, W]``, and its trained positions and targets by codebook."""

    rows: Tensor
    positions: list[Tensor]
    targets: list[Tensor]


def token_rows(vocabulary: Vocabulary, pattern: Pattern, tokens: Tensor) -> Tensor:
    """Input rows ``[..., S, W]`` of a pattern's tokens ``[..., S, W]``, from its step 0 on."""
    books = pattern.codebooks(tokens.shape[-2]).to(tokens.device)
    return tokens + books * (vocabulary.codebook_size + 1)


def lead_rows(
    vocabulary: Vocabulary, width: int, condition: Condition, conditional: bool = True
) -> Tensor:
    """Input rows ``[P + 1, W]`` of an item's prefix and the start symbol.

    Without its condition, an item has the same number of positions, all "no condition".
    """
    symbols = condition.prefix
    rows = torch.full((1 if symbols is None else len(symbols) + 1, width), vocabulary.nothing)
    if symbols is not None:
        rows[:-1, 0] = symbols + vocabulary.prefix_row if conditional else vocabulary.no_condition
    rows[-1, 0] = vocabulary.start
    return rows


def collate(config: LMConfig, sequences: Iterable[Sequence], bare: Tensor) -> LMBatch:
    """The batch of some training sequences; ``bare`` (bool ``[B]``) ones go without condition."""
    vocabulary = Vocabulary.of(config)
    pattern = build_pattern(config.pattern, config.num_codebooks)
    items = list(sequences)
    laid_out = [
        _lay_out(config, vocabulary, pattern, item, dropped)
        for item, dropped in zip(items, bare.tolist(), strict=True)
    ]
    return assemble(config, laid_out, [item.condition for item in items], bare)


def assemble(
    config: LMConfig, laid_out: list[LaidOut], conditions: list[Condition], bare: Tensor
) -> LMBatch:
    """Items side by side, padded on the right."""
    rows = pad_sequence(
        [each.rows for each in laid_out], True, float(Vocabulary.of(config).nothing)
    )
    length = rows.shape[1]
    memory, allowed = collate_memory(config, conditions)
    taken = length + (memory.shape[1] if memory is not None and config.before_dim else 0)
    if taken > config.context:
        raise WorkbenchError(
            f"a training sequence takes {taken} positions, but the model's context is "
            f"{config.context}: raise context, or train on less at a time"
        )
    positions, targets = [], []
    for k in range(config.num_codebooks):
        at = [each.positions[k] + b * length for b, each in enumerate(laid_out)]
        positions.append(torch.cat(at))
        targets.append(torch.cat([each.targets[k] for each in laid_out]))
    visible = None
    if config.given_codebooks:
        lengths = torch.tensor([len(each.rows) for each in laid_out])
        visible = torch.arange(length)[None] < lengths[:, None]
    return LMBatch(rows, tuple(positions), tuple(targets), bare, memory, allowed, visible)


def check_codebooks(config: LMConfig, codes: Tensor, what: str) -> None:
    """Codes that a task hands over must be ``[K, F]`` with the model's own K."""
    if codes.dim() != 2 or len(codes) != config.num_codebooks:
        raise PluginError(
            f"{what} must be codes [{config.num_codebooks}, frames], as the model has "
            f"{config.num_codebooks} codebooks; got shape {list(codes.shape)}"
        )


def _lay_out(
    config: LMConfig, vocabulary: Vocabulary, pattern: Pattern, item: Sequence, bare: bool
) -> LaidOut:
    """An item for an autoregressive model: each position predicts the next step."""
    codes = item.codes
    check_codebooks(config, codes, "a training sequence")
    trained = torch.zeros_like(codes)
    trained[:, item.loss_from :] = 1
    if config.end_symbol:  # one more frame, whose first codebook says "the end"
        codes = F.pad(codes, (0, 1), value=vocabulary.absent)
        trained = F.pad(trained, (0, 1))
        trained[0, -1] = 1
    tokens = pattern.arrange(codes[None], fill=vocabulary.absent)[0]
    mask = pattern.arrange(trained[None], fill=0)[0].bool()
    lead = lead_rows(vocabulary, pattern.width, item.condition, conditional=not bare)
    rows = torch.cat((lead, token_rows(vocabulary, pattern, tokens)[:-1]))
    books = pattern.codebooks(len(tokens))
    positions, targets = [], []
    for k in range(config.num_codebooks):
        steps, slots = torch.nonzero(mask & (books == k), as_tuple=True)
        positions.append(steps + len(lead) - 1)
        targets.append(tokens[steps, slots])
    return LaidOut(rows, positions, targets)


def collate_memory(
    config: LMConfig, conditions: Iterable[Condition]
) -> tuple[Tensor | None, Tensor | None]:
    """Padded memories ``[B, S, D]`` and their valid vectors ``[B, S]``; None without memory.

    Padded on the left, so that where they come before the codes nothing lies in between.
    """
    if not config.memory_dim:
        return None, None
    memories = [condition.memory for condition in conditions]
    present = [memory for memory in memories if memory is not None]
    if len(present) < len(memories):
        raise PluginError("a model with memory_dim needs Condition.memory on every item")
    lengths = torch.tensor([len(memory) for memory in present])
    padded = pad_sequence(present, batch_first=True, padding_side="left")
    return padded, torch.arange(padded.shape[1])[None] >= padded.shape[1] - lengths[:, None]
