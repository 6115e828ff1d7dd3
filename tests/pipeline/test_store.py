"""The store's keys: equal for equal inputs, different for whatever changes a result."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from workbench.pipeline.generation import file_name
from workbench.pipeline.store import Store, content_key, weights_key
from workbench.pipeline.systems import shuffle_codes


def test_keys_follow_content_not_order() -> None:
    assert content_key({"a": 1, "b": [1, 2]}) == content_key({"b": [1, 2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
    assert content_key({"a": 1}) != content_key({"a": "1"})


def test_a_models_key_follows_its_weights() -> None:
    torch.manual_seed(0)
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    assert weights_key(one) != weights_key(two)
    two.load_state_dict(one.state_dict())
    assert weights_key(one) == weights_key(two)
    with torch.no_grad():
        two.bias[0] += 1e-7
    assert weights_key(one) != weights_key(two)
    assert weights_key(object()) == ""


def test_a_stage_is_done_only_when_it_says_so(tmp_path: Path) -> None:
    stage = Store(tmp_path).stage("codec", {"seed": 1})
    assert not stage.done
    stage.finish(1.5, steps=3)
    again = Store(tmp_path).stage("codec", {"seed": 1})
    assert again.done
    assert again.summary == {"seconds": 1.5, "steps": 3}
    assert not Store(tmp_path).stage("codec", {"seed": 2}).done


def test_shuffled_codes_keep_counts_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    codes = [torch.randint(0, 50, (2, frames), generator=generator) for frames in (30, 50)]
    shuffled = shuffle_codes(codes, seed=1)
    assert [c.shape for c in shuffled] == [c.shape for c in codes]
    for book in range(2):
        before = torch.cat([c[book] for c in codes])
        after = torch.cat([c[book] for c in shuffled])
        assert not torch.equal(before, after)
        assert torch.equal(before.sort().values, after.sort().values)


def test_file_names_keep_ids_apart() -> None:
    assert file_name("piece-1") == "piece-1.wav"
    assert file_name("a/b") != file_name("a_b")
    assert "/" not in file_name("a/b")
