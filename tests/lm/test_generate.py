"""Generation: equal to recomputation, independent of batching, seeded, guided, ended."""

from dataclasses import replace

import pytest
import torch

from tests.lm.models import CONDITIONED, PATTERNS, TINY, codes, condition, decisive
from workbench.api.errors import PluginError, RecipeError, WorkbenchError
from workbench.api.settings import SamplingSettings
from workbench.api.types import Condition
from workbench.lm.collate import lead_rows, token_rows
from workbench.lm.config import MEMORY_AS
from workbench.lm.generate import Generator
from workbench.lm.refine import Refiner

PROMPTS = [codes(n, seed=n) for n in (4, 0, 7, 4)]
FRAMES = [9, 12, 3, 9]
CONDITIONS = [condition(n, n + 1, seed=n) for n in (2, 5, 0, 3)]
GREEDY = SamplingSettings(temperature=0)


def recomputed(model, prompt, frames, given=None):
    """Greedy continuation, the whole sequence through the model anew for every step."""
    pattern, vocabulary = model.pattern, model.vocabulary
    memory = None if given is None else given.memory[None]
    allowed = None if memory is None else torch.ones(memory.shape[:2], dtype=torch.bool)
    whole = torch.nn.functional.pad(prompt, (0, frames), value=-1)
    tokens = pattern.arrange(whole[None], vocabulary.absent)[0]
    books = pattern.codebooks(len(tokens))
    lead = lead_rows(vocabulary, pattern.width, given or Condition())
    for step in range(len(tokens)):
        rows = torch.cat((lead, token_rows(vocabulary, pattern, tokens)[:step]))
        hidden = model(rows[None], memory, allowed)[0, -1]
        for slot in range(pattern.width):
            if tokens[step, slot] == -1:
                tokens[step, slot] = model.logits(hidden, int(books[step, slot])).argmax()
    return pattern.restore(tokens[None], whole.shape[1])[0, :, prompt.shape[1] :]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("memory_as", MEMORY_AS)
@torch.no_grad()
def test_greedy_generation_equals_full_recomputation(pattern, memory_as):
    model = decisive(replace(CONDITIONED, pattern=pattern, memory_as=memory_as))
    results = Generator(model, GREEDY)(PROMPTS, FRAMES, CONDITIONS)
    for result, *item in zip(results, PROMPTS, FRAMES, CONDITIONS, strict=True):
        assert torch.equal(result, recomputed(model, *item))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("memory_as", MEMORY_AS)
@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("end", [False, True])
def test_an_item_does_not_depend_on_its_batch(pattern, memory_as, scale, end):
    model = decisive(replace(CONDITIONED, pattern=pattern, memory_as=memory_as, end_symbol=end))
    sampling = SamplingSettings(temperature=1.2, top_p=0.9, guidance_scale=scale)
    together = Generator(model, sampling)(PROMPTS, FRAMES, CONDITIONS, seed=5)
    for size in (1, 3):
        apart = Generator(model, sampling, max_batch=size)(PROMPTS, FRAMES, CONDITIONS, seed=5)
        assert all(torch.equal(a, b) for a, b in zip(together, apart, strict=True))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_seed_decides(pattern):
    generator = Generator(decisive(replace(TINY, pattern=pattern)), SamplingSettings())
    first = generator(PROMPTS, 8, seed=1)
    again = generator(PROMPTS, 8, seed=1)
    other = generator(PROMPTS, 8, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert not torch.equal(first[0], generator([PROMPTS[0]] * 2, 8, seed=1)[1])


def test_guidance_scale_one_is_the_plain_model_and_zero_ignores_the_condition():
    model = decisive(CONDITIONED)

    def run(scale, conditions):
        sampling = SamplingSettings(guidance_scale=scale)
        return Generator(model, sampling)(PROMPTS[:1], 10, conditions, seed=3)[0]

    one, other = condition(3, 4, seed=1), condition(3, 4, seed=2)
    assert torch.equal(run(1.0, [one]), run(1.0 + 1e-7, [one]))  # the second runs both halves
    assert not torch.equal(run(1.0, [one]), run(1.0, [other]))
    assert torch.equal(run(0.0, [one]), run(0.0, [other]))


@pytest.mark.parametrize("pattern", PATTERNS)
@torch.no_grad()
def test_generation_stops_at_the_end_symbol(pattern):
    """A uniform model ends each frame with probability 1 / (V + 1): geometric lengths."""
    model = decisive(replace(TINY, pattern=pattern, end_symbol=True))
    model.norm.weight.zero_()
    results = Generator(model, SamplingSettings())([PROMPTS[0]] * 150, 40, seed=1)
    lengths = [result.shape[1] for result in results]
    stay = TINY.codebook_size / (TINY.codebook_size + 1)
    expected = sum(stay**frame for frame in range(1, 41))  # 10.7, standard error 0.8
    assert sum(lengths) / len(lengths) == pytest.approx(expected, abs=2.5)
    assert all(int(result.max()) < TINY.codebook_size for result in results if result.numel())


@pytest.mark.parametrize("pattern", PATTERNS)
@torch.no_grad()
def test_no_item_ends_before_its_own_earliest_end(pattern):
    model = decisive(replace(TINY, pattern=pattern, end_symbol=True))
    model.norm.weight.zero_()  # uniform: an end comes after 11 frames on average
    least = [0, 30, 5] * 8
    results = Generator(model, SamplingSettings())([PROMPTS[1]] * 24, 30, seed=4, at_least=least)
    lengths = [result.shape[1] for result in results]
    assert all(length >= early for length, early in zip(lengths, least, strict=True))
    assert set(lengths[1::3]) == {30}
    assert min(lengths[0::3]) < 5


@torch.no_grad()
def test_vectors_before_the_codes_take_positions():
    model = decisive(replace(CONDITIONED, memory_as="prefix", context=16))
    given = condition(2, 5)  # 2 symbols, 5 vectors, and 3 frames of 3 codebooks
    assert Generator(model, GREEDY)([PROMPTS[1]], 3, [given])[0].shape[1] == 3
    with pytest.raises(WorkbenchError, match="7 positions of condition"):
        Generator(model, GREEDY)([PROMPTS[1]], 4, [given])


@torch.no_grad()
def test_codes_before_the_end_are_those_of_an_unlimited_run():
    """What one item does after its end leaves the others, and what came before it, alone."""
    model = decisive(replace(TINY, pattern="delay", end_symbol=True))
    generator = Generator(model, SamplingSettings(temperature=1.5))
    results = generator(PROMPTS * 4, 30, seed=2)
    assert len({result.shape[1] for result in results}) > 2
    shorter = generator(PROMPTS * 4, 5, seed=2)
    for long, short in zip(results, shorter, strict=True):
        frames = min(long.shape[1], short.shape[1])
        assert torch.equal(long[:1, :frames], short[:1, :frames])


def test_repetition_awareness_breaks_a_loop():
    """A model that always prefers one token gets stuck in it, unless repetition is looked at."""
    model = decisive(TINY)
    with torch.no_grad():
        model.heads.zero_()
        model.norm.weight.zero_()
        model.heads[:, 4] = 0
    plain = Generator(model, SamplingSettings(top_k=1))(PROMPTS[:1], 30)[0]
    assert len(plain.unique()) == 1
    sampling = SamplingSettings(top_k=1, repetition_window=5, repetition_ratio=0.4)
    aware = Generator(model, sampling)(PROMPTS[:1], 30)[0]
    assert len(aware.unique()) > 3
    for row in aware:
        windows = row.unfold(0, 6, 1)
        stuck = (windows == int(plain[0, 0])).sum(dim=1)
        assert int(stuck.max()) < 6


def test_progress_counts_every_step_of_every_batch():
    seen = []
    generator = Generator(decisive(TINY), SamplingSettings(), max_batch=3)
    generator(PROMPTS, FRAMES, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n + 1, len(seen)) for n in range(len(seen))]


def test_what_does_not_fit_the_context_is_refused_before_anything_runs():
    with pytest.raises(WorkbenchError, match=r"item 1: .* take 153 positions.*context is 150"):
        Generator(decisive(replace(TINY, context=150)), SamplingSettings())(
            [codes(0), codes(20)], [40, 30 + 1]
        )


@pytest.mark.parametrize("kind", [Generator, Refiner])
def test_guidance_is_refused_where_the_model_never_learnt_to_do_without(kind):
    config = replace(TINY, given_codebooks=int(kind is Refiner))
    with pytest.raises(RecipeError, match=r"guidance_scale = 2\.0: must be 1"):
        kind(decisive(config), SamplingSettings(guidance_scale=2.0))


def test_a_memory_that_is_missing_is_the_tasks_fault():
    with pytest.raises(PluginError, match=r"Condition\.memory"):
        Generator(decisive(CONDITIONED), SamplingSettings())([codes(2)], 3)


def test_no_frames_and_no_items_give_nothing():
    generator = Generator(decisive(replace(TINY, pattern="delay")), SamplingSettings())
    assert generator([], 5) == []
    assert [r.shape[1] for r in generator([codes(3), codes(3)], [0, 2])] == [0, 2]
