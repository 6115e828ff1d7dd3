"""A transcript read as words of a known vocabulary."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from workbench_speech.lexicon import Lexicon, lexicons_of

from workbench import Example

WORDS = ["uno", "dos", "tres", "uno dos".replace(" ", "")]
SEQUENCES = [list(sequence) for count in range(1, 5) for sequence in product(WORDS, repeat=count)]


def distance(words: list[str], said: str) -> int:
    """Edits between the words and what was said, a space after each word."""
    text = "".join(f"{word} " for word in said.split())
    return int(Levenshtein.distance("".join(f"{word} " for word in words), text))


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
def test_words_of_the_vocabulary_stay_as_they_are(words: list[str]) -> None:
    assert Lexicon(WORDS).nearest(" ".join(words)) == words


@given(st.text("unodstre ", min_size=1, max_size=9).filter(lambda text: bool(text.strip())))
def test_no_sequence_of_words_is_nearer(said: str) -> None:
    found = Lexicon(WORDS).nearest(said)
    assert set(found) <= set(WORDS)
    assert distance(found, said) == min(distance(words, said) for words in SEQUENCES)


def test_split_and_joined_words_are_found() -> None:
    lexicon = Lexicon(["orange", "seven", "paper"])
    assert lexicon.nearest("or ange sevnpaper") == ["orange", "seven", "paper"]


@pytest.mark.parametrize("said", ["", "   "])
def test_silence_is_no_word(said: str) -> None:
    assert Lexicon(WORDS).nearest(said) == []


def test_without_words_nothing_can_be_heard() -> None:
    assert Lexicon([]).nearest("uno") == []


def test_each_language_has_its_own_words() -> None:
    found = lexicons_of(
        [
            Example("a", "train", text="Uno, dos!", language="es"),
            Example("b", "train", text="seven dos", language="en"),
        ]
    )
    assert {language: lexicon.words for language, lexicon in found.items()} == {
        "es": ["dos", "uno"],
        "en": ["7", "dos"],
    }
