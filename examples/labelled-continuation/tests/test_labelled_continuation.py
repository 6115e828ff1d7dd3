"""The contract, and what labels do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench import Context, Example, TokenizedExample, Wish, WorkbenchError, load_catalog
from workbench.testing import contract_tests

test_contract = contract_tests("task", "labelled-continuation")


def task(**options: object):
    return Context(load_catalog(), "cpu", seed=0).build("task", "labelled-continuation", options)


def test_a_label_has_one_symbol_wherever_it_is_used() -> None:
    item = TokenizedExample(
        Example("a", "train", details={"key": "C major"}), torch.zeros(2, 100).long(), 50.0
    )
    sequence = task(label="key").training_sequence("lm", item, np.random.default_rng(0))
    (symbol,) = sequence.condition.prefix
    assert symbol == task(label="key").condition("C major").prefix[0]
    assert 0 <= symbol < 64


def test_an_item_without_the_label_has_no_condition() -> None:
    item = TokenizedExample(Example("a", "train"), torch.zeros(2, 100).long(), 50.0)
    sequence = task().training_sequence("lm", item, np.random.default_rng(0))
    assert sequence.condition.prefix is None


def test_a_wish_without_a_label_is_refused() -> None:
    codec = Context(load_catalog(), "cpu", seed=0).build("codec", "xcodec", {"weights": "scratch"})
    with pytest.raises(WorkbenchError, match="--text"):
        task().request(Wish(prompt=torch.zeros(8, 50).long()), codec)
