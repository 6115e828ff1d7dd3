"""The text front end: one table over all languages, there and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from workbench import Espeak, TextFrontEnd, WorkbenchError
from workbench.audio import text as module
from workbench.audio.text import SYMBOLS, TABLE_VERSION


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    speaker = Espeak()
    yield speaker
    speaker.close()


def test_the_table_stays() -> None:
    """Models know symbols by their numbers: a change needs a new version, and breaks old models."""
    assert len(set(SYMBOLS)) == len(SYMBOLS) == 445
    digest = hashlib.sha256("\0".join(SYMBOLS).encode()).hexdigest()
    assert (TABLE_VERSION, digest[:16]) == (1, "14815a0d73537679")


def test_phonemes_there_and_back(espeak: Espeak) -> None:
    front = TextFrontEnd("phonemes", espeak)
    numbers = front.encode("Hello, world!", "en")
    assert [front.symbols[n] for n in numbers[:4]] == ["<en>", "h", "ə", "l"]
    assert front.decode(numbers) == "həlˈoʊ, wˈɜːld!"
    assert front.decode([0, *numbers, 0]) == "həlˈoʊ, wˈɜːld!"
    assert all(0 < number < front.size for number in numbers)


def test_languages_share_their_sounds(espeak: Espeak) -> None:
    front = TextFrontEnd("phonemes", espeak)
    english, spanish = front.encode("me", "en"), front.encode("mi", "es")
    assert english[0] != spanish[0]
    assert english[1:3] == spanish[1:3]
    assert front.encode("你好", "zh-CN") == front.encode("你好", "cmn")


def test_characters_there_and_back(espeak: Espeak) -> None:
    front = TextFrontEnd("characters", espeak)
    assert front.symbols == TextFrontEnd("phonemes", espeak).symbols
    for text, language, first in (
        ("Grüße, ☺!", "de", "<de>"),
        ("こんにちは", "ja", "<und>"),
        ("cafe\u0301", "fr", "<fr>"),
    ):
        numbers = front.encode(text, language)
        assert front.symbols[numbers[0]] == first
        assert front.decode(numbers) == text.replace("e\u0301", "é")


def test_prepared_texts_are_not_read_again(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    front = TextFrontEnd("phonemes", espeak)
    front.prepare(["one", "two", "one"], "en")
    expected = TextFrontEnd("phonemes", espeak).encode("two", "en")
    monkeypatch.setattr(module, "phonemise", None)
    assert front.encode("two", "en") == expected
    front.encode("two", "en").clear()  # a list of the caller's own
    assert front.encode("two", "en") == expected


def test_what_can_not_be_encoded_is_told(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    phonemes, characters = TextFrontEnd("phonemes", espeak), TextFrontEnd("characters", espeak)
    with pytest.raises(WorkbenchError, match=r"language = 'ja'.*as characters"):
        phonemes.encode("konnichiwa", "ja")
    with pytest.raises(WorkbenchError, match="nothing in it"):
        characters.encode("  ", "en")
    with pytest.raises(WorkbenchError, match="symbol 445: must be from 0 to 444"):
        phonemes.decode([445])
    monkeypatch.setattr(module, "phonemise", lambda texts, *_: ["a\u01c3" for _ in texts])
    with pytest.raises(WorkbenchError, match=r"LATIN LETTER RETROFLEX CLICK.*version 1"):
        phonemes.encode("click", "en")
