"""Composes a scene: which events, in what order or at the same time, and where.

Pairs of kinds are what the splits don't share. Each pair belongs to one split, whatever the seed:
six eighths to training, one to validation, one to testing. A training scene holds pairs of training
only; a held-out scene holds at least one pair of its own split, and none of the other held-out one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from workbench import Split
from workbench_corpora.draws import Draws
from workbench_corpora.sounds import KINDS
from workbench_corpora.sounds.kind import Kind, Trait, Words
from workbench_corpora.sounds.timing import Moment

Layout = Literal["single", "then", "while", "then-then", "then-while"]
"""``then``: one event after the other; ``while``: the last event lasts all along."""
Space = Literal["open", "room", "hall"]

LOUDNESS = Trait(
    "loudness",
    0.45,
    1.8,
    Words(("quiet", "soft", "faint"), ("quietly", "softly", "faintly")),
    Words(("loud",), ("loudly", "at high volume")),
)
"""Amplitude of an event relative to the usual."""
DISTANCE = Trait(
    "distance",
    1.0,
    40.0,
    Words(("nearby", "close"), ("nearby", "close by")),
    Words(("distant", "faraway"), ("in the distance", "far away")),
)
"""Metres from the listener."""

# Range of the reverberation in seconds to -60 dB.
_REVERBERANCE: Mapping[Space, tuple[float, float]] = {
    "open": (0.1, 0.25),
    "room": (0.3, 0.7),
    "hall": (1.6, 3.0),
}
_SPLIT_OF_EIGHTH: Mapping[int, Split] = {0: "validation", 1: "test"}


@dataclass(frozen=True)
class Rules:
    """What scenes may be made of."""

    seconds: float
    most_events: int
    singles: float
    """Share of the training scenes that hold a single event."""
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """One event of a scene. Times are in seconds from the start of the recording."""

    kind: Kind
    moments: tuple[Moment, ...]
    """Its single sounds."""
    traits: Mapping[str, float]
    """The kind's own traits, and ``loudness`` and ``distance``."""
    background: bool = False
    """Whether it lasts all along while the others come and go."""

    @property
    def onset(self) -> float:
        """When its first sound begins."""
        return self.moments[0].onset

    @property
    def end(self) -> float:
        """When its last sound ends."""
        return max(moment.onset + moment.seconds for moment in self.moments)

    @property
    def all_traits(self) -> tuple[Trait, ...]:
        """What can be said of it."""
        return (*self.kind.traits, LOUDNESS, DISTANCE)


@dataclass(frozen=True)
class Scene:
    """A composed scene; events that follow each other are in order, a background comes last."""

    events: tuple[Event, ...]
    layout: Layout
    space: Space
    reverberance: float
    """Seconds until a sound has died away by 60 dB."""
    seconds: float

    def details(self) -> dict[str, Any]:
        """The truth as plain JSON values."""
        return {
            "layout": self.layout,
            "space": self.space,
            "reverberance": round(self.reverberance, 4),
            "events": [self._event(event) for event in self.events],
        }

    def _event(self, event: Event) -> dict[str, Any]:
        end = min(event.end, self.seconds)
        counted = event.kind.timing.counted
        return {
            "kind": event.kind.name,
            "onset": round(event.onset, 4),
            "duration": round(end - event.onset, 4),
            "background": event.background,
            "count": len(event.moments) if counted else None,
            "onsets": [round(moment.onset, 4) for moment in event.moments],
            "traits": {name: round(value, 4) for name, value in event.traits.items()},
            "levels": {t.name: t.level(event.traits[t.name]) for t in event.all_traits},
        }


def pair_split(one: str, other: str) -> Split:
    """The split that a pair of kinds belongs to, in whichever order."""
    digest = hashlib.sha256(" & ".join(sorted((one, other))).encode()).digest()
    return _SPLIT_OF_EIGHTH.get(digest[0] % 8, "train")


def scene_split(kinds: Sequence[str]) -> Split | None:
    """The split of a scene that holds these kinds; None where no split may hold it."""
    held_out = {pair_split(*pair) for pair in combinations(kinds, 2)} - {"train"}
    if len(held_out) > 1:
        return None
    return held_out.pop() if held_out else "train"


def compose(rules: Rules, seed: int, split: Split, index: int) -> Scene:
    """The scene number ``index`` of a split: a pure function of the arguments."""
    attempt = 0
    while True:
        draws = Draws("synthetic-sound", seed, split, index, attempt)
        kinds = _draw_kinds(rules, split, draws)
        if rules.most_events == 1 or scene_split(kinds) == split:
            return _write_out([KINDS[name] for name in kinds], draws, rules.seconds)
        attempt += 1


def _draw_kinds(rules: Rules, split: Split, draws: Draws) -> list[str]:
    """Different kinds, as many as the scene is to hold; held-out scenes hold two where they may."""
    if rules.most_events == 1 or (split == "train" and draws.chance(rules.singles)):
        count = 1
    else:
        count = draws.integer(2, min(rules.most_events, len(rules.kinds)))
    left = list(rules.kinds)
    return [left.pop(draws.integer(0, len(left) - 1)) for _ in range(count)]


def _write_out(kinds: list[Kind], draws: Draws, seconds: float) -> Scene:
    """Layout, times, traits and space of a scene of these kinds."""
    lasting = [kind for kind in kinds if kind.timing.lasts]
    with_background = len(kinds) > 1 and bool(lasting) and draws.chance(0.6)
    background = draws.pick(lasting) if with_background else None
    others = [kind for kind in kinds if kind is not background]
    windows = _windows(len(others), background is not None, draws, seconds)
    events = [_event(kind, window, draws) for kind, window in zip(others, windows, strict=True)]
    if background is not None:
        events.append(_event(background, (0.0, seconds), draws, background=True))
    spaces: tuple[Space, ...] = ("open",)
    if all(kind.indoors for kind in kinds):
        spaces = ("open", "room", "hall")
    space = draws.pick(spaces)
    reverberance = draws.uniform(*_REVERBERANCE[space])
    layout = _layout(len(others), background is not None)
    return Scene(tuple(events), layout, space, reverberance, seconds)


def _layout(others: int, background: bool) -> Layout:
    """What events one after the other are called, with or without a background."""
    if background:
        return "while" if others == 1 else "then-while"
    layouts: tuple[Layout, ...] = ("single", "then", "then-then")
    return layouts[others - 1]


def _windows(
    count: int, background: bool, draws: Draws, seconds: float
) -> list[tuple[float, float]]:
    """Start and end of the time for each of ``count`` events that follow each other."""
    if count == 1 and background:
        start = draws.uniform(0.08, 0.35)
        return [(start * seconds, (start + draws.uniform(0.45, 0.6)) * seconds)]
    if count == 1:
        return [(draws.uniform(0.01, 0.1) * seconds, draws.uniform(0.85, 1.0) * seconds)]
    step = 0.96 / count
    cuts = [0.02 + step * (k + draws.uniform(-0.06, 0.06)) for k in range(count)]
    ends = [*(cut - 0.02 for cut in cuts[1:]), 0.98]
    return [(max(a, 0.01) * seconds, b * seconds) for a, b in zip(cuts, ends, strict=True)]


def _event(
    kind: Kind, window: tuple[float, float], draws: Draws, background: bool = False
) -> Event:
    """An event of a kind within a window, its traits drawn."""
    traits = {trait.name: trait.draw(draws) for trait in (*kind.traits, LOUDNESS, DISTANCE)}
    start, end = window
    moments = kind.timing.moments(draws, end - start, traits)
    used = max(moment.onset + moment.seconds for moment in moments)
    start += draws.uniform(0.0, 0.6) * max(0.0, end - start - used)
    placed = tuple(Moment(start + moment.onset, moment.seconds) for moment in moments)
    return Event(kind, placed, traits, background)
