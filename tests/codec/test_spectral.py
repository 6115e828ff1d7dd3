from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.codec.codec_parts import small_config, tones
from workbench.codec.spectral import FramedLogMel, InverseSTFT, SpectralDecoder, SpectralEncoder


@pytest.mark.parametrize(("n_fft", "hop"), [(64, 16), (64, 32), (48, 16)])
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_the_inverse_transform_gives_back_what_was_transformed(
    n_fft: int, hop: int, frames: int
) -> None:
    wav = torch.randn(2, frames * hop)
    side = (n_fft - hop) // 2
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(
        F.pad(wav, (side, side)), n_fft, hop, window=window, center=False, return_complex=True
    )
    assert spectrum.shape[-1] == frames
    back = InverseSTFT(n_fft, hop)(spectrum)
    assert back.shape == wav.shape
    assert torch.allclose(back, wav, atol=1e-5)


def test_mel_frames_are_exact_in_mixed_precision() -> None:
    mel, wav = FramedLogMel(8000, 320, 80, 20), tones(1, 800)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mel(wav)
    assert torch.equal(mixed, mel(wav))


def test_mel_frames_lie_centred_on_their_cells() -> None:
    mel = FramedLogMel(8000, 320, 80, 20)
    wav = torch.zeros(1, 1, 800)
    wav[..., 440] = 1.0  # the middle of cell 5
    loud = mel(wav).mean(dim=1)[0]
    assert int(loud.argmax()) == 5
    assert torch.allclose(loud[4], loud[6], atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 3, 8])
def test_whole_frames_keep_their_number_and_length(channels: int, frames: int) -> None:
    config = small_config("spectral", channels=channels)
    latent = SpectralEncoder(config)(tones(2, frames * 160, channels))
    assert latent.shape == (2, 12, frames)
    assert SpectralDecoder(config)(latent).shape == (2, channels, frames * 160)


def test_stacked_frames_stay_in_their_codec_frame() -> None:
    """A click far from a frame leaves that frame's latent alone: nothing is shuffled in time."""
    torch.manual_seed(0)
    encoder = SpectralEncoder(small_config("spectral"))
    wav = torch.zeros(1, 1, 40 * 160)
    clicked = wav.clone()
    clicked[..., 20 * 160 + 80] = 1.0
    change = (encoder(clicked) - encoder(wav)).abs().sum(dim=1)[0]
    assert int(change.argmax()) in (19, 20, 21)
    assert float(change[:14].max()) == 0
    assert float(change[27:].max()) == 0


def test_the_decoder_keeps_time_in_order() -> None:
    torch.manual_seed(0)
    decoder = SpectralDecoder(small_config("spectral"))
    latent = torch.randn(1, 12, 40)
    changed = latent.clone()
    changed[..., 20] += 1
    change = (decoder(changed) - decoder(latent)).abs()[0, 0].reshape(40, 160).sum(dim=1)
    assert int(change.argmax()) in range(17, 24)
    assert float(change[:10].max()) == 0
    assert float(change[31:].max()) == 0


def test_loud_spectra_stay_finite() -> None:
    decoder = SpectralDecoder(small_config("spectral"))
    assert bool(decoder(torch.full((1, 12, 4), 1e4)).isfinite().all())
