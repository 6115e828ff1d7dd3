"""The bit rate of codes whose entropy is known."""

from __future__ import annotations

import pytest
import torch
from workbench_quality.bitrate import CodeBitrate


def rate(item, *codes, seconds=1.0):
    metric = CodeBitrate()
    for number, one in enumerate(codes):
        wav = torch.zeros(round(seconds * 16_000))
        metric.update(item(wav, wav, f"i{number}", codes=one))
    return metric.compute()


def test_entries_used_alike_cost_the_nominal_rate(item):
    """Two codebooks of 16 entries at 64 frames a second: 2 * 4 bits * 64."""
    codes = torch.stack([torch.arange(64) % 16, torch.arange(64).flip(0) % 16])
    (figure,) = rate(item, codes)
    assert figure.value == pytest.approx(0.512)
    assert figure.unit == "kbit/s"


def test_an_entry_that_never_changes_costs_nothing(item):
    codes = torch.stack([torch.arange(64) % 16, torch.full((64,), 7)])
    (figure,) = rate(item, codes)
    assert figure.value == pytest.approx(0.256)


def test_one_table_serves_all_items(item):
    """Each item alone is constant; together they use two entries: one bit a frame."""
    (figure,) = rate(item, torch.zeros(1, 50).long(), torch.ones(1, 50).long())
    assert figure.value == pytest.approx(0.05)
    assert figure.n == 2


def test_longer_audio_at_the_same_codes_is_a_lower_rate(item):
    codes = (torch.arange(64) % 4)[None]
    (short,), (long,) = rate(item, codes), rate(item, codes, seconds=2.0)
    assert short.value == pytest.approx(2 * long.value)


def test_fewer_codebooks_in_some_items_are_counted_as_they_are(item):
    two = torch.stack([torch.arange(64) % 4] * 2)
    (figure,) = rate(item, two, two[:1])
    assert figure.value == pytest.approx((2 + 1) * 2 * 64 / 2 / 1000)


def test_systems_without_codes_have_no_figure(item):
    assert rate(item, None) == []
