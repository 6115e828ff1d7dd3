"""Puts a scene into words: templates for its layout, phrases for its events, and remarks on them.

``unseen`` captions use templates and phrases that no other caption uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench_corpora.draws import Draws
from workbench_corpora.sounds.kind import Words
from workbench_corpora.sounds.scene import DISTANCE, LOUDNESS, Event, Layout, Scene, Space

# {a} is the first event as a clause ("a dog barks"), {A} as a thing ("a dog barking", "two barks").
# A background is the last.
TEMPLATES: Mapping[Layout, tuple[str, ...]] = {
    "single": ("{a}", "{A}", "the sound of {A}"),
    "then": (
        "{a}, then {b}",
        "{a} and then {b}",
        "first {a}, then {b}",
        "{a} before {b}",
        "{A} followed by {B}",
        "{a}, followed by {B}",
        "after {A}, {b}",
        "{A}, then {B}",
    ),
    "while": (
        "{a} while {b}",
        "while {b}, {a}",
        "{a} as {b}",
        "{A} with {B} in the background",
        "{A} over {B}",
        "{a} during {B}",
    ),
    "then-while": (
        "{a}, then {b}, while {c}",
        "while {c}, {a} and then {b}",
        "{a}, then {B}, as {c}",
        "{A} followed by {B} with {C} in the background",
        "{a} before {b}, over {C}",
        "{a}, then {B} while {c}",
    ),
    "then-then": (
        "{a}, then {b}, then {c}",
        "first {a}, then {b}, and finally {c}",
        "{A} followed by {B} and then {C}",
        "{a}, then {B} and then {C}",
        "{a} and {b} before {c}",
    ),
}
UNSEEN_TEMPLATES: Mapping[Layout, tuple[str, ...]] = {
    "single": ("we hear {A}", "a recording of {A}"),
    "then": (
        "{A} gives way to {B}",
        "we hear {A}; next comes {B}",
        "{a}, whereupon {b}",
        "in the beginning {a}, later on {b}",
    ),
    "while": (
        "amid {B}, {a}",
        "{A} on top of {B}",
        "against a backdrop of {B}, {a}",
        "we hear {A} together with {B}",
    ),
    "then-while": (
        "amid {C}, {a} and next {b}",
        "{A} gives way to {B}, on top of {C}",
        "against a backdrop of {C}, {a} and later on {b}",
    ),
    "then-then": (
        "{A} gives way to {B} and at last to {C}",
        "in the beginning {a}, next {b}, at last {c}",
        "we hear {A}; after that {B} and {C}",
    ),
}
# Said of the whole scene, before or after it.
_PLACES: Mapping[Space, tuple[str, ...]] = {
    "open": (),
    "room": ("in a room", "in a small room"),
    "hall": ("in a large hall", "in a big echoing hall", "in a church"),
}
_TIMES = {1: ("once",), 2: ("twice", "two times"), 3: ("three times",), 4: ("four times",)}
_NUMBERS = {1: ("a", "one", "a single"), 2: ("two", "a couple of"), 3: ("three",), 4: ("four",)}


@dataclass(frozen=True)
class _Remarks:
    """What is said of an event besides its name."""

    manner: Words | None
    place: Words | None
    count: int | None
    """How often it sounds, where that is counted."""
    exact: bool
    """Whether the count is told."""


def caption(scene: Scene, draws: Draws, unseen: bool = False) -> str:
    """One caption of a scene, in lower case."""
    templates = (UNSEEN_TEMPLATES if unseen else TEMPLATES)[scene.layout]
    template = draws.pick(templates)
    words = {}
    for letter, event in zip("abc", scene.events, strict=False):
        remarks = _remarks(event, draws)
        words[letter] = _clause(event, remarks, draws, unseen, verb=0)
        words[letter.upper()] = _thing(event, remarks, draws, unseen)
    text = template.format(**words)
    places = _PLACES[scene.space]
    if places and draws.chance(0.6):
        place = draws.pick(places)
        text = f"{place}, {text}" if draws.chance(0.4) else f"{text}, {place}"
    return _tidied(text)


def _remarks(event: Event, draws: Draws) -> _Remarks:
    """Some of what can be said truly of an event."""
    names = [trait.name for trait in event.kind.traits]
    if DISTANCE.level(event.traits[DISTANCE.name]) != "high":
        # What is far is faint: its loudness can't be told.
        names.append(LOUDNESS.name)
    return _Remarks(
        manner=_remark(event, names, 0.7, draws),
        place=_remark(event, [DISTANCE.name], 0.4, draws),
        count=len(event.moments) if event.kind.timing.counted else None,
        exact=draws.chance(0.85),
    )


def _remark(event: Event, names: list[str], probability: float, draws: Draws) -> Words | None:
    """Words for one of the traits of these names that is extreme; often none."""
    said = [
        words
        for trait in event.all_traits
        if trait.name in names
        and (words := trait.words(trait.level(event.traits[trait.name]))) is not None
    ]
    return draws.pick(said) if said and draws.chance(probability) else None


def _clause(event: Event, remarks: _Remarks, draws: Draws, unseen: bool, verb: int) -> str:
    """The event as a clause, with the verb's ending number ``verb``: 0 "barks", 1 "barking"."""
    wording = event.kind.wording
    text = draws.pick(wording.unseen_clauses if unseen else wording.clauses)
    adverbs = []
    if remarks.manner is not None and "{}" not in text:
        adverbs.append(draws.pick(remarks.manner.adverbs))
    if remarks.count is not None:
        if remarks.exact and (remarks.count > 1 or draws.chance(0.3)):
            adverbs.append(draws.pick(_TIMES[remarks.count]))
        elif remarks.count > 2:
            adverbs.append("several times")
    if remarks.place is not None:
        adverbs.append(draws.pick(remarks.place.adverbs))
    return " ".join([_inflected(_described(text, remarks.manner, draws), verb), *adverbs])


def _thing(event: Event, remarks: _Remarks, draws: Draws, unseen: bool) -> str:
    """The event as a thing: "two loud dog barks", or "a dog barking twice"."""
    if draws.chance(0.5):
        return _clause(event, remarks, draws, unseen, verb=1)
    wording = event.kind.wording
    text = draws.pick(wording.unseen_nouns if unseen else wording.nouns)
    text = _described(text, remarks.manner or remarks.place, draws)
    if remarks.count is not None:
        text = _inflected(text, 0 if remarks.count == 1 else 1)
        several = remarks.count > 2 and not remarks.exact
        number = "several" if several else draws.pick(_NUMBERS[remarks.count])
        text = f"{number} {text}"
    if remarks.place is not None and remarks.manner is not None:
        text = f"{text} {draws.pick(remarks.place.adverbs)}"
    return text


def _described(text: str, words: Words | None, draws: Draws) -> str:
    """``text`` with an adjective in its braces, or none."""
    return text.replace("{}", "" if words is None else draws.pick(words.adjectives))


def _inflected(text: str, ending: int) -> str:
    """``text`` with the ending of that number from each pair of brackets; "ing" replaces an e."""
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda match: f"|{match[ending + 1]}", text)
    return re.sub(r"(?<![eo])e\|ing", "ing", text).replace("|", "")


def _tidied(text: str) -> str:
    """Single spaces, and "an" before vowels alone."""
    text = re.sub(r"\s+", " ", text).strip().replace(" ,", ",")
    return re.sub(r"\b(a|an) (?=(\w))", lambda m: "an " if m[2] in "aeiou" else "a ", text)
