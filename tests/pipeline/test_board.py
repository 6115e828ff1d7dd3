"""Boards from an MLflow store: what is gathered, how rows are told apart, what is written."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from workbench.api.errors import UnknownRun, WorkbenchError
from workbench.api.types import Audio, Example
from workbench.audio.io import write_audio
from workbench.cli.main import build_app
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.pipeline.board import _row_name, codec_name, make_board, row_infos
from workbench.pipeline.board_page import to_markdown, write_board
from workbench.pipeline.comparison import find_run, listening_items
from workbench.pipeline.listening import ListeningItem, Version, read_index
from workbench.pipeline.tracked import (
    TrackedRun,
    fetch_run,
    item_labels,
    label_tags,
    measured_runs,
    track_audio,
    track_items,
)
from workbench.tracking import Tracker, store_uri

EXAMPLES = {
    f"i{k}": Example(
        f"i{k}",
        "test",
        text="words",
        language="en" if k % 2 else "es",
        details={"accent": "north", "notes": [1], "long": "x" * 100},
    )
    for k in range(8)
}


def table(level, **settings):
    def figure(name, add=0.0):
        scores = {f"i{k}": level + add + 0.01 * k for k in range(8)}
        return mean_figure(name, scores, True, settings={"definition": "right <words>", **settings})

    rows = [
        Row("ground truth", "truth", {"key": figure("key", 1.0)}),
        Row("codec round trip", "ceiling", {"key": figure("key", 0.5)}),
        Row("generated", "result", {"key": figure("key"), "own": figure("own")}),
    ]
    return ResultTable(tuple(rows))


def params(codec="xcodec", encoder="none", **more):
    return {
        "codec.name": codec,
        "encoder.name": encoder,
        "more_encoders": "[]",
        "seed": "0",
        **more,
    }


def run(identity, level, labels=True, domain="", measured=None, **given):
    items = item_labels(EXAMPLES) if labels else {}
    tags = {"workbench.domain": domain} if domain else {}
    return TrackedRun(
        identity, f"run-{identity}", params(**given), tags, table(level, **(measured or {})), items
    )


def test_labels_are_what_figures_can_be_told_by():
    labels = item_labels(EXAMPLES)
    assert labels["i1"] == {
        "accent": "north", "language": "en", "text": "words", "domain": "speech"
    }  # fmt: skip
    assert label_tags(labels) == {"workbench.domain": "speech", "workbench.language": "en, es"}
    assert label_tags(item_labels({"a": Example("a", "test")})) == {}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "xcodec"),
        ({"encoder": "mert"}, "xcodec + mert"),
        ({"encoder": "mert", "more_encoders": '[{"name": "clap"}]'}, "xcodec + mert + clap"),
    ],
)
def test_a_codec_is_called_by_itself_and_its_teachers(given, name):
    assert codec_name(run("a", 0.5, **given)) == name


def test_an_evaluation_is_called_by_its_codec_or_by_itself():
    evaluated = replace(run("a", 0.5), params={"source.codec.name": "dac"})
    assert codec_name(replace(evaluated, tags={"workbench.codec": "dac"})) == "dac"
    assert codec_name(evaluated) == "run-a"
    other = replace(evaluated, id="b", params={"source.codec.name": "dac", "source.rate": "1"})
    third = replace(evaluated, id="c", params={"source.codec.name": "mimi"})
    rows = row_infos([evaluated, other, third], ("codec",))
    assert [row.runs for row in rows] == [("a", "b"), ("c",)]


def test_rows_of_one_name_are_told_apart_by_what_differs_and_seeds_are_not():
    runs = [
        run("a", 0.5, seed="0", **{"codec.codebooks": "2"}),
        run("b", 0.5, seed="1", **{"codec.codebooks": "2"}),
        run("c", 0.5, **{"codec.codebooks": "4"}),
        run("d", 0.5, encoder="mert"),
    ]
    rows = {info.name: info.runs for info in row_infos(runs, ("codec", "encoder"))}
    assert rows == {
        "xcodec (codebooks=2)": ("a", "b"),
        "xcodec (codebooks=4)": ("c",),
        "xcodec + mert": ("d",),
    }


def test_a_codec_trained_on_other_data_is_another_codec():
    given = {"codec.training.steps": "100"}
    music, speech = (
        run(name, 0.5, **given, **{"corpus.name": name}) for name in ("music", "speech")
    )
    assert len(row_infos([music, speech], ("codec",))) == 2
    given = {"codec.training.steps": "0"}
    music, speech = (
        run(name, 0.5, **given, **{"corpus.name": name}) for name in ("music", "speech")
    )
    assert len(row_infos([music, speech], ("codec",))) == 1


def test_rows_with_many_differences_bear_a_runs_name():
    runs = [run(n, 0.5, **{f"codec.o{k}": f"{n}{k}" for k in range(5)}) for n in ("a", "b")]
    infos = row_infos(runs, ("codec",))
    assert [info.name for info in infos] == ["xcodec (run-a)", "xcodec (run-b)"]
    assert infos[0].told["codec.o4"] == "a4"


def test_boards_go_by_domain_and_by_language():
    board = make_board([run("a", 0.5, encoder="mert"), run("b", 0.4)])
    domain, language = board.sections
    assert [(t.figure, t.system, [c.group for c in t.columns]) for t in domain.tables] == [
        ("key", "codec round trip", ["speech"]),
        ("key", "generated", ["speech"]),
        ("own", "generated", ["speech"]),
    ]
    shown = language.tables[1]
    assert [column.group for column in shown.columns] == ["en", "es"]
    cells = shown.columns[0].cells
    assert {row: cell.best for row, cell in cells.items()} == {
        "xcodec + mert": True, "xcodec": False
    }  # fmt: skip
    assert cells["xcodec"].figure.n == 4


def test_results_made_otherwise_are_marked():
    runs = [
        run("a", 0.5, encoder="mert", **{"lm.training.steps": "900"}),
        run("b", 0.4, **{"lm.training.steps": "1800"}),
    ]
    (section,) = make_board(runs, ["domain"]).sections
    assert section.unmatched == ("speech: lm.training.steps (xcodec + mert: 900; xcodec: 1800)",)
    again = [run("a", 0.5, encoder="mert"), run("b", 0.4)]
    assert make_board(again, ["domain"]).sections[0].unmatched == ()


def test_runs_that_state_nothing_are_counted_and_the_runs_own_tag_counts():
    runs = [
        run("a", 0.5, encoder="mert"),
        run("b", 0.4, labels=False, domain="speech"),
        run("c", 0.3, labels=False, codec="dac"),
    ]
    (section,) = make_board(runs, ["domain"]).sections
    assert section.unplaced == 1
    assert section.tables[0].rows == ["xcodec + mert", "xcodec"]


def test_figures_that_cannot_be_compared_are_left_out_with_the_reason_unless_named():
    runs = [run("a", 0.5, encoder="mert"), run("b", 0.4, measured={"clip_seconds": 3})]
    runs += [run("c", 0.3, codec="dac")]
    lone = TrackedRun("d", "d", params(codec="lone"), {}, ResultTable((
        Row("generated", "result", {"odd": mean_figure("odd", {"i0": 1.0, "i1": 2.0}, True)}),)),
        item_labels(EXAMPLES))  # fmt: skip
    (section,) = make_board([*runs, lone], ["domain"]).sections
    assert "odd" not in {table.figure for table in section.tables}
    assert section.left_out == ("odd of “generated”: no two codecs have it on the same material",)
    (section,) = make_board([*runs, lone], ["domain"], ["odd"], ["generated"]).sections
    assert [table.figure for table in section.tables] == ["odd"]
    (section,) = make_board(runs[:2], ["domain"]).sections
    assert len(section.tables) == 3  # nothing to compare at all: everything is shown


def test_unknown_names_are_told():
    with pytest.raises(WorkbenchError, match="no run has a figure 'fd'; there are: key, own"):
        make_board([run("a", 0.5)], figures=["fd"])
    with pytest.raises(WorkbenchError, match="no run has a system 'x'; there are: codec round"):
        make_board([run("a", 0.5)], systems=["x"])
    with pytest.raises(WorkbenchError, match="no finished run"):
        make_board([])


def test_markdown_has_the_best_in_bold_and_names_what_is_unlike():
    runs = [
        run("a", 0.5, encoder="mert"),
        run("b", 0.4, codec="a|b"),
        run("c", 0.9, codec="dac", measured={"clip_seconds": 3}),
    ]
    text = to_markdown(make_board(runs, ["domain"], ["key"], ["generated"]))
    assert "| codec | speech (1), N = 8 | speech (2), N = 8 |" in text
    assert "| xcodec + mert | **0.535 [" in text
    assert "| a\\|b | 0.435 [" in text
    assert "| dac | - | 0.935 [" in text
    assert "speech (2) was measured otherwise than (1): clip_seconds: absent against 3" in text
    assert "- xcodec + mert: run-a (a)" in text
    assert "\n\n\n" not in text


def test_the_page_needs_nothing_but_itself_and_escapes(tmp_path):
    runs = [run("a", 0.5, codec="<b>x"), run("b", 0.4)]
    page = write_board(make_board(runs), tmp_path / "deep")
    text = page.read_text()
    assert "&lt;b&gt;x" in text
    assert "<b>x" not in text
    assert "right &lt;words&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    plain = json.loads((tmp_path / "deep" / "board.json").read_text())
    assert plain["tables"][0]["columns"][0]["cells"]["xcodec"]["best"] is False


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with two measured runs, one that has figures no more, and one without any."""
    results = tmp_path_factory.mktemp("store")
    wav = results / "sounds" / "generated" / "i0.wav"
    write_audio(wav, Audio(0.1 * torch.ones(1, 400), 8000))
    items = [
        ListeningItem(key, "words", [Version("gen/erated", "result", wav)], prompt=wav)
        for key in list(EXAMPLES)[:5]
    ]
    ids = {}
    for name, level in (("one", 0.5), ("two", 0.4), ("broken", 0.1), ("empty", None)):
        tracker = Tracker(results)
        given = {"codec": {"name": name}, "encoder": {"name": "none"}, "seed": 0}
        ids[name] = tracker.start(name, given, {})
        if level is not None:
            tracker.log_table(table(level))
            track_items(tracker, EXAMPLES)
            track_audio(tracker, items)
            tracker.log_text("name: x\n", "recipe.yaml")
        if name == "broken":
            tracker.log_text("{}", "tables/figures.json")
        tracker.finish()
    return results, ids, Tracker(results).client


def test_runs_are_gathered_with_figures_labels_and_tags(store, caplog):
    _, ids, client = store
    with caplog.at_level(logging.WARNING):
        runs = measured_runs(client)
    assert [run.name for run in runs] == ["one", "two"]
    assert f"run broken ({ids['broken']}) is left out" in caplog.text
    assert runs[0].table == table(0.5)
    assert runs[0].items == item_labels(EXAMPLES)
    assert runs[0].tags["workbench.language"] == "en, es"
    assert runs[0].params["codec.name"] == "one"
    with pytest.raises(WorkbenchError, match="no experiment 'x'; it has: Default, workbench"):
        measured_runs(client, ["x"])


def test_a_run_is_fetched_with_its_audio_and_compared(store, tmp_path):
    _, ids, client = store
    folder = fetch_run(client, ids["one"], tmp_path)
    assert folder.name == "one"
    items = read_index(folder)
    assert [item.id for item in items] == ["i0", "i1", "i2"]
    assert items[0].versions[0].system == "gen/erated"
    assert items[0].versions[0].audio.exists()
    assert items[0].prompt is not None
    assert items[0].prompt.exists()
    runs = [find_run(str(fetch_run(client, ids[n], tmp_path)), tmp_path) for n in ("one", "two")]
    assert [run.name for run in runs] == ["one", "two"]
    assert len(listening_items(runs)) == 3
    with pytest.raises(UnknownRun, match="no run 'ffff'"):
        fetch_run(client, "ffff", tmp_path)


def test_runs_of_a_server_are_compared_by_id(store, catalog, tmp_path):
    results, ids, _ = store
    words = ["compare", ids["one"], ids["two"], "--uri", store_uri(results)]
    words += ["--results", str(tmp_path), "--out", str(tmp_path / "page.html")]
    result = CliRunner().invoke(build_app(catalog), words)
    assert result.exit_code == 0, result.exception
    assert "clearly worse" in " ".join(result.output.split())
    assert "data:audio/flac" in (tmp_path / "page.html").read_text()


def test_the_command_writes_and_tracks_one_board_an_experiment(store, catalog):
    results, _, client = store
    for _ in range(2):
        words = ["board", "--results", str(results), "--by", "language"]
        result = CliRunner().invoke(build_app(catalog), words)
        assert result.exit_code == 0, result.exception
    assert "## Codec by language" in result.output
    assert (results / "board" / "board.html").exists()
    (experiment,) = [e for e in client.search_experiments() if e.name == "workbench"]
    found = client.search_runs([experiment.experiment_id], "tags.`workbench.board` = 'board'")
    assert len(found) == 1
    names = {file.path for file in client.list_artifacts(found[0].info.run_id)}
    assert names == {"board.html", "board.md", "board.json"}
    words = ["board", "--results", str(results), "--no-track", "--out", str(results / "b")]
    result = CliRunner().invoke(build_app(catalog), words)
    assert "MLflow: run" not in result.output
    assert (results / "b" / "board.md").exists()


def test_an_evaluated_codec_is_named_by_the_first_parameter_that_tells_all_apart():
    params = [
        {"source.codec.options.weights": f"w{n}", "source.codec_key": f"{n:064d}"} for n in range(2)
    ]
    runs = [run(name, 0.5, **own) for name, own in zip("ab", params, strict=True)]
    names = [info.name for info in row_infos(runs, ("codec",))]
    assert [name.split(" ", 1)[1] for name in names] == ["(weights=w0)", "(weights=w1)"]


def test_leaves_that_two_parameters_share_are_named_in_full():
    told = {"codec.size": "2", "encoder.size": "3"}
    assert _row_name("xcodec", told, "run") == "xcodec (codec.size=2, encoder.size=3)"
