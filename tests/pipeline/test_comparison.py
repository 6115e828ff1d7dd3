import dataclasses
import json

import pytest
import torch
import yaml

from workbench.api.errors import WorkbenchError
from workbench.api.types import Audio
from workbench.audio.io import write_audio
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.pipeline.comparison import (
    compare_runs,
    difference_text,
    find_run,
    listening_items,
    verdict,
)
from workbench.pipeline.comparison_page import write_page
from workbench.pipeline.listening import ListeningItem, Version, write_index

RATE = 8000


def make_run(results, name, level, settings=None, mlflow="", extra=()):
    """A measured run's folder: higher ``level``, better key agreement."""
    folder = results / "runs" / name
    scores = {f"i{k}": level + 0.1 * k for k in range(6)}
    given = {"n": 6, "items": "same", "definition": "same key", **(settings or {})}
    figure = mean_figure("key-agreement", scores, True, settings=given)
    figures = {"key-agreement": figure}
    for other in extra:
        figures[other] = dataclasses.replace(figure, name=other)
    truth = Row("ground truth", "truth", {"key-agreement": figure})
    table = ResultTable((truth, Row("generated", "result", figures)))
    items = []
    for item in ("i0", "i1"):
        paths = [folder / "audio" / system / f"{item}.wav" for system in ("prompt", "t", "g")]
        for number, path in enumerate(paths):
            generator = torch.Generator().manual_seed(number)
            write_audio(path, Audio(0.1 * torch.randn(1, 400, generator=generator), RATE))
        versions = [
            Version("ground truth", "truth", paths[1]),
            Version("generated", "result", paths[2]),
            Version("shuffled codes", "floor", paths[1]),
        ]
        items.append(ListeningItem(item, item, versions, paths[0]))
    write_index(items, folder)
    (folder / "table.json").write_text(table.to_json())
    (folder / "run.json").write_text(json.dumps({"status": "finished", "mlflow_run_id": mlflow}))
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"name": "music", "lm": {"level": level}}))
    return folder


@pytest.fixture
def results(tmp_path):
    make_run(tmp_path, "music-aaaa", 0.3, mlflow="a" * 32)
    make_run(tmp_path, "music-bbbb", 0.35)
    make_run(tmp_path, "sound-cccc", 0.3, settings={"sample_rate": 24000})
    return tmp_path


def runs(results, *names):
    return [find_run(name, results) for name in names]


@pytest.mark.parametrize("name", ["music-aaaa", "music-a", "a" * 32])
def test_runs_are_found_by_name_prefix_and_mlflow_id(results, name):
    assert find_run(name, results).name == "music-aaaa"
    assert find_run(str(results / "runs" / "music-aaaa"), results / "nowhere").name == "music-aaaa"


def test_unknown_names_list_what_there_is(results):
    with pytest.raises(WorkbenchError, match=r"no run 'speech'.*sound-cccc"):
        find_run("speech", results)
    (results / "runs" / "music-aaaa" / "table.json").unlink()
    with pytest.raises(WorkbenchError, match="no figures yet; its status is 'finished'"):
        find_run("music-aaaa", results)


def test_of_runs_that_begin_alike_the_newest_is_taken(results):
    for name, updated in (("music-aaaa", "2026-01-02"), ("music-bbbb", "2026-01-01")):
        path = results / "runs" / name / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"updated": updated}))
    assert find_run("music", results).name == "music-aaaa"


def test_an_exact_name_wins_over_longer_ones(results):
    make_run(results, "music-aaaa-2", 0.3)
    assert find_run("music-aaaa", results).name == "music-aaaa"


def test_differences_are_paired_and_from_the_first_run(results):
    comparison = compare_runs(runs(results, "music-a", "music-b"))
    (line,) = comparison.lines
    assert line.system == "generated"
    (gap,) = line.differences
    assert gap.value == pytest.approx(0.05)
    assert gap.method == "paired items"
    assert verdict(gap) == "clearly better"
    assert difference_text(gap).startswith("+0.0500 [")
    assert comparison.refused == ()
    back = compare_runs(runs(results, "music-b", "music-a")).lines[0].differences[0]
    assert verdict(back) == "clearly worse"
    same = compare_runs(runs(results, "music-a", "music-a")).lines[0].differences[0]
    assert verdict(same) == "no clear difference"


def test_unlike_figures_are_refused_by_field_and_forced_with_a_mark(results):
    chosen = runs(results, "music-a", "sound")
    with pytest.raises(WorkbenchError, match="sample_rate: absent against 24000"):
        compare_runs(chosen)
    (line,) = compare_runs(chosen, force=True).lines
    assert line.unlike == (("sample_rate: absent against 24000",),)


def test_a_figure_that_one_run_lacks_is_left_out_with_the_reason(results):
    make_run(results, "more", 0.3, extra=["chord-agreement"])
    comparison = compare_runs(runs(results, "more", "music-a"))
    assert [line.figure for line in comparison.lines] == ["key-agreement"]
    assert comparison.refused == ("chord-agreement of “generated”: not every run has it",)


def test_two_runs_at_least(results):
    with pytest.raises(WorkbenchError, match="at least two"):
        compare_runs(runs(results, "music-a"))


def test_recipes_are_compared_field_by_field(results):
    comparison = compare_runs(runs(results, "music-a", "music-b", "music-a"))
    assert comparison.changes == (("lm.level: 0.3 against 0.35",), ())


def test_listening_puts_common_items_of_all_runs_beside_one_truth(results):
    items = listening_items(runs(results, "music-a", "music-b"))
    assert [item.id for item in items] == ["i0", "i1"]
    assert [version.system for version in items[0].versions] == [
        "ground truth",
        "music-aaaa: generated",
        "music-bbbb: generated",
    ]
    index = results / "runs" / "music-bbbb" / "listening.json"
    index.write_text(json.dumps(json.loads(index.read_text())[1:]))
    assert [item.id for item in listening_items(runs(results, "music-a", "music-b"))] == ["i1"]


def test_page_shows_differences_audio_and_recipes(results, tmp_path):
    comparison = compare_runs(runs(results, "music-a", "music-b"))
    text = write_page(comparison, tmp_path / "deep" / "page.html").read_text()
    for words in (
        "key-agreement ↑, generated",
        "clearly better (paired items, N = 6)",
        "music-bbbb: generated",
        "lm.level: 0.3 against 0.35",
        "data:audio/flac;base64,",
    ):
        assert words in text, words
    forced = compare_runs(runs(results, "music-a", "sound"), force=True)
    text = write_page(forced, tmp_path / "forced.html").read_text()
    assert "Not measured alike: sample_rate: absent against 24000" in text
