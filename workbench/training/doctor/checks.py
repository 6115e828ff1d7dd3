"""Checks that apply to any training: its values, loss, gradients, steps and batch."""

from __future__ import annotations

import math

from workbench.training.doctor.chart import Chart
from workbench.training.doctor.findings import Complaint, Look
from workbench.training.doctor.thresholds import Thresholds

LOWER_RATE = (
    "Lower learning_rate (by ten, to begin with; discriminators have their own, "
    "discriminator.learning_rate), or lengthen warmup_steps."
)


def finite_values(chart: Chart, limits: Thresholds) -> Look | None:
    """No logged scalar is NaN or infinite."""
    del limits
    if not chart.curves:
        return None
    broken = sorted(name for name, curve in chart.curves.items() if not math.isfinite(curve.last))
    complaints = tuple(
        Complaint(
            name,
            f"{name} is {chart.curves[name].last}.",
            "What follows can't be trusted: find where it comes from, and lower learning_rate.",
        )
        for name in broken
    )
    return Look(f"{len(chart.curves)} scalars at {chart.points} points", complaints)


def loss(chart: Chart, limits: Thresholds) -> Look | None:
    """The loss stays below what it was before anything had been learnt."""
    curve = chart.get("loss")
    if curve is None:
        return None
    figures = (
        f"{_shown(curve.first)} first, {_shown(curve.last)} last, {_shown(curve.high)} at most"
    )
    if not curve.opening or curve.opening[0] <= 0:
        return Look(figures)
    what = ""
    if curve.last > limits.at_once * limits.loss_over_start * curve.opening[0]:
        what = f"it is {_shown(curve.last)}, after {_shown(curve.opening[0])} at the start."
    elif curve.start is not None and curve.best is not None:
        over_start = curve.level > limits.loss_over_start * curve.start
        over_best = curve.level > max(limits.loss_over_best * curve.best, curve.start)
        if over_start or over_best:
            what = (
                f"its median over {limits.window} points is {_shown(curve.level)}, after "
                f"{_shown(curve.start)} at the start and {_shown(curve.best)} at best."
            )
    if not what:
        return Look(figures)
    return Look(figures, (Complaint("loss", f"the loss has exploded: {what}", LOWER_RATE),))


def gradient_norm(chart: Chart, limits: Thresholds) -> Look | None:
    """Gradients stay within the size that they had at the start."""
    logged, present = chart.get("gradient_norm"), chart.below("doctor/gradient/")
    if logged is not None:
        # Trainees that log a norm log one of those that the doctor measures.
        others = {n: curve for n, curve in present.items() if curve.points[-1] not in logged.points}
        present = {"as logged": logged, **others}
    if not present:
        return None
    figures = "; ".join(
        f"{name}: {_shown(curve.level)} now, {_shown(curve.high)} at most"
        for name, curve in present.items()
    )
    complaints = []
    for name, curve in present.items():
        if not curve.opening:
            continue
        limit = limits.gradient_over_start * max(curve.start or curve.opening[0], 1e-12)
        lasting = curve.start is not None and curve.level > limit
        if lasting or curve.last > limits.at_once * limit:
            norm = curve.level if lasting else curve.last
            what = (
                f"the gradient ({name}) has exploded: its norm is {_shown(norm)}, after "
                f"{_shown(curve.opening[0])} at the start; clipping hides this from the loss."
            )
            complaints.append(Complaint(name, what, LOWER_RATE))
    return Look(figures, tuple(complaints))


def step_size(chart: Chart, limits: Thresholds) -> Look | None:
    """Every optimiser moves its weights, by a small part of their size, and keeps their size."""
    curves = chart.below("doctor/step_size/")
    if not curves:
        return None
    figures = "; ".join(
        f"{name}: a step moves a weight matrix by {_percent(curve.low)} to {_percent(curve.high)}"
        for name, curve in curves.items()
    )
    complaints = []
    for name in curves:
        complaints += _large_steps(chart, name, limits) or _no_steps(chart, name, limits)
        complaints += _growth(chart, name, limits)
    return Look(figures, tuple(complaints))


def _large_steps(chart: Chart, name: str, limits: Thresholds) -> list[Complaint]:
    values = chart.lasting(f"doctor/step_size/{name}", limits.step_size_looks)
    if not values or min(values) <= limits.step_size:
        return []
    what = (
        f"each step of the {name} optimiser moves its weights by {_percent(values[-1])} of their "
        f"size; healthy is below 1 %. The learning rate is too high."
    )
    return [Complaint(name, what, LOWER_RATE)]


def _growth(chart: Chart, name: str, limits: Thresholds) -> list[Complaint]:
    curve = chart.get(f"doctor/weight_size/{name}")
    if curve is None or curve.count < 2 or curve.span(2) > limits.growth_steps:
        return []
    before, now = curve.recent(2)
    if now <= limits.growth * before:
        return []
    what = (
        f"the weights of the {name} optimiser grew {now / max(before, 1e-12):.3g}-fold in "
        f"{curve.span(2)} steps. The learning rate is too high."
    )
    return [Complaint(f"growth of {name}", what, LOWER_RATE)]


def _no_steps(chart: Chart, name: str, limits: Thresholds) -> list[Complaint]:
    values = chart.lasting(f"doctor/step_size/{name}", limits.still_looks)
    if not values or max(values) > 0:
        return []
    what = f"the {name} optimiser does not move its weights at all."
    advice = (
        "Its learning rate is 0 or its loss does not reach its weights: check both "
        "(for discriminators: discriminator.learning_rate)."
    )
    return [Complaint(name, what, advice)]


def effective_batch(chart: Chart, limits: Thresholds) -> Look | None:
    """Every distinct item of the batch counts in the loss."""
    given, heard = chart.get("doctor/items_given"), chart.get("doctor/items_in_loss")
    if given is None or heard is None:
        return None
    figures = f"{heard.last:g} of {given.last:g} distinct items of a batch are in the loss"
    if heard.last >= limits.clips * given.last:
        return Look(figures)
    what = (
        f"only {heard.last:g} of the {given.last:g} distinct items of the batch have a gradient: "
        "the others are computed, or paid for, in vain."
    )
    advice = (
        "Look for an index or a slice on the batch dimension in the training step "
        "(`batch[0]`, `wav[:1]`) and compute the loss on the whole batch."
    )
    return Look(figures, (Complaint("batch", what, advice),))


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
