"""Masks, and the variety that encoders are trained against."""

from __future__ import annotations

import torch

from workbench import FrameGrid, LogMelFrames, Masking, SpectrumTeacher, UnitTeacher, vary_by


def test_masks_are_spans_and_never_empty() -> None:
    torch.manual_seed(0)
    mask = Masking(span=5, probability=0.0).draw(50, 40)
    for row in mask:
        hidden = row.nonzero().flatten()
        assert 1 <= len(hidden) <= 5
        assert torch.equal(hidden, torch.arange(int(hidden[0]), int(hidden[-1]) + 1))
        assert len(hidden) == 5 or int(hidden[-1]) == 39


def test_share_of_hidden_frames() -> None:
    torch.manual_seed(0)
    share = float(Masking(span=8, probability=0.08).draw(200, 300).float().mean())
    assert abs(share - (1 - 0.92**8)) < 0.03


def test_teachers_say_the_same_under_mixed_precision() -> None:
    wav = torch.randn(4, 8000, generator=torch.Generator().manual_seed(0))
    mel = LogMelFrames(FrameGrid(16_000, 320, 400))
    for teacher in (UnitTeacher(mel, mel.dim, 16), SpectrumTeacher(mel, mel.dim)):
        teacher.fit([(wav, 24)], torch.Generator().manual_seed(0))
        exact = teacher(wav, 24)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(teacher(wav, 24), exact)


def test_variety_changes_sound_but_not_place() -> None:
    torch.manual_seed(0)
    wav = torch.zeros(8, 8000)
    wav[:, 3000:3100] = torch.randn(8, 100)
    vary = vary_by(1.0, 16_000)
    assert vary is not None
    varied = vary(wav)
    assert varied.shape == wav.shape
    energy = varied.square()
    assert bool((energy[:, 2900:3200].mean(1) > 5 * energy[:, 5000:].mean(1)).all())
    levels = 10 * (energy.sum(1) / wav.square().sum(1)).log10()
    assert float(levels.max() - levels.min()) > 3
    assert vary_by(0.0, 16_000) is None
