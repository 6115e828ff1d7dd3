"""Training sequences of pairs: who is joined with whom, and what that depends on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.lm.models import TINY, codes
from workbench.api.errors import WorkbenchError
from workbench.api.types import Example, Sequence, TokenizedExample
from workbench.lm.drawing import SequenceDrawer
from workbench.lm.storage import build_model
from workbench.lm.training import sequence_batches

LENGTHS = {"a0": 4, "a1": 5, "b0": 6, "a2": 7, "alone": 8}


class Joined:
    """Joins two items of a speaker; one that nobody else speaks with goes alone."""

    def training_sequence(self, role, item, rng):
        return Sequence(item.codes)

    def pairing(self, example):
        return example.speaker

    def paired_sequence(self, role, item, partner, rng):
        joined = torch.cat([partner.codes, item.codes], dim=-1)
        return Sequence(joined, loss_from=partner.codes.shape[-1])


def items():
    return [
        TokenizedExample(
            Example(name, "train", speaker=None if name == "alone" else name[0]),
            codes(length, seed=number),
            50.0,
        )
        for number, (name, length) in enumerate(LENGTHS.items())
    ]


def partner_lengths(index):
    drawer = SequenceDrawer(Joined(), "lm", items())
    drawn = [drawer.of(index, np.random.default_rng(seed)) for seed in range(40)]
    assert all(
        torch.equal(sequence.codes[:, sequence.loss_from :], items()[index].codes)
        for sequence in drawn
    )
    return {sequence.loss_from for sequence in drawn}


def test_a_partner_is_any_other_item_of_the_group_and_never_the_item_itself():
    assert partner_lengths(0) == {5, 7}
    assert partner_lengths(3) == {4, 5}


def test_an_item_without_a_partner_goes_alone():
    assert partner_lengths(2) == {0}  # the only one of its speaker
    assert partner_lengths(4) == {0}  # no speaker


def test_batches_of_pairs_are_a_function_of_seed_and_step():
    model = build_model(replace(TINY, context=40), 0)
    batches = sequence_batches(Joined(), "lm", items(), model, 3, seed=1)
    again = sequence_batches(Joined(), "lm", items(), model, 3, seed=1)
    other = sequence_batches(Joined(), "lm", items(), model, 3, seed=2)
    assert torch.equal(batches(2).rows, again(2).rows)
    assert not torch.equal(batches(2).rows, other(2).rows)


def test_useless_items_are_passed_over_and_named_by_the_role():
    class Picky(Joined):
        def training_sequence(self, role, item, rng):
            return None

    drawer = SequenceDrawer(Picky(), "ar", items())
    rng = np.random.default_rng(0)
    assert drawer.of(4, rng) is None
    assert drawer.of_any(4, rng).loss_from > 0
    with pytest.raises(WorkbenchError, match="too short to train the model 'ar' on, or lacked"):
        SequenceDrawer(Picky(), "ar", items()[4:]).of_any(0, rng)
