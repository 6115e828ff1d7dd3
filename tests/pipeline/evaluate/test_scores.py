"""Files are scored in any order, by any number of processes, and once."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.pipeline.evaluate.conftest import RATE
from workbench import Audio, read_audio, write_audio
from workbench.api.errors import WorkbenchError
from workbench.api.settings import Slot
from workbench.api.types import Example
from workbench.evaluation.runner import System, evaluate, metric_entry
from workbench.host.context import Context
from workbench.pipeline.evaluate.folders import folder_systems
from workbench.pipeline.evaluate.scores import score_files

BOTH = [Slot("tally", {"size": 3, "mode": "fast"}), Slot("spread", {"size": 3, "mode": "fast"})]


def systems(root, texts=None):
    return folder_systems(root / "ref", {n: root / n for n in ("good", "bad")}, texts or {})


def words(items):
    return {f"s{n}": Example(f"s{n}", "test", text="a" * n) for n in range(items)}


def test_the_table_is_that_of_one_process_and_one_metric_over_all_items(folders, scoring, asked):
    made = systems(folders, words(12))
    table = score_files(made, BOTH, scoring).table
    context = Context(scoring.catalog, "cpu", 0)
    plain = evaluate(
        [System(s.name, s.role, [item.read() for item in s.items]) for s in made],
        [metric_entry(context, slot) for slot in BOTH],
    )
    assert table == plain
    assert table.columns == ["tally", "spread"]
    assert table.figure("bad", "tally").value > 5 * table.figure("good", "tally").value
    spread = dataclasses.replace(scoring, jobs=2, results=folders / "other")
    assert score_files(made, BOTH, spread).table == plain


def test_what_has_been_scored_is_not_scored_again(folders, scoring, asked):
    first = score_files(systems(folders), BOTH, scoring)
    # Four systems of twelve files; the statistic of the set tried each with one file first.
    assert first.measured == 2 * 4 * 12
    assert len(asked.read_text().split()) == 4 * 12 + 4 * 13
    asked.write_text("")
    again = score_files(systems(folders), BOTH, scoring)
    assert (again.measured, again.table) == (0, first.table)
    assert asked.read_text() == ""


def test_only_what_changed_is_scored_anew(folders, scoring, asked):
    score_files(systems(folders), BOTH[:1], scoring)
    asked.write_text("")
    path = folders / "bad" / "s3.flac"
    write_audio(path, Audio(read_audio(path).samples / 2, RATE))
    assert score_files(systems(folders), BOTH[:1], scoring).measured == 1
    assert asked.read_text().split() == ["s3"]
    other = [Slot("tally", {"size": 4, "mode": "fast"})]
    assert score_files(systems(folders), other, scoring).measured == 4 * 12
    asked.write_text("")
    seeded = dataclasses.replace(scoring, seed=1)
    assert score_files(systems(folders), BOTH[:1], seeded).measured == 4 * 12


def test_a_killed_evaluation_goes_on(folders, scoring, asked, monkeypatch):
    monkeypatch.setenv("STOP_AT", "s9")
    with pytest.raises(KeyboardInterrupt):
        score_files(systems(folders)[:2], BOTH[:1], scoring)
    before = asked.read_text().split()
    asked.write_text("")
    monkeypatch.delenv("STOP_AT")
    left = score_files(systems(folders)[:2], BOTH[:1], scoring)
    assert 0 < left.measured < 24
    assert len(asked.read_text().split()) == left.measured
    assert len(before) + left.measured >= 24
    fresh = dataclasses.replace(scoring, results=folders / "other")
    assert left.table == score_files(systems(folders)[:2], BOTH[:1], fresh).table


def test_a_metric_that_items_cannot_serve_is_left_out_by_name(folders, scoring):
    slots = [Slot("wordy", {}), *BOTH[:1]]
    texts = words(12)  # the first has an empty one
    table = score_files(systems(folders, texts), slots, scoring).table
    assert table.columns == ["tally"]
    (entry,) = table.left_out
    assert (entry.metric, entry.why) == ("wordy", "item 's0' has no text")
    texts["s0"] = Example("s0", "test", text="now it has")
    with pytest.raises(WorkbenchError, match="another metric"):  # both call their figure so
        score_files(systems(folders, texts), slots, scoring)
    assert score_files(systems(folders, texts), slots[:1], scoring).table.columns == ["tally"]


def test_a_metric_that_fails_is_an_error_with_its_name(folders, scoring):
    alone = folder_systems(folders / "ref", {"good": folders / "good"}, {}, items=2)
    one = [dataclasses.replace(s, items=s.items[:1]) for s in alone]
    with pytest.raises(WorkbenchError, match="'spread' on 'ground truth': one item has no spread"):
        score_files(one, BOTH[1:], scoring)


def test_audio_of_any_rate_is_brought_to_the_truths(folders, scoring):
    for n in range(12):
        wav = read_audio(folders / "ref" / f"s{n}.wav").samples
        wide = torch.nn.functional.interpolate(wav[None], scale_factor=2)[0].repeat(2, 1)
        write_audio(folders / "wide" / f"s{n}.wav", Audio(wide, 2 * RATE))
    made = folder_systems(folders / "ref", {"wide": folders / "wide"}, {})
    item = made[1].items[0].read()
    assert (item.generated.sample_rate, item.generated.channels) == (RATE, 1)
    higher = folder_systems(folders / "ref", {"wide": folders / "wide"}, {}, rate=2 * RATE)
    assert higher[1].items[0].read().reference.sample_rate == 2 * RATE
    tables = [score_files(systems, BOTH[:1], scoring).table for systems in (made, higher)]
    rates = [t.figure("wide", "tally").settings["sample_rate"] for t in tables]
    assert rates == [RATE, 2 * RATE]
