"""What a corpus says is to be heard in a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench import Example


@dataclass(frozen=True)
class SoundEvent:
    """One event of a recording; ``start`` and ``end`` in seconds, None where nobody knows them."""

    kind: str
    start: float | None = None
    end: float | None = None
    background: bool = False
    """Whether it lasts all along while the others come and go."""


def annotated(example: Example) -> tuple[SoundEvent, ...]:
    """The events that an example's details name; none where they name none.

    ``details["events"]`` is a list of mappings with ``kind`` and, where known, ``onset``,
    ``duration`` and ``background`` (the corpus `synthetic-sound` gives all of them), or of plain
    names; ``details["labels"]`` (ESC-50, FSD50K) is a list of names.
    """
    events = example.details.get("events")
    if isinstance(events, list) and events:
        return tuple(_event(entry) for entry in events)
    labels = example.details.get("labels")
    return tuple(SoundEvent(str(name)) for name in labels) if isinstance(labels, list) else ()


def ordered_pairs(events: Iterable[SoundEvent]) -> list[tuple[str, str]]:
    """Kinds of which the first comes before the second: one has ended when the other starts."""
    timed = [
        (event.start, event.end, event.kind)
        for event in events
        if event.start is not None and event.end is not None and not event.background
    ]
    return [
        (first, second)
        for start, _, first in timed
        for later, _, second in timed
        if start < later and first != second
    ]


def _event(entry: Mapping[str, Any] | str) -> SoundEvent:
    if isinstance(entry, str):
        return SoundEvent(entry)
    onset, duration = entry.get("onset"), entry.get("duration")
    background = bool(entry.get("background", False))
    if onset is None or duration is None:
        return SoundEvent(str(entry["kind"]), background=background)
    return SoundEvent(str(entry["kind"]), float(onset), float(onset + duration), background)
