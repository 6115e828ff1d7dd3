import dataclasses
import math

import numpy as np
import pytest

from workbench.evaluation.board import Entry, mean_over_runs, tabulate
from workbench.evaluation.statistics import mean_figure, set_figure

ITEMS = 40


def figure(level, noise=0.02, seed=0, name="key", higher=True, **settings):
    """Item scores around ``level``; the items' own ups and downs are the same for all."""
    shared = np.random.default_rng(1).normal(0, 0.2, ITEMS)
    own = np.random.default_rng(seed + 100).normal(0, noise, ITEMS)
    scores = {f"i{k}": float(level + shared[k] + own[k]) for k in range(ITEMS)}
    return mean_figure(name, scores, higher, settings={"items": "same", **settings})


def entry(row, figure, group="music", seed=0, role="result"):
    return Entry(f"{row}-{group}-{seed}", seed, row, "generated", role, group, figure)


def best(column):
    return {row for row, cell in column.cells.items() if cell.best}


def test_the_best_is_told_with_those_it_is_not_clear_of():
    """Paired: overlapping intervals of the figures themselves do not make a tie."""
    entries = [
        entry("a", figure(0.50, seed=1)),
        entry("b", figure(0.503, seed=2)),
        entry("c", figure(0.45, seed=3)),
    ]
    (table,) = tabulate(entries)
    (column,) = table.columns
    assert best(column) == {"a", "b"}
    first, third = (column.cells[row].figure for row in "ac")
    assert third.high > first.low  # the intervals overlap, the differences are clear


def test_lower_may_be_better():
    entries = [entry(r, figure(v, name="wer", higher=False)) for r, v in (("a", 0.5), ("b", 0.3))]
    assert best(tabulate(entries)[0].columns[0]) == {"b"}


def test_a_single_row_has_beaten_nobody():
    (table,) = tabulate([entry("a", figure(0.5))])
    assert best(table.columns[0]) == set()
    assert not table.compares


def test_unlike_figures_never_share_a_column():
    entries = [
        entry("far", figure(0.9, clip_seconds=3.0)),
        entry("a", figure(0.5, clip_seconds=5.0)),
        entry("b", figure(0.4, clip_seconds=5.0, seed=4)),
        entry("a", figure(0.5, clip_seconds=5.0), group="speech"),
    ]
    (table,) = tabulate(entries)
    assert [(c.group, c.number, sorted(c.cells)) for c in table.columns] == [
        ("music", 1, ["a", "b"]),
        ("music", 2, ["far"]),
        ("speech", 1, ["a"]),
    ]
    assert table.columns[1].unlike == ("clip_seconds: 5.0 against 3.0",)
    assert best(table.columns[0]) == {"a"}
    assert list(table.titles.values()) == ["music (1)", "music (2)", "speech"]
    assert table.rows == ["a", "b", "far"]


def test_figures_and_systems_have_tables_of_their_own():
    other = dataclasses.replace(entry("a", figure(0.5)), system="round trip", role="ceiling")
    entries = [entry("a", figure(0.5)), entry("a", figure(0.5, name="tempo")), other]
    assert [(t.figure, t.system, t.role) for t in tabulate(entries)] == [
        ("key", "generated", "result"),
        ("tempo", "generated", "result"),
        ("key", "round trip", "ceiling"),
    ]


def test_runs_that_repeat_one_another_are_one_row():
    entries = [entry("a", figure(level, seed=k), seed=k) for k, level in enumerate((0.4, 0.5, 0.6))]
    (table,) = tabulate(entries)
    cell = table.columns[0].cells["a"]
    assert cell.figure.value == pytest.approx(np.mean([e.figure.value for e in entries]))
    assert cell.runs == ("a-music-0", "a-music-1", "a-music-2")
    assert cell.figure.n == ITEMS


def test_seeds_that_disagree_make_a_tie():
    """One arm wins by far with one seed and loses with the other: items alone would call it."""
    first = [entry("a", figure(level), seed=k) for k, level in enumerate((0.9, 0.45))]
    second = [entry("b", figure(0.5, seed=9), seed=k) for k in range(2)]
    assert best(tabulate([*first, *second])[0].columns[0]) == {"a", "b"}
    steady = [entry("a", figure(level), seed=k) for k, level in enumerate((0.9, 0.89))]
    assert best(tabulate([*steady, *second])[0].columns[0]) == {"a"}


def test_the_mean_of_set_figures_keeps_shared_draws():
    data = np.random.default_rng(0).random((2, ITEMS))
    figures = [
        set_figure("fd", ITEMS, lambda w, x=x: float((w * x).sum() / w.sum()), False) for x in data
    ]
    mean = mean_over_runs(figures)
    assert mean.value == pytest.approx(data.mean())
    assert mean.replicates == pytest.approx(np.mean([f.replicates for f in figures], axis=0))
    assert mean.low < mean.value < mean.high
    cut = dataclasses.replace(figures[1], replicates=figures[1].replicates[:10])
    assert mean_over_runs([figures[0], cut]).replicates is None


def test_without_an_interval_nothing_is_clearly_better():
    one, two = (mean_figure("key", {"i": level}, True) for level in (0.9, 0.1))
    assert math.isnan(one.low)
    assert best(tabulate([entry("a", one), entry("b", two)])[0].columns[0]) == {"a", "b"}
