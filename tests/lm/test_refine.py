"""The model that fills in codebooks: what it sees, what it learns, how it is used."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.lm.models import CONDITIONED, TINY, codes, condition, decisive, sequence
from tests.lm.test_training import Excerpts, examples, train
from workbench.api.errors import PluginError
from workbench.api.settings import SamplingSettings
from workbench.lm.config import MEMORY_AS
from workbench.lm.generate import Generator
from workbench.lm.refine import Refiner, collate_stage
from workbench.lm.storage import build_model, load_model, save_model
from workbench.lm.training import codebook_losses, score_sequences, sequence_batches

REFINE = replace(TINY, given_codebooks=1)
REFINE_CONDITIONED = replace(CONDITIONED, given_codebooks=1)
GREEDY = SamplingSettings(temperature=0)


def stage_batch(config, stage, *items):
    return collate_stage(config, items, torch.zeros(len(items), dtype=torch.bool), stage)


@torch.no_grad()
def losses_of(model, stage, item):
    return codebook_losses(model, stage_batch(model.config, stage, item))[stage]


def test_rows_of_a_stage_by_hand():
    """K 3, V 11: a codebook has 12 rows; start is 36, nothing 37, the stages are 39 and 40."""
    item = replace(sequence(3, loss_from=1), codes=torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    batch = stage_batch(REFINE, 2, item)
    assert batch.rows[0].tolist() == [
        [36, 37, 37, 40],
        [1, 16, 31, 40],
        [2, 17, 37, 40],
        [3, 18, 37, 40],
    ]
    assert [each.tolist() for each in batch.positions] == [[], [], [2, 3]]
    assert batch.targets[2].tolist() == [8, 9]


@pytest.mark.parametrize("stage", [1, 2])
def test_a_stage_sees_later_frames_and_earlier_codebooks_but_no_answers(stage):
    model = decisive(REFINE)
    item = sequence(8, loss_from=3)

    def altered(book, frame):
        changed = item.codes.clone()
        changed[book, frame] = (changed[book, frame] + 1) % TINY.codebook_size
        return losses_of(model, stage, replace(item, codes=changed))

    before = losses_of(model, stage, item)  # of frames 3 to 7
    assert not torch.allclose(altered(0, 7)[0], before[0], atol=1e-4)  # given codebook, later frame
    assert not torch.allclose(altered(stage, 1)[0], before[0], atol=1e-4)  # the prompt's codes
    assert torch.equal(altered(stage, 7)[:-1], before[:-1])  # another answer
    if stage == 1:
        assert torch.equal(altered(2, 6), before)  # a codebook still to come
    else:
        assert not torch.allclose(altered(1, 6)[0], before[0], atol=1e-4)  # one filled in before


def test_stages_differ_on_equal_input():
    """With all codebooks known (no frame asked), only the stage's embedding tells them apart."""
    model = decisive(REFINE)
    item = sequence(5, loss_from=5)
    rows = [stage_batch(REFINE, stage, item).rows for stage in (1, 2)]
    with torch.no_grad():
        assert not torch.allclose(model(rows[0]), model(rows[1]), atol=1e-3)


@torch.no_grad()
def test_refining_equals_stage_by_stage_argmax():
    model = decisive(REFINE_CONDITIONED)
    prompt, given, asked = codes(4), codes(6, seed=2)[:1], condition(3, 4)
    (result,) = Refiner(model, GREEDY)([prompt], [given], [asked])
    assert torch.equal(result[:1], given)
    known = torch.cat((prompt, torch.cat((given, torch.zeros(2, 6, dtype=torch.long)))), dim=1)
    memory, allowed = asked.memory[None], torch.ones(1, 4, dtype=torch.bool)
    for stage in (1, 2):
        item = replace(sequence(10, loss_from=4), codes=known, condition=asked)
        batch = stage_batch(REFINE_CONDITIONED, stage, item)
        hidden = model(batch.rows, memory, allowed, batch.visible)[0, -6:]
        known[stage, 4:] = model.logits(hidden, stage).argmax(dim=-1)
    assert torch.equal(result, known[:, 4:])


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("memory_as", MEMORY_AS)
def test_an_item_does_not_depend_on_its_batch(scale, memory_as):
    model = decisive(replace(REFINE_CONDITIONED, memory_as=memory_as))
    sampling = SamplingSettings(top_k=6, guidance_scale=scale)
    prompts = [codes(4), codes(0), codes(7, seed=3)]
    given = [codes(9, seed=4)[:1], codes(5, seed=5)[:1], codes(2, seed=6)[:1]]
    conditions = [condition(n, n + 1, seed=n) for n in (3, 0, 6)]
    together = Refiner(model, sampling)(prompts, given, conditions, seed=4)
    apart = Refiner(model, sampling, max_batch=1)(prompts, given, conditions, seed=4)
    assert [tuple(each.shape) for each in together] == [(3, 9), (3, 5), (3, 2)]
    assert all(torch.equal(a, b) for a, b in zip(together, apart, strict=True))
    other = Refiner(model, sampling)(prompts, given, conditions, seed=5)
    assert not all(torch.equal(a, b) for a, b in zip(together, other, strict=True))


def test_what_was_learnt_by_heart_is_filled_in_again(tmp_path):
    model = build_model(REFINE, seed=0)
    item = sequence(8, seed=3, loss_from=2)
    train(model, [stage_batch(REFINE, stage, item) for stage in (1, 2)], steps=80)
    save_model(model, tmp_path)
    refiner = Refiner(load_model(tmp_path), GREEDY)
    (result,) = refiner([item.codes[:, :2]], [item.codes[:1, 2:]])
    assert torch.equal(result, item.codes[:, 2:])


def test_training_draws_every_stage_and_scores_cover_them():
    model = decisive(REFINE)
    batches = sequence_batches(Excerpts(), "nar", examples(9, 8), model, 2, seed=0)
    asked = [tuple(len(each) for each in batches(step).targets) for step in range(20)]
    assert set(asked) == {(0, 8, 0), (0, 0, 8)}
    assert asked == [tuple(len(each) for each in batches(step).targets) for step in range(20)]
    (score,) = score_sequences(model, [sequence(9, loss_from=4)])
    assert score.tokens == (0, 5, 5)
    expected = [float(losses_of(model, k, sequence(9, loss_from=4)).sum()) for k in (1, 2)]
    assert score.nats[0] == 0
    assert np.array(score.nats[1:]) == pytest.approx(expected, rel=1e-5)


def test_progress_counts_stages():
    seen = []
    refiner = Refiner(decisive(REFINE), GREEDY, max_batch=1)
    refiner([codes(2)] * 2, [codes(3)[:1]] * 2, progress=lambda *pair: seen.append(pair))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_two_kinds_of_model_are_not_mixed_up():
    with pytest.raises(ValueError, match="use Refiner"):
        Generator(decisive(REFINE), GREEDY)
    with pytest.raises(ValueError, match="use Generator"):
        Refiner(decisive(TINY), GREEDY)
    with pytest.raises(PluginError, match=r"given codes must be \[1, frames\], got \[3, 4\]"):
        Refiner(decisive(REFINE), GREEDY)([codes(2)], [codes(4)])
    with pytest.raises(ValueError, match=r"given_codebooks = 3: must be below num_codebooks \(3\)"):
        replace(TINY, given_codebooks=3)
    with pytest.raises(ValueError, match="end_symbol = True: must be false"):
        replace(TINY, given_codebooks=1, end_symbol=True)
