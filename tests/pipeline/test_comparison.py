import dataclasses
import json
import re
from html.parser import HTMLParser

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
    in_words,
    listening_items,
    verdict,
)
from workbench.pipeline.comparison_page import write_page
from workbench.pipeline.listening import (
    ListeningItem,
    Version,
    audio_note,
    players,
    write_index,
)

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
            # Runs differ in what they generate alone.
            seed = round(1000 * level) if number == 2 else number
            generator = torch.Generator().manual_seed(seed)
            write_audio(path, Audio(0.1 * torch.randn(1, 400, generator=generator), RATE))
        versions = [
            Version("ground truth", "truth", paths[1]),
            Version("codec round trip", "ceiling", paths[1]),
            Version("generated", "result", paths[2]),
            Version("shuffled codes", "floor", paths[1]),
        ]
        items.append(ListeningItem(item, item, versions, paths[0]))
    write_index(items, folder)
    (folder / "table.json").write_text(table.to_json())
    curves = {"validation_mel": [[0, 2.0], [5, level]], "grad_norm": [[0, 1.0]]}
    (folder / "history.json").write_text(json.dumps({"codec": curves}))
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
    assert verdict(same) == "the same"


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
        "all runs: codec round trip",
        "music-aaaa: generated",
        "music-bbbb: generated",
    ]
    three = listening_items(runs(results, "music-a", "music-b", "sound"))[0].versions
    assert three[2].system == "music-aaaa, sound-cccc: generated"  # of equal sound
    index = results / "runs" / "music-bbbb" / "listening.json"
    index.write_text(json.dumps(json.loads(index.read_text())[1:]))
    assert [item.id for item in listening_items(runs(results, "music-a", "music-b"))] == ["i1"]


def test_standing_is_told_in_words(results):
    make_run(results, "other", 0.3, extra=["chord"])
    make_run(results, "again", 0.35, extra=["chord"])
    (sentence,) = in_words(compare_runs(runs(results, "other", "again")))
    assert sentence == "Run 2 against run 1, “generated”: clearly better on key-agreement, chord."
    (sentence,) = in_words(compare_runs(runs(results, "music-a", "music-a")))
    assert sentence.endswith("“generated”: the same on key-agreement.")
    noisy = make_run(results, "noisy", 0.3)
    table = json.loads((noisy / "table.json").read_text())
    figure = table["rows"][1]["figures"][0]
    figure["per_item"] = {
        k: v + 0.1 * (-1) ** n for n, (k, v) in enumerate(figure["per_item"].items())
    }
    (noisy / "table.json").write_text(json.dumps(table))
    (sentence,) = in_words(compare_runs(runs(results, "music-a", "noisy")))
    assert sentence.endswith("“generated”: no clear difference on key-agreement.")
    forced = compare_runs(runs(results, "music-b", "sound"), force=True)
    (sentence,) = in_words(forced)
    assert sentence.endswith("clearly worse on key-agreement (not measured alike).")


class Page(HTMLParser):
    """What a browser would load, ids, text, and whether it's all closed again."""

    EMPTY = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, path):
        super().__init__()
        self.loads, self.ids, self.text, self.open = [], [], "", []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.loads += [attrs[k] for k in ("src", "data", "poster", "srcset") if attrs.get(k)]
        self.loads += [attrs["href"]] if tag == "link" else []
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.open += [] if tag in self.EMPTY else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_shows_differences_audio_curves_and_recipes(results, tmp_path):
    comparison = compare_runs(runs(results, "music-a", "music-b"))
    path = write_page(comparison, tmp_path / "deep" / "page.html")
    page = Page(path)
    for words in (
        "key-agreement ↑, generated",
        "clearly better (paired items, N = 6)",
        "Run 2 against run 1, “generated”: clearly better on key-agreement.",
        "music-bbbb: generated",
        "lm.level: 0.3 against 0.35",
        "2 of 2 items, as FLAC (nothing is lost)",
        "MB of this page, which gives them 9 MB at most",
    ):
        assert words in page.text, words
    text = path.read_text()
    label = "codec: validation_mel over steps: music-aaaa ends at 0.3, music-bbbb ends at 0.35"
    assert label in text
    assert "codec: grad_norm" not in text  # the same in both
    assert "each item's difference from the first run" not in page.text
    assert 'aria-label="key-agreement of generated: each item&#x27;s difference' in text


def test_page_needs_nothing_but_itself(results, tmp_path):
    make_run(results, "<img src=x>", 0.35)
    comparison = compare_runs(runs(results, "music-a", "music-b", "<img src=x>"))
    page = Page(write_page(comparison, tmp_path / "page.html"))
    assert page.loads
    assert all(load.startswith("data:") for load in page.loads)
    assert sum(load.startswith("data:audio/flac;base64,") for load in page.loads) > 4
    assert len(page.ids) == len(set(page.ids))
    assert "<img src=x>: generated" in page.text
    assert page.open == []
    text = (tmp_path / "page.html").read_text()
    assert not re.search(r"url\((?!#)|@import|src=\"?http|href=\"?http", text)


def test_page_shows_what_is_refused_with_the_field_and_what_is_forced_with_a_mark(
    results, tmp_path
):
    chosen = [*runs(results, "music-a"), find_run("sound", results)]
    for run in chosen:  # one figure that can be compared, beside the one that can't
        tempo = mean_figure("tempo", {"i0": 1.0, "i1": 2.0}, True, settings={"n": 2})
        run.table.row("generated").figures["tempo"] = tempo
    page = Page(write_page(compare_runs(chosen), tmp_path / "page.html"))
    assert "1 figure is refused" in page.text
    assert "key-agreement, generated" in page.text
    assert "sample_rate: absent against 24000" in page.text
    assert "key-agreement ↑, generated" not in page.text
    forced = compare_runs(chosen, force=True)
    text = Page(write_page(forced, tmp_path / "forced.html")).text
    assert "Not measured alike: sample_rate: absent against 24000" in text
    assert "key-agreement ↑, generated" in text


def test_the_room_for_audio_is_kept_by_cutting_what_is_too_long(results):
    items = listening_items(runs(results, "music-a", "music-b"))
    seconds = 40
    samples = 0.3 * torch.randn(1, seconds * RATE, generator=torch.Generator().manual_seed(0))
    for version in items[0].versions:
        write_audio(version.audio, Audio(samples, RATE))
    (whole,) = players(items[:1])
    assert whole.seconds == whole.whole_seconds == pytest.approx(seconds + 0.05)
    room = whole.size // 3
    (cut,) = players(items[:1], room)
    assert cut.size <= room
    assert cut.seconds == pytest.approx(whole.seconds / 4)
    assert cut.whole_seconds == whole.seconds
    assert cut.joint == pytest.approx(100 * 0.05 / cut.seconds)
    assert audio_note([cut], items).startswith("1 of 2 items")
