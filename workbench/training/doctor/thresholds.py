"""Where healthy ends: every number that a check goes by, with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Limits of a healthy training. "Looks" are steps at which the doctor measures."""

    clips: float = 0.6
    """Least share of a batch's distinct items that the loss must hear. All of them do in a healthy
    run; silent items are not counted. The public X-Codec code hears one of its batch."""
    into_encoder: float = 1e-12
    """Gradient norm that must reach the encoder through the quantiser: with the straight-through
    estimator it is as large as behind the quantiser, without it exactly 0."""
    updates: float = 0.3
    """Farthest that the number of codebook updates in a step, as measured, may lie from 1. The
    estimate is exact up to rounding; a second update moves it to 2."""
    codebook_use: float = 0.05
    """Least effective share of a codebook's entries (perplexity / size). Healthy first levels use
    an eighth and more of theirs; k-means on an untrained encoder left 2 %."""
    codebook_use_looks: int = 4
    """Looks in a row before that counts."""
    dead: float = 0.5
    """Largest share of a codebook's entries that may be dead at once. Single entries come and go;
    half of them means that ``dead_threshold`` or the codebook is too large for the batch."""
    dead_looks: int = 5
    """Looks in a row before that counts: many entries are born dead when codebooks are set."""
    share_high: float = 0.995
    """Largest share of the gradient at the encoder that one loss of several may have: beyond it
    the others could as well be left out."""
    share_low: float = 1e-12
    """Smallest share of a loss that has a weight. An adversarial loss begins with a millionth and
    grows; a loss that is detached from the encoder has exactly 0."""
    share_looks: int = 3
    """Looks in a row before either counts: single batches differ."""
    slow_steps: int = 100
    """Steps that such looks must span at least: counts of uses are averages over about so many
    steps, and early in a training shares are still on the move."""
    step_size: float = 0.08
    """Largest share of its own norm that a step may move the typical weight matrix by. Healthy
    steps of small and large models move it by 0.01 % to 1 %; ten times the learning rate of a
    healthy codec gave 3.4 %, a hundred times 11 % to 30 %."""
    step_size_looks: int = 2
    """Looks in a row before that counts."""
    growth: float = 1.5
    """Largest factor by which the typical weight matrix may grow from one look to the next. A rate
    that is far too high drowns the initial weights within steps, and relative steps look small
    afterwards. Healthy models grew by 1.25 at most in 100 steps, at a hundred times the rate by 2
    and more in 20."""
    growth_steps: int = 100
    """Looks that lie farther apart than this are not compared for growth."""
    still_looks: int = 3
    """Looks in a row without any movement of the weights before it counts: mixed precision may
    skip single steps."""
    window: int = 5
    """Logged points whose median stands for the loss (or gradient norm) of that time: single
    batches differ by a factor of two."""
    loss_over_start: float = 3.0
    """The loss has exploded at this multiple of what it was at the start, where nothing had been
    learnt."""
    loss_over_best: float = 6.0
    """... or at this multiple of its best, once it is as high as at the start again. Dropout of
    codebooks alone moves a codec's loss by a factor of two."""
    gradient_over_start: float = 100.0
    """The gradient has exploded at this multiple of its norm at the start; clipping hides it from
    the loss. Adversarial losses alone may bring a factor of ten."""
    at_once: float = 30.0
    """Multiple of these limits at which a single logged point counts: a training that diverges goes
    through so many orders of magnitude that a median would come too late."""
    won: float = 0.02
    """The discriminators have won where their least-squares loss stays below this (chance is 0.5):
    they are then sure of every clip, and the decoder learns nothing from them."""
    blind: float = 0.02
    """Smallest difference between the mean scores of true and decoded audio (which are to be 1 and
    0) of discriminators that can tell them apart."""
    chance: float = 0.45
    """A discriminator that can't tell them apart has a loss of 0.5 at least."""
    judged_steps: int = 300
    """Steps over which all logged points must say so before won or blind counts: discriminators
    start blind (tiny ones for 200 steps), and may win for a while against a decoder that has learnt
    nothing yet."""
    judged_points: int = 10
    """Logged points that this takes at least."""


HEALTHY = Thresholds()
"""The limits that the live doctor and ``workbench doctor`` use."""
