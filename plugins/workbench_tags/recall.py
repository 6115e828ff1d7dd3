"""Which of the captioned events are audible, what else is, and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import (
    EvaluationItem,
    Figure,
    ItemLacks,
    RecipeError,
    WorkbenchError,
    mean_figure,
    metric_settings,
)
from workbench_tags.listening import Ear, Heard
from workbench_tags.wishes import Vocabulary, Wish, wished

DEFINITIONS = {
    "event-recall": "captioned events that are heard over captioned events",
    "event-false-alarms": "kinds of events heard that no caption asked for, an item",
    "event-order": "ordered pairs of captioned events of which both are heard, in that order",
    "event-order-heard": "of ordered pairs of which both are heard, those in that order",
}


@dataclass(frozen=True)
class Judgement:
    """Counts of one item."""

    wished: int
    found: int
    false_alarms: int
    pairs: int
    pairs_heard: int
    pairs_right: int


class EventRecall:
    """``event-recall``, ``event-false-alarms``, ``event-order`` and ``event-order-heard``.

    What is to be heard is what the corpus' annotation names, else what the caption's words do (see
    ``wishes.py``). An event is heard where its presence exceeds ``threshold``; of two, the one with
    the earlier centre comes first. All are counted over the whole set. With random order, half of
    the pairs heard are right.
    """

    def __init__(
        self,
        ear: Ear,
        judge: str,
        threshold: float,
        vocabulary: Vocabulary,
        names: Mapping[str, Sequence[str]],
    ) -> None:
        self.ear = ear
        self.judge = judge
        self.threshold = threshold
        self.vocabulary = vocabulary
        self.columns = columns(ear.tagger.classes, names)
        self._items: dict[str, Judgement] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item, whose example must say what is to be heard."""
        wish = wished(item.example, self.vocabulary)
        if not wish.kinds:
            raise ItemLacks(
                f"event-recall: item {item.id!r} names no event, neither in its details ('events' "
                f"or 'labels') nor by its caption {item.example.caption!r}; use a corpus that "
                "does, give a vocabulary, or leave this metric out"
            )
        unknown = [kind for kind in wish.kinds if kind not in self.columns]
        if unknown:
            raise WorkbenchError(
                f"event-recall: item {item.id!r} is to have {unknown[0]!r}, which {self.judge!r} "
                "has no class for; say by the option 'names' which of its classes that is"
            )
        self._items[item.id] = judgement(
            wish, self.ear(item.generated), self.columns, self.threshold
        )

    def compute(self) -> list[Figure]:
        """The figures that there are items for; nothing where no item was seen."""
        if not self._items:
            return []
        items = self._items
        figures = [
            self._ratio("event-recall", {i: (j.found, j.wished) for i, j in items.items()}),
            mean_figure(
                "event-false-alarms",
                {i: float(j.false_alarms) for i, j in items.items()},
                False,
                settings=self._settings("event-false-alarms"),
            ),
        ]
        pairs = {i: (j.pairs_right, j.pairs) for i, j in items.items() if j.pairs}
        heard = {i: (j.pairs_right, j.pairs_heard) for i, j in items.items() if j.pairs_heard}
        if pairs:
            figures.append(self._ratio("event-order", pairs))
        if heard:
            figures.append(self._ratio("event-order-heard", heard))
        return figures

    def _ratio(self, name: str, counts: Mapping[str, tuple[int, int]]) -> Figure:
        shares = {item: part / whole for item, (part, whole) in counts.items()}
        weights = {item: float(whole) for item, (_, whole) in counts.items()}
        return mean_figure(name, shares, True, settings=self._settings(name), weights=weights)

    def _settings(self, name: str) -> dict[str, Any]:
        stated = metric_settings(
            DEFINITIONS[name],
            version=1,
            models={self.judge: self.ear.fingerprint},
            heard_at=self.ear.tagger.sample_rate,
        )
        return {**stated, "threshold": self.threshold}


def judgement(
    wish: Wish, heard: Heard, columns: Mapping[str, Sequence[int]], threshold: float
) -> Judgement:
    """Counts of what was heard against what was to be."""
    presence, centre = {}, {}
    for kind, numbers in columns.items():
        surest = max(numbers, key=lambda number: float(heard.presence[number]))
        presence[kind], centre[kind] = float(heard.presence[surest]), float(heard.centre[surest])
    audible = {kind for kind, sure in presence.items() if sure > threshold}
    both = [(a, b) for a, b in wish.ordered if a in audible and b in audible]
    return Judgement(
        wished=len(wish.kinds),
        found=len(audible & set(wish.kinds)),
        false_alarms=len(audible - set(wish.kinds)),
        pairs=len(wish.ordered),
        pairs_heard=len(both),
        pairs_right=sum(centre[a] < centre[b] for a, b in both),
    )


def columns(classes: Sequence[str], names: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """The numbers of the classes that stand for each event; each for itself without ``names``."""
    numbers = {name: index for index, name in enumerate(classes)}
    if not names:
        return {name: [index] for name, index in numbers.items()}
    unknown = sorted({name for some in names.values() for name in some} - set(numbers))
    if unknown or not all(names.values()):
        raise RecipeError(
            [
                f"names: {unknown[0]!r} is no class of the judge"
                if unknown
                else "names: every event needs at least one class"
            ],
            "event-recall",
        )
    return {event: [numbers[name] for name in some] for event, some in names.items()}
