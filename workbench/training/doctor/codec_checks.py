"""Checks of a codec's training: its teachers, quantiser, losses and discriminators."""

from __future__ import annotations

from workbench.training.doctor.chart import Chart
from workbench.training.doctor.findings import Complaint, Look
from workbench.training.doctor.thresholds import Thresholds


def teacher_mode(chart: Chart, limits: Thresholds) -> Look | None:
    """Teachers are in eval mode whenever they run."""
    del limits
    curves = chart.below("doctor/teacher_training/")
    if not curves:
        return None
    complaints = tuple(
        Complaint(
            name,
            f"the teacher {name} runs in train mode: masking, layer drop and dropout make its "
            "features, and so the targets, noisy.",
            "Call eval() on it before it runs, and let nothing call train() on it afterwards.",
        )
        for name, curve in curves.items()
        if curve.last > 0
    )
    modes = ", ".join(f"{n}: {'train' if c.last > 0 else 'eval'} mode" for n, c in curves.items())
    return Look(modes, complaints)


def teacher_gradient(chart: Chart, limits: Thresholds) -> Look | None:
    """Teachers are frozen: no gradient reaches them, and no optimiser holds them."""
    del limits
    curves = chart.below("doctor/teacher_gradient/")
    if not curves:
        return None
    complaints = tuple(
        Complaint(
            name,
            f"the teacher {name} is trained along: its features carry a gradient, or its weights "
            "get one. The codec can then make its target easier instead of reaching it.",
            "Run it under torch.no_grad(), and keep its parameters out of the optimisers.",
        )
        for name, curve in curves.items()
        if curve.last > 0
    )
    states = ", ".join(f"{n}: {'trained' if c.last > 0 else 'frozen'}" for n, c in curves.items())
    return Look(states, complaints)


def straight_through(chart: Chart, limits: Thresholds) -> Look | None:
    """The losses on the output reach the encoder through the quantiser."""
    curve = chart.get("doctor/into_encoder")
    if curve is None:
        return None
    figures = f"gradient norm at the encoder {curve.last:.3g}, {curve.low:.3g} at least"
    if curve.last > limits.into_encoder:
        return Look(figures)
    what = (
        "no gradient of the losses on the output reaches the encoder through the quantiser: only "
        "the commitment trains it."
    )
    advice = (
        "The straight-through estimator is missing: return "
        "`latents + (quantised - latents).detach()` from the quantiser, and detach nothing behind."
    )
    return Look(figures, (Complaint("quantiser", what, advice),))


def codebook_updates(chart: Chart, limits: Thresholds) -> Look | None:
    """The codebooks take each batch in exactly once."""
    curve = chart.get("doctor/codebook_updates")
    if curve is None:
        return None
    source = chart.source("doctor/codebook_updates")
    figures = f"{curve.low:.3g} to {curve.high:.3g} updates of the codebooks a step{source}"
    if abs(curve.last - 1) <= limits.updates:
        return Look(figures)
    what = f"the codebooks are updated {curve.last:.3g} times a step instead of once."
    advice = (
        "More than once: call the quantiser's update() once a step and run the generator once. "
        "Not at all: call it after the optimiser's step."
    )
    return Look(figures, (Complaint("codebooks", what, advice),))


def codebook_use(chart: Chart, limits: Thresholds) -> Look | None:
    """Every level spreads its codes over enough of its entries."""
    curves = chart.below("doctor/codebook_use/")
    if not curves:
        return None
    complaints = []
    for level, curve in curves.items():
        name, looks = f"doctor/codebook_use/{level}", limits.codebook_use_looks
        values = chart.lasting(name, looks, limits.slow_steps)
        if values and max(values) < limits.codebook_use:
            what = (
                f"codebook {level} has collapsed: it is used as if only {100 * curve.last:.2g} % "
                "of its entries were there (perplexity / size)."
            )
            advice = (
                "Set quantizer.kmeans_step above 0 (the encoder must have learnt something "
                "first), check that dead entries are replaced (dead_threshold above 0), or take "
                "smaller codebooks."
            )
            complaints.append(Complaint(f"level {level}", what, advice))
    figures = f"perplexity / size of {_by_level(chart, 'doctor/codebook_use/')}"
    return Look(figures, tuple(complaints))


def dead_entries(chart: Chart, limits: Thresholds) -> Look | None:
    """Few entries of a codebook are dead at any time."""
    curves = chart.below("doctor/codebook_dead/")
    if not curves:
        return None
    complaints = []
    for level, curve in curves.items():
        name, looks = f"doctor/codebook_dead/{level}", limits.dead_looks
        values = chart.lasting(name, looks, limits.slow_steps)
        if values and min(values) > limits.dead:
            what = (
                f"{100 * curve.last:.0f} % of the entries of codebook {level} are dead at any "
                "time: replaced by frames of the batch, and dead again."
            )
            advice = (
                "quantizer.dead_threshold must lie well below frames a batch / size: lower it, "
                "take larger batches or longer segments, or smaller codebooks."
            )
            complaints.append(Complaint(f"level {level}", what, advice, "warning"))
    figures = f"share of {_by_level(chart, 'doctor/codebook_dead/')}"
    return Look(figures, tuple(complaints))


def loss_shares(chart: Chart, limits: Thresholds) -> Look | None:
    """Every loss that has a weight has a say in the gradient, and none has it all."""
    curves = chart.below("doctor/share/")
    if not curves:
        return None
    into = chart.get("doctor/into_encoder")
    cut = into is not None and into.last <= limits.into_encoder  # another check says so
    complaints = []
    for name in () if cut else curves:
        values = chart.lasting(f"doctor/share/{name}", limits.share_looks, limits.slow_steps)
        if not values:
            continue
        if len(curves) > 1 and min(values) > limits.share_high:
            what = f"the {name} loss makes {100 * values[-1]:.1f} % of the gradient."
            advice = f"Lower losses.{name}, or set losses.balance=true; the others have no effect."
            complaints.append(Complaint(name, what, advice, "warning"))
        elif max(values) < limits.share_low:
            what = f"the {name} loss has a weight, but sends no gradient to the encoder."
            advice = (
                f"Look for a detached tensor between it and the encoder, or set losses.{name} to 0."
            )
            complaints.append(Complaint(name, what, advice, "warning"))
    figures = ", ".join(f"{name} {100 * curve.level:.2g} %" for name, curve in curves.items())
    return Look(f"shares of the gradient at the encoder: {figures}", tuple(complaints))


def discriminators(chart: Chart, limits: Thresholds) -> Look | None:
    """The discriminators tell true from decoded audio, and are not sure of it."""
    curve = chart.get("discriminator")
    if curve is None:
        return None
    figures = f"loss {curve.level:.3g} (chance: 0.5)"
    real, fake = chart.get("score_real"), chart.get("score_fake")
    if real is not None and fake is not None:
        figures += f", mean score of true audio {real.level:.3g}, of decoded {fake.level:.3g}"
    losses = curve.over(limits.judged_steps)
    if len(losses) < limits.judged_points:
        return Look(figures)
    if max(losses) < limits.won:
        return Look(figures, (_won(losses[-1]),))
    if real is not None and fake is not None and min(losses) >= limits.chance:
        scores = (real.recent(len(losses)), fake.recent(len(losses)))
        gaps = [r - f for r, f in zip(*scores, strict=True)]
        if max(gaps) < limits.blind:
            return Look(figures, (_blind(losses[-1], gaps[-1]),))
    return Look(figures)


def _won(loss: float) -> Complaint:
    what = (
        f"the discriminators have won: their loss stays at {loss:.2g}, and their scores teach the "
        "decoder nothing any more."
    )
    advice = (
        "Lower discriminator.learning_rate, start them later (discriminator.start_step), or make "
        "them smaller."
    )
    return Complaint("won", what, advice)


def _blind(loss: float, gap: float) -> Complaint:
    what = (
        f"the discriminators have collapsed: their loss is stuck at chance ({loss:.3g}), and they "
        f"score true and decoded audio alike (difference {gap:.2g})."
    )
    advice = (
        "Their learning rate is far too high (dead units) or too low: check "
        "discriminator.learning_rate, and that their optimiser steps."
    )
    return Complaint("blind", what, advice)


def _by_level(chart: Chart, prefix: str) -> str:
    curves = chart.below(prefix)
    levels = sorted(curves, key=int)
    shares = ", ".join(f"level {level} {100 * curves[level].last:.2g} %" for level in levels)
    return shares + chart.source(f"{prefix}{levels[0]}")
