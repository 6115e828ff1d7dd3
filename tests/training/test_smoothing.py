"""Spectrograms that are averaged over time and bands."""

from __future__ import annotations

import torch

from workbench import smooth_spectrum

MOST = (9, 7)


def test_smoothing_averages_some_spectra_and_leaves_the_others() -> None:
    spectrum = torch.rand(64, 40, 32)
    torch.manual_seed(0)
    smoothed = smooth_spectrum(spectrum, 0.5, MOST)
    same = (smoothed == spectrum).flatten(1).all(dim=1)
    assert 16 < int(same.sum()) < 48
    assert torch.all(smoothed.flatten(1).std(dim=1)[~same] < spectrum.flatten(1).std(dim=1)[~same])
    torch.testing.assert_close(
        smooth_spectrum(torch.ones(8, 10, 16), 1.0, MOST), torch.ones(8, 10, 16)
    )


def test_windows_stay_within_their_bounds() -> None:
    impulse = torch.zeros(200, 41, 31)
    impulse[:, 20, 15] = 1.0
    reached = smooth_spectrum(impulse, 1.0, MOST) > 0
    assert int(reached.any(dim=2).sum(dim=1).max()) == 9
    assert int(reached.any(dim=1).sum(dim=1).max()) == 7
    assert int(reached.any(dim=2).sum(dim=1).min()) == 1


def test_it_depends_on_the_seed_alone() -> None:
    spectrum = torch.rand(8, 20, 16)
    torch.manual_seed(3)
    first = smooth_spectrum(spectrum, 0.5, MOST)
    torch.manual_seed(3)
    assert torch.equal(first, smooth_spectrum(spectrum, 0.5, MOST))
