"""The small language model of codes: it is one, and finds what there is to find."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from workbench.evaluation.ngrams import Trigrams, _grams, code_nats


def drawn(seed: int, clips: int = 12, frames: int = 200, size: int = 8) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(size, (2, frames), generator=generator) for _ in range(clips)]


def perplexity(nats, test, level: int) -> float:
    return math.exp(nats[:, level].sum() / sum(codes.shape[1] for codes in test))


@pytest.mark.parametrize("frames", [3, 40, 400])
def test_chances_in_any_context_add_up_to_one(frames: int) -> None:
    grams = np.concatenate([_grams(c, 0, False) for c in drawn(0, 2, frames, 5)])
    model = Trigrams(grams, 5)
    for far in range(6):
        for near in range(6):
            rows = np.array([[far, near, code] for code in range(1, 6)])
            chances = model.chances(rows)
            assert chances.sum() == pytest.approx(1)
            assert (chances > 0).all()


def test_noise_has_the_perplexity_of_the_codebook() -> None:
    train, test = drawn(1), drawn(2)
    nats = code_nats(train, test, 8)
    for level in (0, 1):
        assert 7.5 < perplexity(nats, test, level) < 9.5


def test_what_two_codes_back_decide_is_found() -> None:
    def sums(seed: int) -> list[torch.Tensor]:
        clips = drawn(seed)
        for codes in clips:
            for t in range(2, codes.shape[1]):
                codes[0, t] = (codes[0, t - 1] + codes[0, t - 2]) % 8
        return clips

    test = sums(4)
    assert perplexity(code_nats(sums(3), test, 8), test, 0) < 1.3


def test_a_codebook_is_predicted_from_the_one_before_it_unless_it_is_alone() -> None:
    def copies(seed: int) -> list[torch.Tensor]:
        return [torch.stack([codes[0], (codes[0] + 3) % 8]) for codes in drawn(seed)]

    train, test = copies(5), copies(6)
    assert perplexity(code_nats(train, test, 8), test, 1) < 1.2
    assert perplexity(code_nats(train, test, 8, alone=True), test, 1) > 7.5
    first = [code_nats(train, test, 8, alone)[:, 0].tolist() for alone in (False, True)]
    assert first[0] == first[1]


def test_codes_that_training_lacks_are_not_impossible() -> None:
    train = [torch.zeros(1, 50, dtype=torch.int64)]
    nats = code_nats(train, [torch.full((1, 4), 3)], 4)
    assert np.isfinite(nats).all()
    assert nats.sum() > 4 * math.log(4)


def test_kneser_ney_by_hand() -> None:
    # One recording 1 1 2 of entries 1, 2. Bigrams (0,1) (1,1) (1,2), each once, so D = 1 all over:
    # everything is left to the unigrams' continuation counts, 1 after two contexts, 2 after one.
    model = Trigrams(_grams(torch.tensor([[0, 0, 1]]), 0, False), 2)
    # Of the unigram counts 2 and 1, once = twice = 1: D = 1/3; P(1) = (2 - 1/3 + 2/3 * 1/2) / 3.
    assert model.chances(np.array([[1, 1, 1]]))[0] == pytest.approx(2 / 3)
