"""What every metric must keep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import get_type_hints

import torch

from workbench.api.errors import WorkbenchError
from workbench.api.settings import Slot
from workbench.api.types import Audio, EvaluationItem, Example, Figure
from workbench.evaluation.provenance import STATED
from workbench.host.fields import public_fields
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


def figures_state_their_provenance(subject: Subject) -> None:
    """Figures state definition, version, resampler and loudness, and models by their hash."""
    judged = _asks_a_model(subject)
    for figure in _score(subject, evaluation_items()):
        said = figure.settings
        missing = [name for name in STATED if said.get(name) in (None, "")]
        require(
            not missing,
            f"figure {figure.name!r} does not state its {', '.join(missing)}: make its settings "
            "with workbench.metric_settings",
        )
        models = said.get("models", {})
        hashed = isinstance(models, Mapping) and all(
            isinstance(digest, str) and len(digest) >= 8 for digest in models.values()
        )
        require(
            hashed and (bool(models) or not judged),
            f"figure {figure.name!r} states its models as {models!r}; its options name a model, "
            "so metric_settings(..., models={name: hash of its weights}) must tell which it was",
        )
        try:
            again = json.loads(json.dumps(said))
        except (TypeError, ValueError) as error:
            again = error
        require(again == said, f"figure {figure.name!r}: its settings are not plain JSON: {again}")


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


def scores_are_the_items_own(subject: Subject) -> None:
    """An item's score is the same whichever others are there; files can be scored in parallel."""
    items = evaluation_items()
    for whole in _score(subject, items):
        if whole.per_item is None:
            continue
        for item in items:
            alone = {f.name: f.per_item or {} for f in _score(subject, [item])}.get(whole.name, {})
            one, two = whole.per_item.get(item.id, math.nan), alone.get(item.id, math.nan)
            same = math.isclose(one, two, rel_tol=1e-6, abs_tol=1e-9) or one is two
            require(
                same,
                f"figure {whole.name!r} scores item {item.id!r} {one:.3g} among others and "
                f"{two:.3g} alone: per_item holds what an item scores by itself; what hangs on the "
                "set is set_figure's",
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
    figures_state_their_provenance,
    scores_are_the_items_own,
    calls_repeat,
    builds_share_nothing,
    items_stay_as_they_are,
    audio_may_end_early,
    nothing_to_score_is_said,
)


def _asks_a_model(subject: Subject) -> bool:
    """Whether the metric's options name a component or weights."""
    config = subject.component.config
    hints = get_type_hints(config)
    return any(
        field.name == "weights"
        or (isinstance(hints[field.name], type) and issubclass(hints[field.name], Slot))
        for field in public_fields(config)
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
