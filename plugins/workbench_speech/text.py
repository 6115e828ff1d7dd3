"""Text as judges compare it: without case and punctuation, by words or by characters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

UNSPACED = ("cmn", "zh", "yue", "ja", "th")
"""Languages written without spaces: their words are counted by characters."""


def normalise(text: str, language: str | None) -> str:
    """``text`` as Whisper's normaliser of that language has it (arXiv 2212.04356, appendix C).

    English has a normaliser of its own (spellings, contractions, numbers); every other language
    loses case and punctuation, and keeps its diacritics.
    """
    plain: str = _normaliser(language)(text)
    return " ".join(plain.split())


def words(text: str, language: str | None) -> list[str]:
    """The units of the word error rate; characters where the language has no spaces."""
    plain = normalise(text, language)
    return list(plain.replace(" ", "")) if has_no_spaces(language) else plain.split()


def characters(text: str, language: str | None) -> list[str]:
    """The units of the character error rate; spaces count where the language has them."""
    plain = normalise(text, language)
    return list(plain.replace(" ", "")) if has_no_spaces(language) else list(plain)


def has_no_spaces(language: str | None) -> bool:
    """Whether a language's code (``cmn``, ``zh-CN``) is one that is written without spaces."""
    return language is not None and language.lower().replace("_", "-").split("-")[0] in UNSPACED


@lru_cache
def _normaliser(language: str | None) -> Any:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    english = language is not None and language.lower().replace("_", "-").split("-")[0] == "en"
    return EnglishTextNormalizer() if english else BasicTextNormalizer()
