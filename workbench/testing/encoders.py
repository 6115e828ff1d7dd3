"""What every semantic encoder must keep."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.testing.probes import (
    check_eval_mode,
    check_on_device,
    check_positive,
    check_tensors_registered,
    difference,
    lengths_around,
    loud,
    noise,
    nominal_frames,
    upset_random_state,
)
from workbench.testing.subject import NotApplicable, Subject, require
from workbench.testing.training import check_training

TOLERANCE = 1e-3
"""Largest difference of features, as a share of their largest magnitude, that is rounding."""
MOST_EXTRA_FRAMES = 2
"""Frames beyond the nominal number that centred frames may give on padded audio."""


def states_its_rates(subject: Subject) -> None:
    """``sample_rate`` and ``dim`` are whole numbers above 0, ``frame_rate`` a number above 0."""
    check_positive(subject, "sample_rate", "dim", whole=True)
    check_positive(subject, "frame_rate", whole=False)


def is_a_module_in_eval_mode(subject: Subject) -> None:
    """It is a torch module, built in eval mode, and eval() brings it back there."""
    encoder = subject.built
    require(
        isinstance(encoder, nn.Module),
        f"it is a {type(encoder).__name__}; it must be a torch.nn.Module, so that the engine can "
        "move and freeze it",
    )
    check_eval_mode(encoder)
    encoder.train()
    encoder.eval()
    left = [name or "the module itself" for name, m in encoder.named_modules() if m.training]
    require(not left, f"eval() after train() leaves {', '.join(left[:3])} in train mode")


def features_of_any_length(subject: Subject) -> None:
    """Features are finite float32 ``[B, D, F]``, F at least 1, for any length from one sample."""
    hop = _hop(subject)
    for samples in lengths_around(hop):
        features = _features(subject, noise(2, samples))
        said = f"{list(features.shape)} of audio [2, {samples}]"
        right = features.dim() == 3 and features.shape[:2] == (2, subject.built.dim)
        require(
            right and features.shape[2] >= 1,
            f"its features are {said}; they must be [2, {subject.built.dim}, F] with F at least 1",
        )
        require(features.dtype == torch.float32, f"its features are {features.dtype}, not float32")
        require(bool(features.isfinite().all()), f"its features {said} hold NaN or infinity")


def frame_counts(subject: Subject) -> None:
    """Padded by half a hop on each side, audio of n hops gives n frames, or up to 2 more."""
    hop = _hop(subject)
    rate = subject.built.sample_rate
    side = round(hop / 2)
    for samples in [*lengths_around(hop), rate, rate + 13, round(subject.longest_seconds * rate)]:
        wav = nn.functional.pad(loud(1, samples), (side, side))
        frames = _features(subject, wav).shape[-1]
        low, started = nominal_frames(samples, hop)
        high = started + MOST_EXTRA_FRAMES
        require(
            low <= frames <= high,
            f"{samples} samples, padded by {side} on each side as the engine does, give {frames} "
            f"frames; at {subject.built.frame_rate:g} frames a second they must be {low} to {high}",
        )


def items_are_independent(subject: Subject) -> None:
    """An item's features in a batch are those that it gets alone."""
    wav = loud(3, subject.built.sample_rate)
    together = _features(subject, wav)
    for item in range(len(wav)):
        alone = _features(subject, wav[item : item + 1])
        gap = difference(together[item : item + 1], alone)
        require(
            gap <= TOLERANCE,
            f"item {item} of a batch has other features than alone (they differ by {gap:.2g} of "
            "their size): nothing may be computed over the batch",
        )


def calls_repeat(subject: Subject) -> None:
    """The same audio gives the same features twice, and is itself left as it was."""
    wav = loud(2, subject.built.sample_rate // 2)
    before = wav.clone()
    upset_random_state(1)
    first = _features(subject, wav)
    require(torch.equal(wav, before), "it changes the audio that it is given: work on a copy")
    upset_random_state(2)
    gap = difference(first, _features(subject, wav))
    require(gap == 0, f"two calls on the same audio differ by {gap:.2g} of the features' size")


def seed_decides(subject: Subject) -> None:
    """Two built with one ``context.seed`` are the same, whatever the global random state."""
    wav = loud(1, subject.built.sample_rate // 2)
    features = []
    for state in (1, 2):
        upset_random_state(state)
        features.append(_call(subject.build(seed=5), wav.to(subject.device)))
    gap = difference(*features)
    require(
        gap == 0,
        f"two built with the same seed differ by {gap:.2g} of the features' size: draw from a "
        "generator seeded with context.seed",
    )


def lives_on_one_device(subject: Subject) -> None:
    """It lives on ``context.device``, features too, and ``to`` moves all of it."""
    check_on_device(subject.built, subject.device)
    check_tensors_registered(subject.built)
    features = _features(subject, loud(1, 2000))
    require(
        features.device.type == torch.device(subject.device).type,
        f"audio on {subject.device} gives features on {features.device}",
    )


def gives_no_gradient_when_frozen(subject: Subject) -> None:
    """Under ``torch.no_grad`` its features carry no gradient."""
    require(
        not _features(subject, loud(1, 2000)).requires_grad,
        "its features carry a gradient under torch.no_grad(): it is a frozen teacher, so don't "
        "turn gradients on inside",
    )


def trains_and_comes_back(subject: Subject) -> None:
    """Training changes it, exactly goes on after a kill, and ``save`` keeps the result."""
    if not hasattr(subject.built, "pretrain"):
        raise NotApplicable("it has no pretrain: recipes don't train it")
    wav = loud(1, subject.built.sample_rate // 2).to(subject.device)
    check_training(
        subject,
        train=lambda encoder, data, session: encoder.pretrain(data, session),
        output=lambda encoder: _call(encoder, wav),
        data_rate=16000,
    )


CHECKS = (
    states_its_rates,
    is_a_module_in_eval_mode,
    features_of_any_length,
    frame_counts,
    items_are_independent,
    calls_repeat,
    seed_decides,
    lives_on_one_device,
    gives_no_gradient_when_frozen,
    trains_and_comes_back,
)


def _hop(subject: Subject) -> float:
    return float(subject.built.sample_rate / subject.built.frame_rate)


def _features(subject: Subject, wav: Tensor) -> Tensor:
    return _call(subject.built, wav.to(subject.device))


@torch.no_grad()
def _call(encoder: nn.Module, wav: Tensor) -> Tensor:
    features: Tensor = encoder(wav)
    return features
