"""Inference with a key-value cache: a step costs the same at any length, but for attention.

:class:`InferenceModel` holds a model's weights in the form that single steps want: gains of norms
folded into the matrices behind them, rotary pairs side by side so that turning queries and keys is
one complex multiplication. :class:`Decoder` is one batch in progress, with a cache allocated once.
On a small model the time of a step is the number of torch calls, so a block has few of them.

Shape letters: B batch, T positions, W tokens a step, D width, H heads, d = D / H, L layers,
C capacity of the cache, S memory vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.lm.matrices import Matrix, Precision, build_matrix
from workbench.lm.transformer import Block, CrossAttention, TransformerLM, rotary_table


@dataclass(frozen=True)
class _Cross:
    """A block's cross-attention."""

    query: Matrix
    out: Matrix
    module: CrossAttention


@dataclass(frozen=True)
class _Layer:
    """One block, with the norms' gains folded into the matrices."""

    qkv: Matrix
    out: Matrix
    gate_up: Matrix
    down: Matrix
    cross: _Cross | None


class InferenceModel:
    """A trained model's weights, copied and rearranged for decoding; made once for many batches."""

    def __init__(self, model: TransformerLM, precision: Precision = "fp32") -> None:
        config = model.config
        if config.given_codebooks:
            raise ValueError(
                "a model that fills in codebooks is no autoregressive one: use Refiner"
            )
        self.config = config
        self.vocabulary = model.vocabulary
        self.pattern = model.pattern
        self.device = model.heads.device
        self.absent = model.vocabulary.absent
        self.period = config.num_codebooks // model.pattern.width
        with torch.no_grad():
            self.embedding = model.embedding.weight.detach().clone()
            self.layers = [_prepare(block, precision) for block in model.layers]
            # One matrix for each step of a frame: the heads of the codebooks that it emits.
            heads = torch.split(model.heads * model.norm.weight, model.pattern.width)
            self.heads = [build_matrix(each.flatten(0, 1), precision) for each in heads]
            self.no_memory = model.no_memory.detach().clone() if config.memory_dim else None
            before = model.before
            self.before = None if before is None else before.weight.detach().clone()

    def logits(self, hidden: Tensor, step: int) -> Tensor:
        """Logits ``[B, W, classes]`` of what step ``step`` emits, from hidden states ``[B, D]``.

        ``hidden`` is what :class:`Decoder` returns for the position before that step. Where there
        is an end symbol, it is the last class, impossible for all codebooks but the first.
        """
        logits: Tensor = self.heads[step % self.period].apply(hidden)
        logits = logits.view(len(hidden), self.pattern.width, -1)
        if self.config.end_symbol:
            never = logits[:, 1:] if step % self.period == 0 else logits
            never[..., -1] = -torch.inf
        return logits


def _prepare(block: Block, precision: Precision) -> _Layer:
    def matrix(layer: nn.Linear, gain: Tensor | float = 1.0) -> Matrix:
        return build_matrix(layer.weight * gain, precision)

    attention, feed_forward = block.attention, block.feed_forward
    qkv = _interleaved(attention.qkv.weight, attention.heads) * block.attention_norm.weight
    cross = None
    if block.cross is not None and block.cross_norm is not None:
        query = matrix(block.cross.query, block.cross_norm.weight)
        cross = _Cross(query, matrix(block.cross.out), block.cross)
    return _Layer(
        qkv=build_matrix(qkv, precision),
        out=matrix(attention.out),
        gate_up=matrix(feed_forward.gate_up, block.feed_forward_norm.weight),
        down=matrix(feed_forward.down),
        cross=cross,
    )


def _interleaved(weight: Tensor, heads: int) -> Tensor:
    """``[3 D, D]`` with the rows (i, i + d/2) of each head's queries and keys made neighbours.

    Scores don't change when queries and keys are permuted alike.
    """
    rows = weight.view(3, heads, 2, -1, weight.shape[1])
    pairs = rows[:2].transpose(2, 3).flatten(0, 3)
    return torch.cat((pairs, rows[2].flatten(0, 2)))


class Decoder:
    """One batch in progress: :meth:`prefill` once, then :meth:`step` as often as is wanted."""

    def __init__(self, model: InferenceModel, batch: int, capacity: int) -> None:
        config = model.config
        self.model = model
        self.batch = batch
        self.position = 0
        self.norm_shape = (config.width,)
        heads, head_dim = config.heads, config.width // config.heads
        self.qkv_shape = (batch, 3, heads, head_dim)
        self.pair_shape = (batch, 2, heads, head_dim // 2, 2)
        # Keys and values of all layers in one tensor [2 L, B, H, C, d]: a step slices it once.
        shape = (2 * config.depth, batch, heads, capacity, head_dim)
        self.cache = torch.empty(shape, device=model.device)
        self.rotary = torch.complex(*rotary_table(head_dim, capacity)).to(model.device)
        self.before: Tensor | None = None
        self.before_padding = torch.zeros(batch, dtype=torch.long, device=model.device)
        self.memory: list[tuple[Tensor, Tensor]] = []
        self.memory_allowed: Tensor | None = None
        self.visible: Tensor | None = None

    def attend_to(self, memory: Tensor, allowed: Tensor) -> None:
        """Project a memory ``[B, S, memory_dim]`` (valid: bool ``[B, S]``) once for all steps.

        It is padded on the left. Where it comes before the codes, :meth:`prefill` puts it there,
        and the cache needs S positions more.
        """
        if self.model.before is not None:
            self.before = F.linear(memory, self.model.before)
            self.before_padding = (~allowed).sum(dim=1)
            return
        self.memory_allowed = allowed[:, None, None, :]
        for layer in self.model.layers:
            if layer.cross is not None:
                self.memory.append(layer.cross.module.memory_heads(memory))

    def prefill(self, rows: Tensor, padding: Tensor | None = None) -> Tensor:
        """Hidden state ``[B, D]`` after the input rows ``[B, T, W]``.

        Items of several lengths are padded on the left; ``padding`` (int64 ``[B]``) counts each
        one's padding positions. Rotary attention knows distances only, so the shift is harmless.
        """
        states = F.embedding(rows, self.model.embedding).sum(dim=2)
        if self.before is not None:
            states, padding = self._put_before(self.before, states, padding)
        batch, length, _ = states.shape
        x = states.flatten(0, 1)
        mask = None
        if padding is not None:
            columns = torch.arange(self.cache.shape[3], device=rows.device)
            self.visible = (columns >= padding[:, None])[:, None, None, :]
            # A padding position sees itself, or softmax would have nothing to share out.
            causal = columns[:length] <= columns[:length, None]
            own = torch.eye(length, dtype=torch.bool, device=rows.device)
            mask = (causal & self.visible[..., :length]) | own
        rotary = self.rotary[:length, None, None]
        for number, layer in enumerate(self.model.layers):
            x = self._block(x, number, layer, rotary, length, mask)
        self.position = length
        last = x.view(batch, length, -1)[:, -1]
        return F.layer_norm(last, self.norm_shape)

    def _put_before(
        self, vectors: Tensor, states: Tensor, padding: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """``[B, S + T, D]``: each item's vectors right before its rows; and all of its padding."""
        joined = torch.cat((vectors, states), dim=1)
        if padding is None:
            padding = torch.zeros_like(self.before_padding)
        # The rows' padding lies in between: vectors move up by as much.
        here = torch.arange(joined.shape[1], device=joined.device).expand(len(joined), -1)
        moved = here < vectors.shape[1] + padding[:, None]
        source = torch.where(moved, here - padding[:, None], here).clamp_min(0)
        joined = joined.gather(1, source[..., None].expand_as(joined))
        return joined, padding + self.before_padding

    def step(self, rows: Tensor) -> Tensor:
        """Hidden state ``[B, D]`` after one more position with input rows ``[B, W]``."""
        x = F.embedding(rows, self.model.embedding)
        x = x.sum(dim=1) if rows.shape[1] > 1 else x[:, 0]
        rotary = self.rotary[self.position]
        self.position += 1
        seen = self.cache.narrow(3, 0, self.position).unbind()
        new = self.cache.select(3, self.position - 1).split(2)  # type: ignore[no-untyped-call]
        mask = None if self.visible is None else self.visible[..., : self.position]
        for number, layer in enumerate(self.model.layers):
            qkv = layer.qkv.apply(F.layer_norm(x, self.norm_shape)).view(self.qkv_shape)
            torch.view_as_complex(qkv[:, :2].view(self.pair_shape)).mul_(rotary)
            new[number].copy_(qkv[:, 1:].transpose(0, 1))
            y = F.scaled_dot_product_attention(
                qkv[:, 0].unsqueeze(2), seen[2 * number], seen[2 * number + 1], attn_mask=mask
            )
            x = layer.out.add_to(x, y.view(x.shape))
            x = self._rest(x, number, layer, 1)
        return F.layer_norm(x, self.norm_shape)

    def _block(
        self,
        x: Tensor,
        number: int,
        layer: _Layer,
        rotary: Tensor,
        length: int,
        mask: Tensor | None,
    ) -> Tensor:
        """All positions of a prefill, ``[B T, D]``, through one block."""
        qkv = layer.qkv.apply(F.layer_norm(x, self.norm_shape))
        qkv = qkv.view(self.batch, length, *self.qkv_shape[1:])
        pairs = qkv[:, :, :2].view(self.batch, length, *self.pair_shape[1:])
        torch.view_as_complex(pairs).mul_(rotary)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        self.cache[2 * number, :, :, :length] = k
        self.cache[2 * number + 1, :, :, :length] = v
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = layer.out.add_to(x, y.transpose(1, 2).reshape(x.shape))
        return self._rest(x, number, layer, length)

    def _rest(self, x: Tensor, number: int, layer: _Layer, length: int) -> Tensor:
        """What follows self-attention in a block, ``[B T, D]``: cross-attention, feed-forward."""
        if layer.cross is not None:
            query = layer.cross.query.apply(F.layer_norm(x, self.norm_shape))
            query = query.view(self.batch, length, *self.qkv_shape[2:]).transpose(1, 2)
            key, value = self.memory[number]
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=self.memory_allowed)
            x = layer.cross.out.add_to(x, y.transpose(1, 2).reshape(x.shape))
        gate, up = layer.gate_up.apply(F.layer_norm(x, self.norm_shape)).chunk(2, dim=1)
        return layer.down.add_to(x, F.silu(gate).mul_(up))
