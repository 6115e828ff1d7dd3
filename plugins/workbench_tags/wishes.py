"""What is to be heard in an item: by its corpus' annotation, else by the words of its caption."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from workbench import Example, RecipeError
from workbench_tags.truth import annotated, ordered_pairs

VOCABULARY = Path(__file__).parent / "vocabulary.json"
"""Words for the events of `synthetic-sound`; a test holds it to the corpus' own wording."""
REACH = 6
"""Words of one cue lie within so many words."""
_THEN = re.compile(
    r"\b(then|followed by|before|next|later|finally|whereupon|afterwards?|after that|"
    r"at last|gives? way to)\b"
)
_MEANWHILE = re.compile(r"\b(while|as|during|amid|against|on top of|together with)\b")
_BREAKS = frozenset({",", ";", ".", "then", "while", "before", "followed", "and"})
_AFTER = re.compile(r"\bafter\b(?! that)")


@dataclass(frozen=True)
class Wish:
    """The kinds of events that are to be heard, and pairs of which the first is to come first."""

    kinds: tuple[str, ...]
    ordered: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Mention:
    """A kind that a caption names, and the words from ``first`` to before ``last`` that do so."""

    kind: str
    first: int
    last: int


class Vocabulary:
    """Finds events in captions.

    ``cues`` hold, for each kind, what names it: words separated by spaces, which must come in that
    order and close together. A word stands for all that begin with it, and with a ``$`` for
    itself alone. Cues of more words go before those of fewer.
    """

    def __init__(self, cues: Mapping[str, Sequence[str]]) -> None:
        self.kinds = tuple(cues)
        listed = [(kind, tuple(cue.split())) for kind, some in cues.items() for cue in some]
        self._cues = sorted(listed, key=lambda entry: (-len(entry[1]), -len("".join(entry[1]))))

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """From a JSON object of lists of cues."""
        try:
            cues = json.loads(path.read_text(encoding="utf-8"))
            return cls({str(kind): [str(cue) for cue in some] for kind, some in cues.items()})
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise RecipeError(
                [f"vocabulary = {str(path)!r}: no JSON object of lists of words ({error})"]
            ) from error

    def wish(self, caption: str) -> Wish:
        """The events that ``caption`` names, and the order that it states."""
        spans = list(re.finditer(r"[a-z'-]+|[,;.]", caption.lower()))
        mentions = self._mentions([span[0] for span in spans])
        ordered: list[tuple[str, str]] = []
        for one, two in pairwise(mentions):
            start, end = spans[one.last - 1].end(), spans[two.first].start()
            ordered += _order(caption.lower()[:start], caption.lower()[start:end], one, two)
        return Wish(tuple(dict.fromkeys(m.kind for m in mentions)), tuple(_closure(ordered)))

    def _mentions(self, words: list[str]) -> list[_Mention]:
        """Kinds in the order in which they are named; no word counts for two."""
        taken = [False] * len(words)
        found: list[_Mention] = []
        for kind, cue in self._cues:
            while (places := _places(words, taken, cue)) is not None:
                for place in places:
                    taken[place] = True
                found.append(_Mention(kind, min(places), max(places) + 1))
        found.sort(key=lambda mention: mention.first)
        return [m for k, m in enumerate(found) if k == 0 or found[k - 1].kind != m.kind]


def wished(example: Example, vocabulary: Vocabulary) -> Wish:
    """What is to be heard in an example: what its details name, else what its caption does."""
    events = annotated(example)
    if events:
        return Wish(
            tuple(dict.fromkeys(event.kind for event in events)), tuple(ordered_pairs(events))
        )
    return vocabulary.wish(example.caption or "")


def _places(words: list[str], taken: list[bool], cue: tuple[str, ...]) -> list[int] | None:
    """Where a cue's words lie, in one clause and close together; None where they don't."""
    for start, word in enumerate(words):
        if taken[start] or not _fits(word, cue[0]):
            continue
        places = [start]
        for place in range(start + 1, min(start + REACH, len(words))):
            if len(places) == len(cue) or words[place] in _BREAKS:
                break
            if not taken[place] and _fits(words[place], cue[len(places)]):
                places.append(place)
        if len(places) == len(cue):
            return places
    return None


def _fits(word: str, part: str) -> bool:
    return word == part[:-1] if part.endswith("$") else word.startswith(part)


def _order(before: str, between: str, one: _Mention, two: _Mention) -> list[tuple[str, str]]:
    """The order of two events that a caption names one after the other, where it states one."""
    if one.kind == two.kind or _MEANWHILE.search(between):
        return []
    if _THEN.search(between):
        return [(one.kind, two.kind)]
    if _AFTER.search(between):
        return [(two.kind, one.kind)]
    clause = re.split(r"[,;.]", before)[-1]
    if _AFTER.search(clause) and re.search(r"[,;]", between):
        return [(one.kind, two.kind)]
    return []


def _closure(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """``pairs``, and the first before the third where a second lies between them."""
    closed = list(dict.fromkeys(pairs))
    for one, two in combinations(pairs, 2):
        for (first, middle), (other, last) in ((one, two), (two, one)):
            if middle == other and first != last and (first, last) not in closed:
                closed.append((first, last))
    return closed
