from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.codec.acoustic import (
    DacDecoder,
    DacEncoder,
    Snake1d,
    add_weight_norm,
    dac_frames,
    remove_weight_norm,
)


def test_snake_is_its_formula() -> None:
    snake = Snake1d(2)
    with torch.no_grad():
        snake.alpha.copy_(torch.tensor([[[0.5], [2.0]]]))
    x = torch.randn(1, 2, 9)
    alpha = snake.alpha
    assert torch.allclose(snake(x), x + torch.sin(alpha * x) ** 2 / alpha, atol=1e-6)


@pytest.mark.parametrize("strides", [[8, 5, 4], [3, 7], [2, 2, 2], [5]])
@pytest.mark.parametrize("channels", [1, 2])
def test_whole_frames_keep_their_number_and_length(strides: list[int], channels: int) -> None:
    hop = 1
    for stride in strides:
        hop *= stride
    encoder, decoder = DacEncoder(channels, 2, strides, 6), DacDecoder(channels, 16, strides, 6)
    for frames in (1, 2, 7):
        latent = encoder(torch.randn(2, channels, frames * hop))
        assert latent.shape == (2, 6, frames)
        assert decoder(latent).shape == (2, channels, frames * hop)


@pytest.mark.parametrize("strides", [[8, 5, 4], [3, 7]])
def test_the_predicted_number_of_frames_is_what_comes_out(strides: list[int]) -> None:
    encoder = DacEncoder(1, 2, strides, 4)
    for samples in (160, 161, 319, 500, 813):
        assert dac_frames(strides, samples) == encoder(torch.randn(1, 1, samples)).shape[-1]


def test_the_decoder_has_no_bounded_output() -> None:
    torch.manual_seed(0)
    decoder = DacDecoder(1, 16, [2, 2], 4)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(5)
    assert float(decoder(torch.randn(1, 4, 50) * 10).detach().abs().max()) > 1


def test_weight_normalisation_changes_no_output_and_comes_off_again() -> None:
    torch.manual_seed(0)
    encoder = DacEncoder(1, 2, [4, 2], 4)
    names = set(encoder.state_dict())
    wav = torch.randn(1, 1, 64)
    plain = encoder(wav)
    add_weight_norm(encoder)
    assert any("original0" in name for name in encoder.state_dict())
    assert torch.allclose(encoder(wav), plain, atol=1e-6)
    remove_weight_norm(encoder)
    assert set(encoder.state_dict()) == names
    assert torch.allclose(encoder(wav), plain, atol=1e-6)
    assert all(isinstance(p, nn.Parameter) for p in encoder.parameters())
