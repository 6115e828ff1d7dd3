"""Spectra on an encoder's frames lie where the encoder's frames do."""

from __future__ import annotations

import pytest
import torch

from workbench import FrameGrid, LogMelFrames, MfccFrames

GRID = FrameGrid(16_000, 320, 400)


@pytest.mark.parametrize("n_fft", [256, 400, 1024])
def test_a_click_is_loudest_in_the_frame_centred_on_it(n_fft: int) -> None:
    wav = torch.zeros(1, 16_000)
    wav[0, 320 * 20 + 200] = 1.0
    mel = LogMelFrames(GRID, n_fft=n_fft, n_mels=20)(wav, 49)
    assert mel.shape == (1, 49, 20)
    assert int(mel.exp().sum(dim=-1).argmax()) == 20


@pytest.mark.parametrize("samples", [1, 399, 400, 5000])
def test_any_number_of_frames_of_any_audio(samples: int) -> None:
    for frames in (1, 3, 40):
        assert MfccFrames(GRID)(torch.randn(2, samples), frames).shape == (2, frames, 39)


def test_cepstra_beyond_the_first_ignore_loudness() -> None:
    wav = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    loud, soft = (MfccFrames(GRID)(gain * wav, 24)[..., :13] for gain in (1.0, 0.5))
    torch.testing.assert_close(loud[..., 1:], soft[..., 1:], rtol=1e-3, atol=1e-3)
    assert bool((loud[..., 0] > soft[..., 0] + 1).all())
