"""Training: what the loss sees, what learning reaches, batches by step, scores, folders."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.lm.models import CONDITIONED, PATTERNS, TINY, codes, decisive, sequence
from workbench.api.errors import PluginError, WeightsError, WorkbenchError
from workbench.api.settings import SamplingSettings, TrainingSettings
from workbench.api.types import Example, Sequence, TokenizedExample
from workbench.lm.collate import collate
from workbench.lm.generate import Generator
from workbench.lm.refine import collate_stage
from workbench.lm.storage import build_model, load_model, save_model
from workbench.lm.training import LMTrainee, codebook_losses, score_sequences, sequence_batches

KEEP = torch.zeros(1, dtype=torch.bool)


def batch_of(config, *sequences):
    return collate(config, sequences, torch.zeros(len(sequences), dtype=torch.bool))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("end", [False, True])
@torch.no_grad()
def test_the_loss_is_of_trained_codes_alone(pattern, end):
    """Recomputed code by code from the logits that precede each."""
    config = replace(TINY, pattern=pattern, end_symbol=end)
    model = decisive(config)
    item = sequence(6, seed=1, loss_from=2)
    batch = batch_of(config, item)
    losses = codebook_losses(model, batch)
    steps = model.pattern.arrange(torch.arange(6).expand(1, 3, -1), fill=-1)[0]
    hidden = model(batch.rows)[0]
    for k in range(3):
        nats = []
        for frame in range(2, 6):
            step = int(
                ((steps == frame) & (model.pattern.codebooks(len(steps)) == k)).any(1).nonzero()
            )
            logits = model.logits(hidden[step], k)
            nats.append(-torch.log_softmax(logits, 0)[item.codes[k, frame]])
        if end and k == 0:
            step = model.pattern.first_step(6)
            nats.append(-torch.log_softmax(model.logits(hidden[step], 0), 0)[TINY.codebook_size])
        assert losses[k].tolist() == pytest.approx(torch.stack(nats).tolist(), abs=1e-4)


@pytest.mark.parametrize("pattern", PATTERNS)
@torch.no_grad()
def test_a_sequence_scores_the_same_alone_and_padded_in_a_batch(pattern):
    config = replace(CONDITIONED, pattern=pattern, end_symbol=True)
    model = decisive(config)
    items = [sequence(9, seed=1, symbols=3, loss_from=4), sequence(4, seed=2, symbols=6)]
    together = score_sequences(model, items)
    for item, score in zip(items, together, strict=True):
        (alone,) = score_sequences(model, [item])
        assert alone.tokens == score.tokens
        assert alone.nats == pytest.approx(score.nats, abs=1e-3)
    assert together[0].tokens == (6, 5, 5)


def test_targets_before_loss_from_do_not_matter_but_are_seen():
    model = decisive(TINY)
    item = sequence(8, loss_from=5)
    changed = replace(item, codes=torch.cat((codes(5, seed=9), item.codes[:, 5:]), dim=1))
    rows = [batch_of(TINY, each) for each in (item, changed)]
    assert all(torch.equal(a, b) for a, b in zip(rows[0].targets, rows[1].targets, strict=True))
    losses = [torch.cat(codebook_losses(model, each)) for each in rows]
    assert not torch.allclose(losses[0], losses[1])


def test_bare_items_are_blind_to_their_condition():
    model = decisive(CONDITIONED)
    bare = torch.tensor([True])
    one, other = sequence(6, symbols=4), sequence(6, symbols=4)
    other = replace(other, condition=sequence(6, seed=5, symbols=4).condition)
    losses = [codebook_losses(model, collate(CONDITIONED, [each], bare)) for each in (one, other)]
    assert torch.equal(torch.cat(losses[0]), torch.cat(losses[1]))
    seen = [codebook_losses(model, collate(CONDITIONED, [each], KEEP)) for each in (one, other)]
    assert not torch.equal(torch.cat(seen[0]), torch.cat(seen[1]))


def train(model, batches, steps, rate=1e-2):
    """Train on the batches in turn; returns the last step's scalars."""
    trainee = LMTrainee(model, TrainingSettings(learning_rate=rate))

    def optimise(loss, name):
        loss.backward()
        trainee.optimizers()[name].step()
        trainee.optimizers()[name].zero_grad()
        return torch.zeros(())

    for step in range(steps):
        scalars = trainee.step(batches[step % len(batches)], step, optimise)
    return scalars


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_tiny_sequence_is_learnt_by_heart_its_end_included(pattern):
    config = replace(TINY, pattern=pattern, end_symbol=True)
    model = build_model(config, seed=0)
    item = sequence(7, seed=3)
    scalars = train(model, [batch_of(config, item)], steps=60)
    assert float(scalars["loss"]) < 0.05
    assert float(scalars["perplexity_3"]) < 1.1
    model.eval()
    (result,) = Generator(model, SamplingSettings(temperature=0))([item.codes[:, :2]], 20)
    assert torch.equal(result, item.codes[:, 2:])


def test_the_row_of_nothing_stays_zero_and_dropout_is_for_training_only():
    config = replace(TINY, dropout=0.5)
    model = build_model(config, seed=0)
    batch = batch_of(config, sequence(5))
    train(model, [batch], steps=3)
    assert not model.embedding.weight[model.vocabulary.nothing].any()
    model.train()
    assert not torch.equal(model(batch.rows), model(batch.rows))
    model.eval()
    assert torch.equal(model(batch.rows), model(batch.rows))


class Excerpts:
    """A task whose sequences are random excerpts of four frames; shorter items are of no use."""

    def training_sequence(self, role, item, rng):
        room = item.codes.shape[1] - 4
        if room < 0:
            return None
        start = int(rng.integers(room + 1))
        return Sequence(item.codes[:, start : start + 4])


def examples(*lengths):
    return [
        TokenizedExample(Example(str(n), "train"), codes(length, seed=n), 50.0)
        for n, length in enumerate(lengths)
    ]


def test_batches_are_a_function_of_seed_and_step():
    def rows(seed, step):
        batches = sequence_batches(Excerpts(), "lm", examples(9, 8, 7, 9, 6), model, 3, seed)
        return batches(step).rows

    model = build_model(TINY, 0)
    assert torch.equal(rows(1, 4), rows(1, 4))
    assert not torch.equal(rows(1, 4), rows(1, 5))
    assert not torch.equal(rows(1, 4), rows(2, 4))


def test_every_pass_takes_every_example_once_over_all_processes():
    items = examples(4, 4, 4, 4, 4, 4)
    model = build_model(TINY, 0)
    shards = [sequence_batches(Excerpts(), "lm", items, model, 1, 7, (rank, 2)) for rank in (0, 1)]
    seen = [tuple(batches(step).rows.flatten().tolist()) for step in range(3) for batches in shards]
    assert len(set(seen)) == len(items)


class Whole(Excerpts):
    def training_sequence(self, role, item, rng):
        return Sequence(item.codes)


def test_pooled_batches_pad_less_and_hold_every_example_once():
    items = examples(*range(5, 29))
    model = build_model(TINY, 0)

    def drawn(pool, seed=7):
        return sequence_batches(Whole(), "lm", items, model, 3, seed, pool=pool)

    def taken(batch):  # frames of each item, by its number of trained tokens of codebook 1
        owners = batch.positions[0] // batch.rows.shape[1]
        return torch.bincount(owners, minlength=3).tolist()

    def padded(batches):
        rows = sum(batches(step).rows.shape[:2].numel() for step in range(8))
        return 1 - sum(sum(taken(batches(step))) for step in range(8)) * TINY.num_codebooks / rows

    assert sorted(n for step in range(8) for n in taken(drawn(4)(step))) == list(range(5, 29))
    assert padded(drawn(8)) < padded(drawn(4)) < padded(drawn(1))
    lengths = [max(taken(drawn(8)(step))) for step in range(8)]
    assert lengths != sorted(lengths)  # the steps of a pool come in random order
    assert torch.equal(drawn(4)(5).rows, drawn(4)(5).rows)
    assert lengths != [max(taken(drawn(8, seed=8)(step))) for step in range(8)]


def test_pooled_batches_are_shared_out_over_processes():
    items = examples(*range(5, 29))
    model = build_model(TINY, 0)
    alone = sequence_batches(Whole(), "lm", items, model, 4, 7, pool=3)
    shards = [
        sequence_batches(Whole(), "lm", items, model, 2, 7, (rank, 2), pool=3) for rank in (0, 1)
    ]
    for step in range(6):
        together = sum(len(batches(step).targets[0]) for batches in shards)
        assert together == len(alone(step).targets[0])


def test_items_that_are_too_short_are_passed_over():
    model = build_model(TINY, 0)
    batches = sequence_batches(Excerpts(), "lm", examples(3, 3, 9), model, 4, seed=0)
    assert batches(0).rows.shape == (4, 12, 1)
    with pytest.raises(WorkbenchError, match="too short"):
        sequence_batches(Excerpts(), "lm", examples(3, 2), model, 2, seed=0)(0)
    with pytest.raises(WorkbenchError, match="no tokenised examples"):
        sequence_batches(Excerpts(), "lm", [], model, 2, seed=0)


def test_condition_dropout_has_its_rate():
    class Conditioned(Excerpts):
        def training_sequence(self, role, item, rng):
            return sequence(4, symbols=2)

    model = build_model(replace(CONDITIONED, condition_dropout=0.3), 0)
    batches = sequence_batches(Conditioned(), "lm", examples(4), model, 500, seed=0)
    share = np.mean([float(batches(step).bare.float().mean()) for step in range(2)])
    assert share == pytest.approx(0.3, abs=0.06)


def test_codes_of_another_number_of_codebooks_are_refused():
    with pytest.raises(PluginError, match=r"must be codes \[3, frames\].*got shape \[2, 9\]"):
        batch_of(TINY, Sequence(codes(9)[:2]))
    with pytest.raises(PluginError, match="a prompt must be codes"):
        Generator(decisive(TINY), SamplingSettings())([codes(9)[:2]], 4)


def test_a_sequence_beyond_the_context_is_refused():
    with pytest.raises(WorkbenchError, match=r"takes 180 positions, but .* context is 160"):
        batch_of(TINY, sequence(60))


@torch.no_grad()
def test_perplexity_of_a_uniform_model_is_the_number_of_codes():
    model = decisive(TINY)
    model.heads.zero_()
    (score,) = score_sequences(model, [sequence(9, loss_from=4)])
    assert score.tokens == (5, 5, 5)
    assert np.exp(np.array(score.nats) / 5) == pytest.approx([TINY.codebook_size] * 3)


@pytest.mark.parametrize("config", [TINY, replace(CONDITIONED, end_symbol=True)])
def test_a_saved_model_comes_back_equal(config, tmp_path):
    model = decisive(config)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.config == config
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_the_seed_decides_the_weights_and_a_folder_overrides_them(tmp_path):
    first, again, other = (build_model(TINY, seed).heads for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    save_model(build_model(TINY, 1), tmp_path)
    warm = build_model(replace(TINY, dropout=0.1, context=99), 2, start=tmp_path)
    assert torch.equal(warm.heads, first)
    with pytest.raises(WeightsError, match="don't fit"):
        build_model(replace(TINY, width=64), 2, start=tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"width": 32, "colour": 1}')
    with pytest.raises(WeightsError, match="unknown settings colour"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"width": 31}')
    with pytest.raises(WeightsError, match="width = 31"):
        load_model(tmp_path)


@pytest.mark.parametrize("given", [0, 1])
@torch.no_grad()
def test_half_precision_training_sees_nearly_the_same_loss(given):
    """As the loop runs a step with precision bf16: conditions, cross-attention and all."""
    model = decisive(replace(CONDITIONED, given_codebooks=given))
    sequences = [sequence(6, symbols=3), sequence(4, symbols=2, seed=2)]
    bare = torch.tensor([True, False])
    if given:
        batch = collate_stage(model.config, sequences, bare, 2)
    else:
        batch = collate(model.config, sequences, bare)
    exact = torch.cat(codebook_losses(model, batch))
    with torch.autocast("cpu", torch.bfloat16):
        half = torch.cat(codebook_losses(model, batch))
    assert half.dtype == torch.float32
    assert 0 < float((half - exact).abs().max()) < 0.05 * float(exact.max())
