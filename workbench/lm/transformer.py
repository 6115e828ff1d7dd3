"""Decoder-only transformer over the codebooks of a codec.

Shape letters: B batch, T positions, W tokens a step, D width, H heads, S memory vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.lm.config import LMConfig
from workbench.lm.patterns import build_pattern
from workbench.lm.vocabulary import Vocabulary

ROPE_BASE = 10000.0
"""Base of the rotary frequencies (RoFormer, arXiv 2104.09864)."""


def rotary_table(head_dim: int, positions: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``[positions, head_dim / 2]`` of the rotary angles."""
    rates = ROPE_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), rates)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair (i, i + head_dim / 2) of ``x [..., T, head_dim]`` by its position's angle."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)


class SelfAttention(nn.Module):
    """Multi-head attention within the sequence, with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, visible: Tensor | None) -> Tensor:
        """``[B, T, D]`` of ``[B, T, D]``.

        Without ``visible``, position t sees positions 0 to t; otherwise those that it marks, bool
        ``[B, 1, 1, T]`` for all positions alike or ``[B, 1, T, T]`` for each.
        """
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, is_causal=visible is None)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Multi-head attention to a memory, such as a text encoder's output."""

    def __init__(self, width: int, heads: int, memory_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(memory_dim, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def memory_heads(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``[B, H, S, D / H]`` of a memory ``[B, S, memory_dim]``."""
        both = self.key_value(memory).unflatten(-1, (2, self.heads, -1))
        key, value = both.permute(2, 0, 3, 1, 4)
        return key, value

    def forward(self, x: Tensor, memory: Tensor, allowed: Tensor) -> Tensor:
        """``[B, T, D]`` of ``[B, T, D]`` and memory; ``allowed`` is bool ``[B, 1, 1, S]``."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.memory_heads(memory)
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.out(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def mask_with_prefix(allowed: Tensor, length: int, visible: Tensor | None) -> Tensor:
    """What positions see where S vectors come before ``length`` others; a padded one sees itself.

    ``allowed`` (bool ``[B, S]``) marks the vectors that are no padding. The mask is bool
    ``[B, 1, S + length, S + length]`` where attention is causal; with ``visible`` (bool
    ``[B, length]``) it goes both ways, ``[B, 1, 1, S + length]``.
    """
    if visible is not None:
        return torch.cat((allowed, visible), dim=1)[:, None, None]
    seen = F.pad(allowed, (0, length), value=True)[:, None, None]
    total = seen.shape[-1]
    square = torch.ones(total, total, dtype=torch.bool, device=allowed.device)
    return (square.tril() & seen) | torch.eye(total, dtype=torch.bool, device=allowed.device)


class FeedForward(nn.Module):
    """Gated feed-forward layer (SwiGLU, arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, T, D]`` of ``[B, T, D]``."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)  # type: ignore[no-any-return]


def norm(width: int) -> nn.LayerNorm:
    """Layer norm without bias: one fused kernel on the CPU, where RMS norm takes four."""
    return nn.LayerNorm(width, bias=False)


class Block(nn.Module):
    """Pre-norm block: self-attention, cross-attention where there is a memory, feed-forward."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.attention_norm = norm(width)
        self.attention = SelfAttention(width, heads)
        self.cross_norm = norm(width) if config.cross_dim else None
        self.cross = CrossAttention(width, heads, config.cross_dim) if config.cross_dim else None
        self.feed_forward_norm = norm(width)
        self.feed_forward = FeedForward(width, config.ffn_width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        memory: Tensor | None,
        visible: Tensor | None,
        allowed: Tensor | None,
    ) -> Tensor:
        """``[B, T, D]`` of ``[B, T, D]``."""
        x = x + self.dropout(self.attention(self.attention_norm(x), *rotary, visible))
        if self.cross is not None and self.cross_norm is not None:
            x = x + self.dropout(self.cross(self.cross_norm(x), memory, allowed))
        x = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x


class TransformerLM(nn.Module):
    """Embeddings of every codebook, causal transformer, and an output head for every codebook."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        if not (config.num_codebooks and config.codebook_size):
            raise ValueError(
                f"num_codebooks is {config.num_codebooks} and codebook_size is "
                f"{config.codebook_size}; both must be set from the codec before building the model"
            )
        self.config = config
        self.vocabulary = Vocabulary.of(config)
        self.pattern = build_pattern(config.pattern, config.num_codebooks)
        self.embedding = nn.Embedding(
            self.vocabulary.size, config.width, padding_idx=self.vocabulary.nothing
        )
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = norm(config.width)
        classes = config.codebook_size + int(config.end_symbol)
        self.heads = nn.Parameter(torch.empty(config.num_codebooks, classes, config.width))
        if config.memory_dim:
            self.no_memory = nn.Parameter(torch.zeros(config.memory_dim))
        self.before: nn.Linear | None = None
        if config.before_dim:
            self.before = nn.Linear(config.before_dim, config.width, bias=False)
        cosines, sines = rotary_table(config.width // config.heads, config.context)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Branch outputs start small, so a block starts near the identity; heads near uniform."""
        nothing = self.vocabulary.nothing
        depth_scale = (2 * self.config.depth) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            std = parameter.shape[-1] ** -0.5
            if name.endswith(("attention.out.weight", "cross.out.weight", "down.weight")):
                std *= depth_scale
            elif name == "heads":
                std *= 0.4
            elif name == "embedding.weight":
                std = 0.5  # with 0.02, 200 steps got as far as 80 do with this
            nn.init.normal_(parameter, std=std)
        with torch.no_grad():
            self.embedding.weight[nothing].zero_()

    def classes(self, codebook: int) -> int:
        """Number of outcomes of a token of ``codebook``; the first may have an end besides."""
        return self.config.codebook_size + int(self.config.end_symbol and codebook == 0)

    def without_memory(self, memory: Tensor, bare: Tensor) -> Tensor:
        """``memory`` with the vectors of items marked in ``bare`` (bool ``[B]``) made neutral."""
        return torch.where(bare[:, None, None], self.no_memory, memory)

    @property
    def layers(self) -> list[Block]:
        """The blocks, first to last."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(
        self,
        rows: Tensor,
        memory: Tensor | None = None,
        allowed: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Hidden states ``[B, T, D]`` (normalised) of input rows int64 ``[B, T, W]``.

        ``memory`` is float32 ``[B, S, memory_dim]``, ``allowed`` bool ``[B, S]`` its valid vectors;
        ``memory_as`` says what is done with it. ``visible`` (bool ``[B, T]``) makes attention go
        both ways, to those positions.
        """
        x = self.embedding(rows).sum(dim=2)
        mask = None if visible is None else visible[:, None, None, :]
        if self.before is not None and memory is not None and allowed is not None:
            x = torch.cat((self.before(memory), x), dim=1)
            mask = mask_with_prefix(allowed, rows.shape[1], visible)
        x = self.dropout(x)
        cosines, sines = self.get_buffer("cosines"), self.get_buffer("sines")
        rotary = (cosines[: x.shape[1]], sines[: x.shape[1]])
        if allowed is not None:
            allowed = allowed[:, None, None, :]
        for block in self.blocks:
            x = block(x, rotary, memory, mask, allowed)
        return self.norm(x[:, -rows.shape[1] :])  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor, codebook: int) -> Tensor:
        """Logits ``[..., classes]`` of ``codebook`` from hidden states ``[..., D]``."""
        return F.linear(hidden, self.heads[codebook, : self.classes(codebook)])
