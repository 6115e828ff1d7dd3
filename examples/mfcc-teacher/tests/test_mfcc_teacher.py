"""The contract, and what the options do."""

from __future__ import annotations

import torch

from workbench import Context, load_catalog
from workbench.testing import contract_tests

test_contract = contract_tests("semantic_encoder", "mfcc")


def test_the_count_sets_the_width() -> None:
    context = Context(load_catalog(), "cpu", seed=0)
    encoder = context.build("semantic_encoder", "mfcc", {"count": 5})
    assert encoder(torch.zeros(1, 16000)).shape == (1, 15, 49)


def test_a_steady_sound_has_no_differences() -> None:
    encoder = Context(load_catalog(), "cpu", seed=0).build("semantic_encoder", "mfcc")
    tone = torch.sin(2 * torch.pi * 100 * torch.arange(16000) / 16000)[None]
    middle = encoder(tone)[0, 13:, 10:-10]
    assert float(middle.abs().max()) < 0.05
