"""The parts that codecs for inference are made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.codec.test_checkpoints import tiny_teacher
from workbench.codec.acoustic import Snake1d
from workbench.codec.inference import attention
from workbench.codec.inference.attention import attend, replace_attention
from workbench.codec.inference.dac import cut, silence_outside, stretches
from workbench.codec.inference.kernels import FloatKernel, Geometry, Int8Kernel, build_kernel
from workbench.codec.inference.layers import PackedConv1d, PackedLinear, pack, replace_called
from workbench.codec.inference.snake import SnakeKernel, eager_snake, fused_snake
from workbench.codec.inference.waveform import tile_feature_extractors

SHAPES = [
    (32, 48, 7, Geometry(dilation=3)),
    (32, 48, 8, Geometry(stride=4, padding=2)),
    (32, 32, 1, Geometry()),
    (64, 64, 16, Geometry(padding=8, groups=4)),
    (1, 32, 7, Geometry(padding=3)),
    (32, 1, 7, Geometry(padding=3)),
    (32, 32, 7, Geometry(padding=3, groups=32)),
]
TOLERANCES = {"fp32": 1e-5, "bf16": 0.02, "int8": 0.05}


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize(("inputs", "outputs", "kernel", "geometry"), SHAPES)
@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_kernels_are_convolutions(
    inputs: int, outputs: int, kernel: int, geometry: Geometry, precision: Any, shift: float
) -> None:
    torch.manual_seed(0)
    fan = inputs // geometry.groups * kernel
    weight = torch.randn(outputs, inputs // geometry.groups, kernel) / fan**0.5
    bias, x = torch.randn(outputs), torch.randn(2, inputs, 60) + shift
    g = geometry
    expected = F.conv1d(x, weight, bias, g.stride, g.padding, g.dilation, g.groups)
    packed = build_kernel(weight, bias, geometry, precision)
    got = packed(x.transpose(1, 2)).float().transpose(1, 2)
    assert got.shape == expected.shape
    assert float((got - expected).abs().max()) < TOLERANCES[precision] * float(x.abs().max()) * 2
    residual = torch.randn_like(expected).transpose(1, 2)
    added = packed.add_to(residual, x.transpose(1, 2)).float()
    assert torch.allclose(added, residual + got.transpose(1, 2), atol=0.1)


def test_layers_of_a_waveform_keep_full_precision() -> None:
    narrow, wide = torch.randn(32, 1, 7), torch.randn(32, 32, 7)
    assert isinstance(build_kernel(narrow, None, Geometry(), "int8"), FloatKernel)
    assert isinstance(build_kernel(wide, None, Geometry(), "int8"), Int8Kernel)
    kernel = build_kernel(narrow, None, Geometry(), "bf16")
    assert isinstance(kernel, FloatKernel)
    assert kernel.dtype == torch.float32


def test_silence_is_quantised() -> None:
    kernel = build_kernel(torch.randn(16, 16, 3), torch.arange(16.0), Geometry(), "int8")
    assert torch.equal(kernel(torch.zeros(1, 5, 16)), torch.arange(16.0).expand(1, 3, 16))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_snakes_are_the_formula(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    snake = Snake1d(24)
    with torch.no_grad():
        snake.alpha.uniform_(0.05, 20)
    x = (5 * torch.randn(2, 50, 24)).to(dtype)
    expected = snake(x.float().transpose(1, 2)).transpose(1, 2)
    for activation in (eager_snake, fused_snake):
        got = SnakeKernel(snake, activation)(x)
        assert got.dtype == dtype
        # The phase of a large argument has few digits left, in either way to compute it.
        assert torch.allclose(
            got.float(), expected, atol=1e-4, rtol=0.0 if dtype == torch.float32 else 0.01
        )


@pytest.mark.parametrize("scores", [1, 200, 1 << 20])
@pytest.mark.parametrize("mask", ["none", "added", "boolean", "of each item"])
def test_attention_is_softmax_attention(
    scores: int, mask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "SCORES", scores)
    torch.manual_seed(0)
    query = torch.randn(2, 3, 20, 8)
    key, value = torch.randn(2, 3, 31, 8), torch.randn(2, 3, 31, 8)
    masks = {
        "none": None,
        "added": torch.randn(1, 1, 1, 31),
        "boolean": torch.rand(1, 1, 20, 31) > 0.3,
        "of each item": torch.randn(2, 1, 20, 31),
    }
    expected = F.scaled_dot_product_attention(query, key, value, masks[mask]).transpose(1, 2)
    got = attend(query, key, value, 8**-0.5, masks[mask], torch.float32)
    assert torch.allclose(got, expected, atol=1e-5)
    rough = attend(query, key, value, 8**-0.5, masks[mask], torch.bfloat16)
    assert rough.dtype == torch.float32
    assert 1e-5 < float((rough - expected).abs().max()) < 0.05


@pytest.mark.parametrize("norm", ["group", "layer"])
@torch.no_grad()
def test_feature_extractors_over_tiles_are_the_models_own(
    norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    torch.manual_seed(0)
    config = tiny_teacher("hubert")
    config.feat_extract_norm, config.conv_bias = norm, norm == "layer"
    model = transformers.HubertModel(config).eval()
    wav = torch.randn(2, 5000) + 0.2
    expected = model.feature_extractor(wav)
    states = model(wav).last_hidden_state
    monkeypatch.setattr("workbench.codec.inference.waveform.TILE", 2048)
    replace_attention(model, "fp32")
    tile_feature_extractors(model, "fp32")
    assert model.feature_extractor.tile < expected.shape[-1] // 2
    assert torch.allclose(model.feature_extractor(wav), expected, atol=1e-5)
    assert torch.allclose(model(wav).last_hidden_state, states, atol=1e-4)
    assert model.config._attn_implementation == attention.FLOAT32


class _Reads(nn.Module):
    """Calls one layer and reads the weights of another."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.read = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.called(x), self.read.weight)


def test_only_layers_that_are_called_are_replaced() -> None:
    module = _Reads()
    x = torch.randn(3, 4)
    expected = module(x)
    replace_called([module], lambda: module(x), lambda layer: pack(layer, "fp32"))
    assert isinstance(module.called, PackedLinear)
    assert type(module.read) is nn.Linear
    assert torch.allclose(module(x), expected, atol=1e-6)


def test_convolutions_that_pad_in_another_way_stay() -> None:
    assert isinstance(pack(nn.Conv1d(2, 2, 3, padding=1), "fp32"), PackedConv1d)
    for conv in (
        nn.Conv1d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.Conv1d(2, 2, 3, padding="same"),
    ):
        assert pack(conv, "fp32") is conv


@pytest.mark.parametrize(("total", "size"), [(1, 1), (10, 3), (10, 10), (7, 100), (0, 5)])
def test_stretches_cover_all_of_time_once(total: int, size: int) -> None:
    found = list(stretches(total, size))
    assert [position for a, b in found for position in range(a, b)] == list(range(total))
    assert all(b - a <= size for a, b in found)


def test_what_lies_outside_is_zero() -> None:
    x = torch.arange(1.0, 6.0)[None, :, None]
    assert cut(x, -2, 3).flatten().tolist() == [0, 0, 1, 2, 3]
    assert cut(x, 3, 8).flatten().tolist() == [4, 5, 0, 0, 0]
    tile = torch.ones(1, 6, 1)
    silence_outside(tile, -2, 3)
    assert tile.flatten().tolist() == [0, 0, 1, 1, 1, 0]
