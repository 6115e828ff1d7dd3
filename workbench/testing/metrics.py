"""What every metric must keep."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from workbench.api.errors import WorkbenchError
from workbench.api.types import Audio, EvaluationItem, Example, Figure
from workbench.testing.probes import loud, upset_random_state
from workbench.testing.subject import Subject, require

RATE = 16000
ITEMS = 4
SECONDS = 2.0


def evaluation_items(shorter: bool = False) -> list[EvaluationItem]:
    """Items with prompt, truth, a distorted version of the truth, and codes of both.

    ``shorter`` halves what was generated, as a model does that ends early.
    """
    samples, frames = round(SECONDS * RATE), 100
    truth = loud(ITEMS, samples)
    made = truth + 0.1 * loud(ITEMS, samples, seed=1).roll(500, dims=-1)
    codes = torch.randint(32, (ITEMS, 4, frames), generator=torch.Generator().manual_seed(0))
    keep = 2 if shorter else 1
    return [
        EvaluationItem(
            id=f"item{i}",
            example=Example(
                f"item{i}", "test", text="one two three", language="en", caption="a tone in noise"
            ),
            generated=Audio(made[i : i + 1, : samples // keep].clone(), RATE),
            reference=Audio(truth[i : i + 1].clone(), RATE),
            prompt=Audio(truth[i : i + 1].flip(-1).clone(), RATE),
            generated_codes=codes[i, :, : frames // keep].roll(1, dims=-1),
            reference_codes=codes[i],
        )
        for i in range(ITEMS)
    ]


def figures_are_complete(subject: Subject) -> None:
    """Figures have a name, a finite value in its interval, and N; item scores know their ids."""
    items = evaluation_items()
    figures = _score(subject, items)
    names = [figure.name for figure in figures]
    require(len(set(names)) == len(names), f"its figures' names are not unique: {names}")
    for figure in figures:
        require(bool(figure.name), "a figure has no name")
        said = f"figure {figure.name!r} is {figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"
        require(math.isfinite(figure.value), f"{said}: not a finite number")
        within = figure.low <= figure.value <= figure.high
        unknown = math.isnan(figure.low) and math.isnan(figure.high)
        require(within or unknown, f"{said}: its value lies outside its interval")
        counted = isinstance(figure.n, int) and 1 <= figure.n <= len(items)
        require(counted, f"figure {figure.name!r} states N = {figure.n!r} for {len(items)} items")
        if figure.per_item is not None:
            strangers = sorted(figure.per_item.keys() - {item.id for item in items})
            require(not strangers, f"figure {figure.name!r} scores unknown items {strangers}")


def calls_repeat(subject: Subject) -> None:
    """The same items give the same figures from a second build, whatever the random state."""
    scored = []
    for state in (1, 2):
        upset_random_state(state)
        scored.append(_score(subject, evaluation_items()))
    require(len(scored[0]) == len(scored[1]), "two builds give other figures for the same items")
    for one, other in zip(*scored, strict=True):
        same = (one.name, one.value, one.n) == (other.name, other.value, other.n)
        require(
            same,
            f"two builds score the same items {one.name!r} {one.value:.3g} and {other.name!r} "
            f"{other.value:.3g}: draw from a generator seeded with context.seed",
        )


def builds_share_nothing(subject: Subject) -> None:
    """What one instance has seen does not count in another."""
    items = evaluation_items()
    first, second = subject.build(), subject.build()
    for item in items:
        first.update(item)
    for item in items[:2]:
        second.update(item)
    first.compute()
    for figure in second.compute():
        require(
            figure.n <= 2,
            f"figure {figure.name!r} counts {figure.n} items where 2 were given: instances share "
            "what they have seen",
        )


def items_stay_as_they_are(subject: Subject) -> None:
    """Audio and codes are left as they were: other metrics score the same items."""
    items, fresh = evaluation_items(), evaluation_items()
    _score(subject, items)
    for item, before in zip(items, fresh, strict=True):
        for name in ("generated", "reference", "prompt"):
            one, other = getattr(item, name), getattr(before, name)
            require(torch.equal(one.samples, other.samples), f"update changes an item's {name}")


def audio_may_end_early(subject: Subject) -> None:
    """Generated audio may be shorter than the truth."""
    _score(subject, evaluation_items(shorter=True))


def nothing_to_score_is_said(subject: Subject) -> None:
    """Without items ``compute`` gives no figures, or a ``WorkbenchError`` that says so."""
    try:
        figures = subject.build().compute()
    except WorkbenchError:
        return
    except Exception as error:
        require(
            False,
            f"compute() without items raises {type(error).__name__} ({error}); mean_figure and "
            "set_figure raise a WorkbenchError",
        )
    else:
        require(not figures, f"compute() without items gives {len(figures)} figures")


CHECKS = (
    figures_are_complete,
    calls_repeat,
    builds_share_nothing,
    items_stay_as_they_are,
    audio_may_end_early,
    nothing_to_score_is_said,
)


def _score(subject: Subject, items: Sequence[EvaluationItem]) -> list[Figure]:
    metric = subject.build()
    for item in items:
        metric.update(item)
    figures = metric.compute()
    right = isinstance(figures, list) and all(isinstance(figure, Figure) for figure in figures)
    require(right and bool(figures), f"compute() gives {figures!r}, not a list of workbench.Figure")
    result: list[Figure] = figures
    return result
