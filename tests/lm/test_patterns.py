"""Orders of codebooks: hand-computed arrangements, exact inverses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.lm.config import PATTERNS
from workbench.lm.patterns import build_pattern

CODES = torch.tensor([[[1, 2, 3], [4, 5, 6]]])  # K = 2, F = 3
FILL = 9


def test_flatten_goes_frame_by_frame():
    arranged = build_pattern("flatten", 2).arrange(CODES, FILL)
    assert arranged[0, :, 0].tolist() == [1, 4, 2, 5, 3, 6]
    assert build_pattern("flatten", 2).codebooks(5)[:, 0].tolist() == [0, 1, 0, 1, 0]


def test_delay_lags_a_step_a_codebook():
    pattern = build_pattern("delay", 2)
    assert pattern.arrange(CODES, FILL)[0].tolist() == [[1, FILL], [2, 4], [3, 5], [FILL, 6]]
    assert pattern.mask(3).tolist() == [[True, False], [True, True], [True, True], [False, True]]
    assert pattern.codebooks(2).tolist() == [[0, 1], [0, 1]]


def test_parallel_is_a_frame_a_step():
    assert build_pattern("parallel", 2).arrange(CODES, FILL)[0].tolist() == [[1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize(("name", "first"), [("flatten", 6), ("delay", 2), ("parallel", 2)])
def test_first_step_of_a_frame_is_where_its_first_codebook_lies(name, first):
    pattern = build_pattern(name, 3)
    frames = pattern.arrange(torch.arange(5).expand(1, 3, -1), fill=-1)[0]
    assert pattern.first_step(2) == first
    assert int(frames[first, 0]) == 2
    assert not (frames[:first, 0] >= 2).any()


@pytest.mark.parametrize("name", PATTERNS)
@given(books=st.integers(1, 5), frames=st.integers(0, 9), batch=st.integers(1, 3))
def test_restore_undoes_arrange(name, books, frames, batch):
    pattern = build_pattern(name, books)
    codes = torch.arange(batch * books * frames).view(batch, books, frames)
    arranged = pattern.arrange(codes, fill=-1)
    assert arranged.shape == (batch, pattern.steps(frames), pattern.width)
    assert torch.equal(pattern.restore(arranged, frames), codes)
    assert torch.equal(pattern.mask(frames), arranged[0] != -1)
    assert int(pattern.mask(frames).sum()) == books * frames


@pytest.mark.parametrize("name", PATTERNS)
def test_no_step_holds_a_token_before_the_tokens_that_its_frame_builds_on(name):
    """Within a frame, codebook k comes no earlier than codebook k - 1; frames come in order."""
    pattern = build_pattern(name, 3)
    steps = torch.arange(pattern.steps(4))[None, :, None].expand(-1, -1, pattern.width)
    at = pattern.restore(steps, 4)[0]  # the step of every code
    assert (at[1:] >= at[:-1]).all()
    assert (at[:, 1:] > at[:, :-1]).all()
