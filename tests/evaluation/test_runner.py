import csv
import io
import math

import pytest
import torch
from rich.console import Console

from workbench.api.errors import ModelAbsent, PluginError, WorkbenchError
from workbench.api.types import Audio, EvaluationItem, Example
from workbench.evaluation.runner import (
    MetricEntry,
    System,
    evaluate,
    perplexity_figure,
    with_figure,
)
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, cell, number


class Loudness:
    """Mean absolute sample: a metric small enough to check by hand."""

    def __init__(self):
        self.scores = {}

    def update(self, item):
        self.scores[item.id] = float(item.generated.samples.abs().mean())

    def compute(self):
        return [mean_figure("loudness", self.scores, True, settings={"definition": "mean |x|"})]


class Broken(Loudness):
    def update(self, item):
        raise WorkbenchError(f"item {item.id!r} has no prompt")


def system(name, role, levels):
    items = []
    for index, level in enumerate(levels):
        audio = Audio(torch.full((1, 10), float(level)), 10)
        truth = Audio(torch.ones(1, 10), 10)
        items.append(EvaluationItem(f"i{index}", Example(f"i{index}", "test"), audio, truth))
    return System(name, role, items)


TRUTH = system("ground truth", "truth", [1, 1, 1, 1])
MODEL = system("continuation", "result", [0.7, 0.8, 0.7, 0.76])
FLOOR = system("shuffled tokens", "floor", [0.1, 0.2, 0.15, 0.1])
ENTRY = MetricEntry("loudness", Loudness, {"provider": "tests 1.0", "options": {"a": 1}})


@pytest.fixture
def table():
    return evaluate([TRUTH, MODEL, FLOOR], [ENTRY])


def test_every_system_gets_its_own_figures_with_common_provenance(table):
    assert table.figure("ground truth", "loudness").value == pytest.approx(1.0)
    figure = table.figure("continuation", "loudness")
    assert figure.value == pytest.approx(0.74)
    assert figure.settings["metric"] == "loudness"
    assert figure.settings["provider"] == "tests 1.0"
    assert figure.settings["options"] == {"a": 1}
    assert figure.settings["n"] == 4
    assert figure.settings == table.figure("shuffled tokens", "loudness").settings


def test_roles_limit_a_metric():
    table = evaluate([TRUTH, MODEL], [MetricEntry("loudness", Loudness, {}, frozenset({"truth"}))])
    assert table.columns == ["loudness"]
    assert table.row("continuation").figures == {}


def test_a_metric_without_its_model_is_left_out_and_the_rest_is_there(table):
    def build():
        raise ModelAbsent("weights 'far/away':\n  not here")

    found = evaluate([TRUTH, MODEL, FLOOR], [MetricEntry("judge", build), ENTRY])
    assert found.rows == table.rows
    assert found.absences() == ["judge: weights 'far/away': not here"]
    assert ResultTable.from_json(found.to_json()) == found
    figure = perplexity_figure("perplexity", {"i0": 1.0}, {"i0": 2})
    assert with_figure(found, "continuation", figure).left_out == found.left_out
    assert "- left out: judge: weights 'far/away': not here" in found.to_markdown()


def test_verdicts_compare_results_with_floors(table):
    (verdict,) = table.verdicts()
    assert (verdict.result, verdict.floor) == ("continuation", "shuffled tokens")
    assert verdict.outcome == "better"
    swapped = evaluate(
        [
            TRUTH,
            System("continuation", "result", FLOOR.items),
            System("shuffled tokens", "floor", MODEL.items),
        ],
        [ENTRY],
    )
    assert swapped.verdicts()[0].outcome == "worse"


def test_a_floor_that_scores_like_the_truth_judges_nothing():
    """Another item's audio under a figure that is blind to the prompt, say."""
    same = System("another item", "floor", TRUTH.items)
    table = evaluate([TRUTH, MODEL, same, FLOOR], [ENTRY])
    assert [verdict.outcome for verdict in table.verdicts()] == ["blind", "better"]
    without_truth = evaluate([MODEL, same], [ENTRY])
    assert without_truth.verdicts()[0].outcome == "worse"


def test_json_keeps_everything(table):
    lone = evaluate([system("x", "result", [1.0])], [ENTRY])
    for each in (table, lone):  # the second has unknown intervals
        again = ResultTable.from_json(each.to_json())
        assert again.to_json() == each.to_json()
        assert again.columns == each.columns
    assert math.isnan(ResultTable.from_json(lone.to_json()).figure("x", "loudness").low)
    assert ResultTable.from_json(table.to_json()) == table


def test_a_table_of_another_format_is_refused():
    with pytest.raises(WorkbenchError, match="format 99"):
        ResultTable.from_json('{"format": 99, "rows": []}')


def test_markdown_csv_and_terminal_show_the_same_numbers(table):
    markdown = table.to_markdown()
    assert "| continuation | 0.740 [" in markdown
    assert "loudness ↑" in markdown
    assert "- loudness: mean |x|; N = 4, 95 % intervals" in markdown
    lines = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [line["system"] for line in lines] == ["ground truth", "continuation", "shuffled tokens"]
    assert float(lines[1]["value"]) == pytest.approx(0.74)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table.to_rich())
    assert "0.740" in console.export_text()


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [(0.73751, 0.7, "0.738"), (123.456, 120, "123"), (12.3456, 12, "12.3"), (0.0, 0.0, "0")],
)
def test_numbers_have_about_three_digits(value, scale, text):
    assert number(value, scale) == text


def test_a_missing_figure_is_a_dash():
    assert cell(None) == "-"


def test_systems_over_other_items_are_refused():
    with pytest.raises(WorkbenchError, match="must hold the same items"):
        evaluate([TRUTH, system("other", "result", [1, 1, 1])], [ENTRY])
    with pytest.raises(WorkbenchError, match="nothing to evaluate"):
        evaluate([], [ENTRY])


def test_an_error_names_metric_and_system():
    with pytest.raises(WorkbenchError, match="'loudness' on 'ground truth': item 'i0'"):
        evaluate([TRUTH], [MetricEntry("loudness", Broken)])


def test_two_metrics_may_not_give_the_same_figure():
    with pytest.raises(PluginError, match="another metric"):
        evaluate([TRUTH], [ENTRY, MetricEntry("again", Loudness)])


def test_progress_counts_items():
    seen = []
    evaluate([MODEL], [ENTRY], progress=lambda *event: seen.append(event))
    assert seen == [("loudness", "continuation", k) for k in (1, 2, 3, 4)]


def test_perplexity_is_that_of_all_tokens_together(table):
    figure = perplexity_figure("ppl", {"a": math.log(4) * 10, "b": 0.0}, {"a": 10, "b": 10})
    assert figure.value == pytest.approx(2.0)
    assert figure.n == 2
    joined = with_figure(table, "continuation", figure)
    assert joined.columns == ["loudness", "ppl"]
    settings = joined.figure("continuation", "ppl").settings
    assert settings["items"] == table.figure("continuation", "loudness").settings["items"]
    assert cell(joined.row("ground truth").figures.get("ppl")) == "-"
    with pytest.raises(WorkbenchError, match="no system 'nobody'"):
        with_figure(table, "nobody", figure)
