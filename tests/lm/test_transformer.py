"""The transformer: causality, conditions, sizes; and the cached decoder against it."""

from dataclasses import replace

import pytest
import torch

from tests.lm.models import CONDITIONED, PATTERNS, TINY, codes, condition, decisive
from workbench.lm.collate import collate_memory, lead_rows, token_rows
from workbench.lm.config import MEMORY_AS, LMConfig
from workbench.lm.decode import Decoder, InferenceModel
from workbench.lm.transformer import rotary_table, rotate


def inputs(model, frames=12, seed=0, given=None):
    """Input rows ``[T, W]`` of a whole sequence, and the length of what comes before its codes."""
    lead = lead_rows(model.vocabulary, model.pattern.width, given or condition(0, 1))
    tokens = model.pattern.arrange(codes(frames, seed)[None], model.vocabulary.absent)[0]
    return torch.cat((lead, token_rows(model.vocabulary, model.pattern, tokens))), len(lead)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_comes_later_does_not_change_what_came_before(pattern):
    model = decisive(replace(TINY, pattern=pattern))
    rows, _ = inputs(model)
    changed = rows.clone()
    changed[7:] = inputs(model, seed=1)[0][7:]
    with torch.no_grad():
        before, after = model(rows[None]), model(changed[None])
    assert torch.equal(before[:, :7], after[:, :7])
    assert (before[:, 7:] - after[:, 7:]).abs().amax() > 0.01


def test_positions_matter():
    model = decisive(TINY)
    rows, _ = inputs(model)
    swapped = rows.clone()
    swapped[[1, 4]] = rows[[4, 1]]
    with torch.no_grad():
        assert (model(rows[None])[0, -1] - model(swapped[None])[0, -1]).abs().max() > 1e-3


def test_rotation_makes_scores_depend_on_distance_alone():
    cosines, sines = rotary_table(8, 30)
    query, key = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0)).unbind()

    def score(at: int, seen: int) -> float:
        turned = rotate(query, cosines[at : at + 1], sines[at : at + 1])
        return float((turned * rotate(key, cosines[seen : seen + 1], sines[seen : seen + 1])).sum())

    assert score(9, 4) == pytest.approx(score(25, 20), abs=1e-5)
    assert abs(score(9, 4) - score(9, 5)) > 1e-3


def test_the_rotary_pair_of_position_one_is_turned_by_one_radian():
    cosines, sines = rotary_table(2, 2)
    turned = rotate(torch.tensor([[1.0, 0.0]]), cosines[1:], sines[1:])
    assert turned[0].tolist() == pytest.approx([0.5403023, 0.8414710])


@pytest.mark.parametrize("memory_as", MEMORY_AS)
def test_memory_and_prefix_matter_and_padding_of_the_memory_does_not(memory_as):
    model = decisive(replace(CONDITIONED, memory_as=memory_as))
    given = condition(4, 5)
    rows, _ = inputs(model, given=given)
    memory, allowed = collate_memory(CONDITIONED, [given, condition(4, 9, seed=1)])
    assert memory is not None
    assert allowed is not None
    with torch.no_grad():
        alone = model(rows[None], memory[:1, -5:], allowed[:1, -5:])
        padded = model(rows.expand(2, -1, -1), memory, allowed)
    assert torch.allclose(alone[0], padded[0], atol=1e-5)
    assert (padded[0] - padded[1]).abs().max() > 0.01


def run_cached(model, rows, lead, memory=None):
    """Logits ``[S, W, classes]`` of every model step, from the cached decoder."""
    inference = InferenceModel(model)
    decoder = Decoder(inference, 1, len(rows))
    if memory is not None:
        decoder.attend_to(memory[None], torch.ones(1, len(memory), dtype=torch.bool))
    hidden = decoder.prefill(rows[None, :lead])
    logits = [inference.logits(hidden, 0)]
    for step, row in enumerate(rows[lead:-1], start=1):
        logits.append(inference.logits(decoder.step(row[None]), step))
    return torch.cat(logits)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("base", [TINY, CONDITIONED, replace(CONDITIONED, end_symbol=True)])
@torch.no_grad()
def test_cached_decoding_equals_full_recomputation(pattern, base):
    model = decisive(replace(base, pattern=pattern))
    given = condition(4, 5) if base.memory_dim else condition(0, 1)
    rows, lead = inputs(model, given=given if base.prefix_symbols else None)
    memory = given.memory if base.memory_dim else None
    everything = None if memory is None else torch.ones(1, len(memory), dtype=torch.bool)
    full = model(rows[None], None if memory is None else memory[None], everything)[0]
    cached = run_cached(model, rows, lead, memory)
    books = model.pattern.codebooks(len(rows) - lead)
    for step in range(len(rows) - lead):
        for slot, book in enumerate(books[step].tolist()):
            expected = model.logits(full[lead - 1 + step], book)
            got = cached[step, slot]
            assert torch.allclose(got[: len(expected)], expected, atol=2e-4)
            assert (got[len(expected) :] == -torch.inf).all()
            assert got.argmax() == expected.argmax()


@torch.no_grad()
def test_left_padding_changes_nothing():
    model = decisive(TINY)
    long, short = inputs(model, 9)[0], inputs(model, 5, seed=3)[0]
    padding = len(long) - len(short)
    batch = torch.full((2, len(long), 1), model.vocabulary.nothing)
    batch[0], batch[1, padding:] = long, short
    inference = InferenceModel(model)
    together = Decoder(inference, 2, len(long) + 1)
    hidden = together.prefill(batch, torch.tensor([0, padding]))
    row = torch.tensor([[2], [3]])
    following = together.step(row)
    for b, rows in enumerate((long, short)):
        alone = Decoder(inference, 1, len(rows) + 1)
        assert torch.allclose(alone.prefill(rows[None]), hidden[b : b + 1], atol=1e-5)
        assert torch.allclose(alone.step(row[b : b + 1]), following[b : b + 1], atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("heads", 3, "width = 32: must be a multiple"),
        ("width", 0, "width = 0: must be at least 1"),
        ("pattern", "zigzag", "pattern = 'zigzag': must be one of flatten, delay, parallel"),
        ("dropout", 1.0, "dropout = 1.0: must be in"),
        ("codebook_size", -1, "codebook_size = -1: must be at least 0"),
        ("condition_dropout", 0.1, "condition_dropout = 0.1: must be 0 for a model without"),
        ("ffn_multiple", 0.0, "ffn_multiple = 0.0: must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting, value, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **{setting: value})


def test_a_model_needs_its_codecs_numbers():
    with pytest.raises(ValueError, match="num_codebooks is 0 and codebook_size is 0"):
        decisive(LMConfig())
