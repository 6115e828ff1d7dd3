"""Figures by group: the group's own items, the whole table's definition."""

from __future__ import annotations

import pytest

from workbench.api.errors import RecipeError
from workbench.api.types import Example
from workbench.evaluation.groups import break_down, in_turns, labels
from workbench.evaluation.statistics import mean_figure, set_figure
from workbench.evaluation.table import ResultTable, Row

EXAMPLES = {
    "i0": Example("i0", "test", language="en", details={"accent": "es"}),
    "i1": Example("i1", "test", language="es"),
    "i2": Example("i2", "test", language="en"),
    "i3": Example("i3", "test", language="es"),
}
WRONG = {"i0": 0.5, "i1": 0.1, "i2": 0.0, "i3": 0.3}
WORDS = {"i0": 2.0, "i1": 10.0, "i2": 8.0, "i3": 10.0}


@pytest.fixture
def breakdown():
    wer = mean_figure("wer", WRONG, False, weights=WORDS, settings={"definition": "words"})
    whole = set_figure("fd", 4, lambda weights: 1.0, False)
    truth = mean_figure("wer", dict.fromkeys(WRONG, 0.0), False, weights=WORDS)
    rows = (
        Row("ground truth", "truth", {"wer": truth}),
        Row("generated", "result", {"wer": wer, "fd": whole}),
    )
    return break_down(ResultTable(rows), "language", labels(EXAMPLES, "language"))


def test_each_group_has_the_figure_over_its_own_items(breakdown):
    english = breakdown.figure("wer", "generated", "en")
    assert english.value == pytest.approx((1 + 0) / 10)  # weighted, as the whole figure
    assert english.n == 2
    assert english.settings["definition"] == "words"
    assert (english.settings["by"], english.settings["group"]) == ("language", "en")
    spanish = breakdown.figure("wer", "generated", "es")
    assert spanish.value == pytest.approx((1 + 3) / 20)
    assert breakdown.headings("wer") == {"en": "en, N = 2", "es": "es, N = 2"}


def test_a_statistic_of_the_set_is_not_broken_down(breakdown):
    assert breakdown.figures == ["wer"]
    assert breakdown.systems("wer") == {"ground truth": "truth", "generated": "result"}


def test_systems_without_a_figure_have_no_row_for_it():
    ended = mean_figure("ended", dict.fromkeys(WRONG, 1.0), True)
    rows = (Row("ground truth", "truth", {}), Row("generated", "result", {"ended": ended}))
    breakdown = break_down(ResultTable(rows), "language", labels(EXAMPLES, "language"))
    assert breakdown.systems("ended") == {"generated": "result"}
    assert "ground truth" not in breakdown.to_markdown()


def test_markdown_has_systems_in_rows_and_groups_in_columns(breakdown):
    lines = breakdown.to_markdown().splitlines()
    assert lines[0] == "## By language"
    assert lines[2] == "| wer ↓ | en, N = 2 | es, N = 2 |"
    assert lines[5].startswith("| generated | 0.100 [")


def test_details_are_grouped_by_too_and_what_is_missing_has_a_group():
    assert labels(EXAMPLES, "accent") == {
        "i0": "es", "i1": "unstated", "i2": "unstated", "i3": "unstated"
    }  # fmt: skip


def test_what_the_corpus_does_not_know_is_named_with_what_it_does():
    with pytest.raises(RecipeError, match="its 'dialect'; the corpus knows: accent, language"):
        labels(EXAMPLES, "dialect")


def test_a_recording_with_a_transcript_is_speech_where_no_domain_is_stated():
    examples = {
        "song": Example("song", "test", text="la la", domain="music"),
        "word": Example("word", "test", text="one"),
        "noise": Example("noise", "test"),
    }
    assert labels(examples, "domain") == {"song": "music", "word": "speech", "noise": "unstated"}


def test_groups_take_turns_and_keep_their_order():
    groups = {"a1": "a", "a2": "a", "b1": "b", "a3": "a", "b2": "b"}
    assert in_turns(groups) == ["a1", "b1", "a2", "b2", "a3"]
    assert in_turns(dict.fromkeys("xyz", ())) == ["x", "y", "z"]
    assert in_turns({}) == []
