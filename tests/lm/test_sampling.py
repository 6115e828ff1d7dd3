"""Sampling: exact tokens on hand-computed distributions, and frequencies."""

import pytest
import torch

from workbench.api.settings import SamplingSettings
from workbench.lm.sampling import guided, item_uniforms, sample, sample_aware

HAND = torch.tensor([[0.1, 0.4, 0.3, 0.2]]).log()


def draw(u: float, **settings: float) -> int:
    return int(sample(HAND, SamplingSettings(**settings), torch.tensor([u]))[0])


@pytest.mark.parametrize(
    ("u", "token"), [(0.0, 0), (0.09, 0), (0.11, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3)]
)
def test_the_uniform_number_picks_by_cumulative_probability(u, token):
    assert draw(u) == token


def test_top_k_keeps_the_likeliest_and_renormalises():
    # Kept: token 1 (4/7), token 2 (3/7).
    assert [draw(u, top_k=2) for u in (0.0, 0.57, 0.58, 0.999)] == [1, 1, 2, 2]


def test_top_p_keeps_the_fewest_likeliest_that_reach_it():
    # .4 + .3 reach .65: tokens 1 and 2; .4 alone reaches .4; all are needed for .95.
    assert [draw(u, top_p=0.65) for u in (0.0, 0.57, 0.58, 0.999)] == [1, 1, 2, 2]
    assert [draw(u, top_p=0.39) for u in (0.0, 0.5, 0.999)] == [1, 1, 1]
    assert [draw(u, top_p=0.95) for u in (0.39, 0.41, 0.71, 0.91)] == [1, 2, 3, 0]


def test_top_p_works_within_top_k():
    # Top 3 renormalised: 4/9, 3/9, 2/9; the first two reach .7.
    assert [draw(u, top_k=3, top_p=0.7) for u in (0.56, 0.58, 0.999)] == [1, 2, 2]


def test_temperature_sharpens_and_zero_is_greedy():
    # At temperature .5 the probabilities are squares: .01, .16, .09, .04 over .3.
    assert [draw(u, temperature=0.5) for u in (0.03, 0.04, 0.56, 0.57)] == [0, 1, 1, 2]
    assert draw(0.999, temperature=0) == 1
    assert draw(0.999, top_k=1) == 1


def test_the_largest_uniform_number_stays_inside():
    largest = torch.nextafter(torch.ones(1), torch.zeros(1))
    for seed in range(50):
        logits = torch.randn(1, 1000, generator=torch.Generator().manual_seed(seed))
        for settings in (
            SamplingSettings(),
            SamplingSettings(top_k=7),
            SamplingSettings(top_p=0.3),
        ):
            token = int(sample(logits, settings, largest)[0])
            assert 0 <= token < 1000
    dead_end = torch.tensor([[0.0, 0.0, -torch.inf]])
    assert int(sample(dead_end, SamplingSettings(), largest)[0]) == 1


def test_frequencies_follow_the_distribution():
    count = 20000
    uniforms = torch.rand(count, generator=torch.Generator().manual_seed(0))
    tokens = sample(HAND.expand(count, -1), SamplingSettings(top_k=3), uniforms)
    shares = torch.bincount(tokens, minlength=4) / count
    assert torch.allclose(shares, torch.tensor([0, 4 / 9, 3 / 9, 2 / 9]), atol=0.012)


def test_a_repeated_token_is_drawn_anew_from_the_whole_distribution():
    settings = SamplingSettings(top_k=1, repetition_window=4, repetition_ratio=0.5)
    uniforms = torch.tensor([[0.3, 0.05]])  # first draw: 1 (top-k 1); second: 0 (whole)

    def aware(recent: list[int]) -> int:
        return int(sample_aware(HAND, settings, uniforms, torch.tensor([recent]))[0])

    assert aware([-1, -1, -1, -1]) == 1
    assert aware([1, 1, 2, 3]) == 1  # half of the window is not more than half
    assert aware([1, 1, 2, 1]) == 0


def test_guidance_moves_from_the_unconditional_through_the_conditional():
    conditional, bare = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 1.5])
    assert guided(conditional, bare, 1.0).tolist() == [2.0, 1.0]
    assert guided(conditional, bare, 0.0).tolist() == [1.0, 1.5]
    assert guided(conditional, bare, 3.0).tolist() == [4.0, 0.0]


def test_an_items_numbers_depend_on_seed_and_item_alone():
    assert torch.equal(item_uniforms(1, 2, 50), item_uniforms(1, 2, 50))
    assert torch.equal(item_uniforms(1, 2, 50)[:20], item_uniforms(1, 2, 20))
    different = [item_uniforms(1, 2, 50), item_uniforms(1, 3, 50), item_uniforms(2, 2, 50)]
    assert len({tuple(each.tolist()) for each in different}) == 3
