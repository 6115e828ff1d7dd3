"""Error rates and speaker similarity, with judges whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import jiwer
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from workbench_speech.error_rates import ErrorRates, errors
from workbench_speech.lexicon import Lexicon
from workbench_speech.listening import Transcriber, Voices
from workbench_speech.similarity import SpeakerSimilarity
from workbench_speech.text import characters, normalise, words

from workbench import Audio, EvaluationItem, Example, WorkbenchError, load_catalog
from workbench.host.context import Context

SENTENCES = st.lists(st.sampled_from(["uno", "dos", "tres"]), min_size=1, max_size=8).map(" ".join)


class Repeats:
    """Hears what the audio's first sample says: a number in a list of sentences."""

    sample_rate = 16_000

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        self.heard = 0

    def transcribe(self, wav: torch.Tensor, language: str | None = None) -> str:
        self.heard += 1
        return self.sentences[int(wav[0])]


class FirstSample:
    """A voice is the direction (cos, sin) of the audio's first sample."""

    sample_rate = 16_000

    def embed_speaker(self, wav: torch.Tensor) -> torch.Tensor:
        return torch.stack([wav[0].cos(), wav[0].sin()])


def item(
    number: int, text: str | None, language: str = "es", prompt: float = 0.0
) -> EvaluationItem:
    audio = Audio(torch.full((1, 100), float(number)), 16_000)
    return EvaluationItem(
        id=f"item{number}",
        example=Example(f"item{number}", "test", text=text, language="es"),
        generated=audio,
        reference=audio,
        prompt=Audio(torch.full((1, 100), prompt), 16_000),
        continues=False,
    )


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=2, max_size=6))
def test_rates_are_those_of_jiwer(pairs: list[tuple[str, str]]) -> None:
    truth, said = [one for one, _ in pairs], [other for _, other in pairs]
    metric = ErrorRates(Transcriber(Repeats(said)), "test")
    for number, text in enumerate(truth):
        metric.update(item(number, text))
    wer, cer = metric.compute()
    assert wer.value == pytest.approx(jiwer.wer(truth, said))
    assert cer.value == pytest.approx(jiwer.cer(truth, said))
    assert wer.low <= wer.value <= wer.high
    assert (wer.n, wer.higher_is_better) == (len(pairs), False)


def test_speech_that_goes_on_from_its_prompt_is_heard_with_it() -> None:
    metric = ErrorRates(Transcriber(Repeats(["uno", "dos"])), "test")
    metric.update(replace(item(1, "uno", prompt=0.0), continues=True))
    assert metric.compute()[0].value == 0


def test_a_judge_hears_each_recording_once() -> None:
    judge = Repeats(["uno", "dos"])
    transcriber = Transcriber(judge)
    for _ in range(3):
        metric = ErrorRates(transcriber, "test")
        metric.update(item(0, "uno"))
        metric.update(item(1, "tres"))
    assert judge.heard == 2
    assert metric.compute()[0].value == 0.5


def test_mandarin_counts_characters_and_english_is_normalised() -> None:
    assert words("你好。世界", "cmn") == characters("你好。世界", "zh-CN") == list("你好世界")
    assert words("He didn't colour it.", "en-us") == ["he", "did", "not", "color", "it"]
    assert normalise("¿Qué, señor?", "es") == "qué señor"
    assert errors(list("kitten"), list("sitting")) == (3, 6)


def test_items_without_text_or_prompt_are_named() -> None:
    with pytest.raises(WorkbenchError, match="'item0' has no text"):
        ErrorRates(Transcriber(Repeats([""])), "test").update(item(0, None))
    lone = item(0, "uno")
    lone = EvaluationItem(lone.id, lone.example, lone.generated, lone.reference)
    with pytest.raises(WorkbenchError, match="'item0' has no prompt"):
        SpeakerSimilarity(Voices(FirstSample()), "test").update(lone)


def test_similarity_is_the_cosine_to_the_prompt() -> None:
    metric = SpeakerSimilarity(Voices(FirstSample()), "test")
    metric.update(item(0, "uno", prompt=0.0))
    metric.update(item(1, "uno", prompt=1.0 + torch.pi / 2))
    figure = metric.compute()[0]
    assert figure.per_item == pytest.approx({"item0": 1.0, "item1": 0.0}, abs=1e-6)
    assert figure.higher_is_better


def test_closed_rate_reads_the_nearest_words_of_its_language() -> None:
    transcriber = Transcriber(Repeats(["uno dso", "tress"]))
    metric = ErrorRates(transcriber, "repeats", {"es": Lexicon(["uno", "dos", "tres"])})
    metric.update(item(0, "uno dos"))
    metric.update(item(1, "dos"))
    figures = {figure.name: figure for figure in metric.compute()}
    assert figures["wer"].value == pytest.approx(2 / 3)
    assert figures["closed-wer"].value == pytest.approx(1 / 3)
    assert figures["closed-wer"].per_item == {"item0": 0.0, "item1": 1.0}
    assert figures["closed-wer"].settings["lexicon"] == {"es": 3}


def test_closed_rate_needs_a_lexicon_of_the_language() -> None:
    transcriber = Transcriber(Repeats(["uno"]))
    metric = ErrorRates(transcriber, "repeats", {"en": Lexicon(["1"])})
    metric.update(item(0, "uno"))
    assert [figure.name for figure in metric.compute()] == ["wer", "cer"]


def test_lexicon_is_the_vocabulary_of_a_corpus() -> None:
    options = {"lexicon": {"name": "synthetic-speech", "options": {"train": 40, "validation": 0}}}
    metric = Context(load_catalog(), "cpu", 0).build("metric", "error-rates", options)
    assert set(metric.lexicons) == {"en", "es", "cmn"}
    assert "thunder" in metric.lexicons["en"].words
