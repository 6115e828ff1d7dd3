"""The contract, and transformers' own round trip as the measure of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workbench import Context, RecipeError, load_catalog
from workbench.testing import contract_tests

SIZE = {"filters": 4, "hidden": 8, "codebook_size": 16}
RANDOM = {"weights": "random", "size": SIZE, "codebooks": 2}

test_contract = contract_tests("codec", "hf-encodec", RANDOM, longest_seconds=5)


def build(**options: object):
    return Context(load_catalog(), "cpu", seed=0).build(
        "codec", "hf-encodec", {**RANDOM, **options}
    )


def test_it_is_transformers_own_round_trip() -> None:
    codec = build(codebooks=8)
    wav = torch.randn(1, 1, 9600, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.no_grad():
        theirs = codec.model(wav, bandwidth=codec.bandwidth)
    codes = codec.encode(wav)
    assert torch.equal(codes.values, theirs.audio_codes[0][:, :8])


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    codec = build()
    codec.model.save_pretrained(tmp_path)
    again = build(weights=str(tmp_path))
    wav = torch.randn(1, 1, 3200, generator=torch.Generator().manual_seed(0)) * 0.1
    assert torch.equal(codec.encode(wav).values, again.encode(wav).values)


def test_more_codebooks_than_there_are_is_an_error() -> None:
    with pytest.raises(RecipeError, match="codebooks = 5000"):
        build(codebooks=5000)
