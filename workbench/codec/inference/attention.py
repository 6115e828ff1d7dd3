"""Attention of transformers' models by oneDNN, a head and a few queries at a time.

What torch calls for attention's matrix products reaches a third of the speed on CPUs that aren't
Intel's, and the scores of all heads together don't fit into the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from workbench.codec.inference.kernels import Precision

SCORES = 1 << 19
"""Scores that are computed at once: 2 MB."""
FLOAT32, BFLOAT16 = "workbench_fp32", "workbench_bf16"
"""Names of the two functions below among transformers'."""


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """Softmax attention ``[B, T, H, d]`` of queries ``[B, H, T, d]`` over keys ``[B, H, N, d]``.

    ``mask`` is added to the scores ``[B, H, T, N]``, to which it can be broadcast, or says where
    they count. Products are of ``dtype``, the softmax of float32.
    """
    batch, heads, length, _ = query.shape
    count = key.shape[2]
    result = query.new_empty(batch, length, heads, value.shape[-1])
    size = min(length, max(1, SCORES // count))
    if mask is not None:
        mask = mask.expand(batch, heads, length, count)
    for item in range(batch):
        for head in range(heads):
            keys = _Matrix(key[item, head], dtype, size)
            values = _Matrix(value[item, head].t(), dtype, size)
            for begin in range(0, length, size):
                rows = slice(begin, begin + size)
                scores = keys.multiply(query[item, head, rows] * scale).float()
                if mask is not None:
                    scores = _masked(scores, mask[item, head, rows])
                weights = torch.softmax(scores, dim=-1)
                result[item, rows, head] = values.multiply(weights).to(result.dtype)
    return result


class _Matrix:
    """A matrix ``[out, in]``, packed for a number of rows."""

    def __init__(self, matrix: Tensor, dtype: torch.dtype, rows: int) -> None:
        self.dtype = dtype
        matrix = matrix.to(dtype).contiguous()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(matrix, rows)

    def multiply(self, x: Tensor) -> Tensor:
        """``[N, out]`` of ``[N, in]``."""
        x = x.to(self.dtype).contiguous()
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        return y


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


def _attention_function(dtype: torch.dtype) -> Any:
    def function(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        **unused: Any,
    ) -> tuple[Tensor, None]:
        del module, unused  # dropout is for training, and no weights are returned
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        return attend(query, key, value, scale, attention_mask, dtype), None

    return function


for _name, _dtype in ((FLOAT32, torch.float32), (BFLOAT16, torch.bfloat16)):
    AttentionInterface.register(_name, _attention_function(_dtype))
    AttentionMaskInterface.register(_name, sdpa_mask)


def replace_attention(root: nn.Module, precision: Precision) -> None:
    """Let transformers' models inside ``root`` attend by the functions above, where they can.

    In bfloat16 where precision is reduced and the CPU multiplies it by itself.
    """
    reduced = precision != "fp32" and torch.cpu._is_avx512_bf16_supported()
    for module in root.modules():
        # Models with attention of their own kind (WavLM) keep it.
        if isinstance(module, PreTrainedModel) and module._supports_sdpa:
            module.set_attn_implementation(BFLOAT16 if reduced else FLOAT32)
