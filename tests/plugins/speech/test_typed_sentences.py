"""The benchmark of typed sentences: its file, its floor, and how it counts."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.typed_sentences import Typed, next_of_language, rates, read_sentences
from workbench import Audio, TextFrontEnd


class Deaf:
    """Always hears the same."""

    sample_rate = 16_000

    def transcribe(self, wav: Tensor, language: str | None = None) -> str:
        return "open the door" if language == "en" else "una mesa"


def test_there_are_fifty_that_can_be_read() -> None:
    sentences = read_sentences()
    assert len({typed.text for typed in sentences}) == 50
    assert {typed.language for typed in sentences} == {"en", "es", "cmn"}
    front_end = TextFrontEnd()
    for typed in sentences:
        assert len(front_end.encode(typed.text, typed.language)) > 5
        assert max(front_end.encode(typed.text, typed.language)) < front_end.size


def test_the_floor_is_another_sentence_of_the_language() -> None:
    sentences = read_sentences()
    for own, other in zip(sentences, next_of_language(sentences), strict=True):
        assert own.language == other.language
        assert own.text != other.text


def test_rates_count_words_over_a_language_and_over_all() -> None:
    told = [Typed("Open the window!", "en"), Typed("open the door", "en"), Typed("una silla", "es")]
    found = rates(Deaf(), told, [Audio(torch.zeros(1, 100), 16_000)] * 3)
    assert found["en"][0].value == 1 / 6
    assert found["es"][0].value == 1 / 2
    assert found["all"][0].value == 2 / 8
    assert found["all"][1].n == 3
