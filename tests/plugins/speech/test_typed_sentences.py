"""The benchmark of typed sentences: its file, its floor, and how it counts."""

from __future__ import annotations

import torch
from torch import Tensor
from workbench_speech.lexicon import Lexicon

from benchmarks.typed_sentences import (
    CLOSED,
    Typed,
    draw_sentences,
    next_of_language,
    rates,
    read_sentences,
    table,
)
from workbench import Audio, Context, TextFrontEnd, load_catalog


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


def test_drawn_sentences_are_known_words_that_no_training_holds() -> None:
    context = Context(load_catalog(), "cpu", 0)
    drawn = draw_sentences(context, 50, 0)
    assert len(drawn) == 50
    assert drawn != draw_sentences(context, 50, 1)
    options = {"train": 2000, "validation": 0, "test": 0}
    corpus = context.build("corpus", "synthetic-speech", options)
    learnt = {example.text for example in corpus.examples("train")}
    words = {word for text in learnt for word in text.split()}
    assert not {typed.text for typed in drawn} & learnt
    assert {word for t in drawn if t.language != "cmn" for word in t.text.split()} <= words


def test_the_floor_is_another_sentence_of_the_language() -> None:
    sentences = read_sentences()
    for own, other in zip(sentences, next_of_language(sentences), strict=True):
        assert own.language == other.language
        assert own.text != other.text


def test_rates_count_words_over_a_language_and_over_all() -> None:
    told = [Typed("Open the window!", "en"), Typed("open the door", "en"), Typed("una silla", "es")]
    silence = [Audio(torch.zeros(1, 100), 16_000)] * 3
    found = rates(Deaf(), told, silence, {})
    assert found["en"]["WER"].value == 1 / 6
    assert found["es"]["WER"].value == 1 / 2
    assert found["all"]["WER"].value == 2 / 8
    assert found["all"]["CER"].n == 3
    assert CLOSED not in found["en"]


def test_known_words_are_the_nearest_to_what_was_heard() -> None:
    told = [Typed("open the doors", "en"), Typed("una mesa", "es")]
    lexicons = {"en": Lexicon(["open", "the", "doors", "window"])}
    found = rates(Deaf(), told, [Audio(torch.zeros(1, 100), 16_000)] * 2, lexicons)
    assert found["en"]["WER"].value == 1 / 3
    assert found["en"][CLOSED].value == 0
    assert CLOSED not in found["es"], "its words are not known"
    text = table({"speech": found})
    assert text.splitlines()[0].endswith(f"| WER | CER | {CLOSED} |")
    assert next(line for line in text.splitlines() if "| es |" in line).endswith("| - |")
