"""Masks, and the variety that encoders are trained against."""

from __future__ import annotations

import torch

from workbench import (
    FrameGrid,
    LogMelFrames,
    Masking,
    SpectrumTeacher,
    UnitTeacher,
    overlap_by,
    reverberate_by,
    vary_by,
)


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


def test_rooms_answer_clicks_after_the_direct_sound_and_die_away() -> None:
    torch.manual_seed(0)
    wav = torch.zeros(400, 8000)
    wav[:, 1000] = 1.0
    reverberate = reverberate_by(0.5, 16_000)
    assert reverberate is not None
    answer = reverberate(wav) - wav
    energy = answer.square()
    assert float(energy[:, :1080].max()) < 1e-10  # nothing before, and 5 ms are the sound's alone
    level = energy.sum(1).sqrt()
    wet = level > 1e-3
    assert 0.4 < float(wet.float().mean()) < 0.6
    assert 0.15 < float(level[wet].min()) < float(level[wet].max()) < 0.71
    early, late = energy[wet, 1080:2600].sum(1), energy[wet, 5600:7120].sum(1)
    assert bool((late < 0.3 * early).all())
    assert reverberate_by(0.0, 16_000) is None


def test_overlap_adds_a_piece_of_another_clip_to_the_chosen_ones() -> None:
    tones = torch.stack([torch.sin(torch.arange(4000) * step) for step in (0.1, 0.2, 0.3, 0.4)])
    overlap = overlap_by(0.5)
    assert overlap is not None
    torch.manual_seed(0)
    touched = 0
    for _ in range(100):
        added = overlap(tones) - tones
        for item in range(4):
            spoken = added[item].abs() > 0
            if not bool(spoken.any()):
                continue
            touched += 1
            assert int(spoken.sum()) <= 2000
            level = added[item][spoken].abs().max() / tones[item].abs().max()
            assert 10**-0.25 - 0.05 < level < 10**0.25 + 0.05 or int(spoken.sum()) < 50
    assert 150 < touched < 250  # half of 400


def test_no_overlap_is_no_function_and_a_lone_clip_is_left_alone() -> None:
    assert overlap_by(0.0) is None
    overlap = overlap_by(1.0)
    lone = torch.randn(1, 1000)
    assert overlap is not None
    assert torch.equal(overlap(lone), lone)
