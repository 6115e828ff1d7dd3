import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import pytest
import soundfile
import torch
from rich.console import Console

from workbench.api.types import Audio, Skipped
from workbench.audio.io import write_audio
from workbench.evaluation.groups import break_down
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.pipeline.listening import (
    ListeningItem,
    Version,
    players,
    read_index,
    write_index,
)
from workbench.pipeline.page import cards, verdict_sentences
from workbench.pipeline.plots import CodebookUse
from workbench.pipeline.report import (
    RunReport,
    StageReport,
    read_history,
    summary,
    write_plots,
    write_report,
)

RATE = 8000


def make_table():
    def row(system, role, level):
        scores = {f"i{k}": level + 0.01 * k for k in range(5)}
        figures = {
            "key-agreement": mean_figure(
                "key-agreement", scores, True, settings={"definition": "same <key>"}
            ),
            "mel-distance": mean_figure(
                "mel-distance", {k: 2 - v for k, v in scores.items()}, False
            ),
        }
        return Row(system, role, figures)

    return ResultTable(
        (
            row("ground truth", "truth", 0.9),
            row("generated", "result", 0.6),
            row("another item", "floor", 0.2),
            row("shuffled codes", "floor", 0.61),
        )
    )


def make_items(folder, count=2, seconds=0.5):
    items = []
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        paths = {}
        for system in ("prompt", "ground truth", "generated"):
            samples = 0.3 * torch.randn(1, round(seconds * RATE), generator=generator)
            paths[system] = folder / "audio" / system / f"i{number}.wav"
            write_audio(paths[system], Audio(samples, RATE))
        versions = [
            Version("ground truth", "truth", paths["ground truth"]),
            Version("generated", "result", paths["generated"]),
        ]
        items.append(ListeningItem(f"i{number}", f"Piece <{number}>", versions, paths["prompt"]))
    return items


@pytest.fixture
def report(tmp_path):
    return RunReport(
        title="Music & more",
        folder=tmp_path,
        description="Five seconds on.",
        table=make_table(),
        items=make_items(tmp_path),
        losses={"codec": {"loss": [(0, 2.0), (10, 1.0)]}, "empty": {}},
        codebooks=CodebookUse([1.0, 0.5], [200.0, 90.0], 256),
        stages=[StageReport("codec", 12.34, False), StageReport("corpus", 5.0, True)],
        skipped=[Skipped("bad.mp3", "can't be read")],
        recipe="name: <x>\n",
        versions={"torch": "2.11"},
    )


class Links(HTMLParser):
    """Gathers whatever a browser would load, and the text."""

    def __init__(self):
        super().__init__()
        self.loads, self.ids, self.text, self.opened = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.loads += [attrs[k] for k in ("src", "data", "poster") if attrs.get(k)]
        if tag == "link":
            self.loads.append(attrs["href"])
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "img":
            assert attrs["alt"]

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def test_page_needs_nothing_but_itself(report):
    page = write_report(report)
    links = parse(page)
    assert links.loads
    assert all(load.startswith("data:") for load in links.loads)
    assert not re.search(r"url\((?!#)|@import", page.read_text())
    assert len(links.ids) == len(set(links.ids))


def test_page_shows_figures_verdicts_stages_and_escapes(report):
    page = write_report(report)
    text = " ".join(parse(page).text)
    for words in (
        "Music & more",
        "Five seconds on.",
        "key-agreement ↑",
        "same <key>; N = 5",
        "0.620",
        "clearly better than another item; not clear of shuffled codes",
        "“generated” is clearly better than “another item” on key-agreement, mel-distance",
        "12.3",
        "reused",
        "bad.mp3: can't be read",
        "name: <x>",
        "2.11",
        "50.0 %",
        "Piece <0>",
    ):
        assert words in text, words


def test_a_run_without_a_task_still_has_a_page(tmp_path):
    page = write_report(RunReport("codec only", tmp_path))
    text = page.read_text()
    assert 'id="figures"' not in text
    assert 'id="listening"' not in text
    assert "codec only" in text


def test_embedded_audio_is_the_audio(report):
    player = players(report.items)[0]
    data = base64.b64decode(player.tracks[1].audio.split(",")[1])
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    truth, _ = soundfile.read(report.items[0].versions[1].audio, dtype="float32")
    assert rate == RATE
    assert samples.shape == truth.shape
    assert abs(samples - truth).max() < 1e-4
    assert player.seconds == pytest.approx(1.0)
    assert player.joint == pytest.approx(50.0)
    assert player.chosen == 1


def test_a_shorter_version_has_a_narrower_picture(report):
    """Versions run together on one axis of time."""
    item = report.items[0]
    short = report.folder / "short.wav"
    write_audio(short, Audio(torch.zeros(1, RATE // 4), RATE))
    versions = [*item.versions, Version("hasty", "result", short)]
    (player,) = players([dataclasses.replace(item, versions=versions)])
    assert [track.width for track in player.tracks] == [100, 100, 75]  # 0.5 s prompt, then 0.25
    assert player.seconds == 1.0
    (alone,) = players([dataclasses.replace(item, versions=versions, prompt=None)])
    assert [track.width for track in alone.tracks] == [100, 100, 50]
    assert alone.joint == 0


def test_figures_by_group_are_tables_and_plots_of_their_own(report, tmp_path):
    groups = {f"i{k}": "en" if k < 2 else "<cmn>" for k in range(5)}
    by_language = break_down(report.table, "language", groups)
    report = dataclasses.replace(report, breakdowns=[by_language])
    page = write_report(report)
    links = parse(page)
    text = " ".join(links.text)
    for words in ("By language", "en, N = 2", "<cmn>, N = 3", "0.905", "0.920"):
        assert words in text, words
    assert all(load.startswith("data:") for load in links.loads)
    assert len(links.ids) == len(set(links.ids))
    assert "| key-agreement ↑ | <cmn>, N = 3 | en, N = 2 |" in (tmp_path / "table.md").read_text()
    names = [path.name for path in write_plots(report, tmp_path / "plots")]
    assert {"key-agreement-by-language.png", "mel-distance-by-language.png"} <= set(names)


def test_items_beyond_the_room_are_counted_not_shown(report):
    one = players(report.items)[0].size
    assert len(players(report.items, room=one + 10)) == 1
    assert len(players(report.items, room=10)) == 1  # never none
    assert len(players(report.items, room=2 * one + 10_000)) == 2
    many = [report.items[0]] * 9
    assert len(players(many, room=10**9)) == 6


def test_index_of_audio_survives_moving_the_folder(report, tmp_path):
    write_index(report.items, tmp_path)
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    items = read_index(moved)
    assert [item.id for item in items] == ["i0", "i1"]
    assert all(version.audio.exists() for item in items for version in item.versions)
    assert items[0].prompt.exists()
    assert read_index(moved / "audio") == []


def test_the_folder_holds_table_and_history(report, tmp_path):
    write_report(report)
    assert ResultTable.from_json((tmp_path / "table.json").read_text()) == report.table
    assert json.loads((tmp_path / "history.json").read_text())["codec"]["loss"] == [
        [0, 2.0],
        [10, 1.0],
    ]


def test_plots_are_drawn_for_what_there_is(report, tmp_path):
    names = [path.name for path in write_plots(report, tmp_path / "plots")]
    assert names == [
        "curves-codec.png",
        "codebooks.png",
        "spectrograms-1.png",
        "spectrograms-2.png",
    ]
    assert all((tmp_path / "plots" / name).stat().st_size > 1000 for name in names)


def test_history_is_read_by_phase(tmp_path):
    path = tmp_path / "history.jsonl"
    lines = [
        {"phase": "main", "step": 0, "loss": 2.0},
        {"phase": "main", "step": 5, "loss": 1.0},
        {"phase": "warm", "step": 0, "loss": 9.0},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_history(path) == {"loss": [(0, 2.0), (5, 1.0)], "warm/loss": [(0, 9.0)]}


def test_summary_names_figures_results_and_what_to_do_next(report):
    console = Console(width=110, file=io.StringIO(), record=True)
    console.print(summary(report, "workbench ui"))
    text = " ".join(console.export_text().split())
    for words in (
        "key-agreement ↑",
        "0.620",
        "clearly better than “another item” on key-agreement, mel-distance",
        "codec",
        "built now",
        "bad.mp3",
        "report.html",
        "workbench ui",
    ):
        assert words in text, words


def test_bars_lie_where_their_numbers_are():
    card = cards(make_table())[0]
    by_name = {bar.name: bar for bar in card.bars}
    assert min(bar.low for bar in card.bars) == 0
    assert max(bar.high for bar in card.bars) == 100
    assert by_name["another item"].value < by_name["generated"].value
    assert all(bar.low <= bar.value <= bar.high for bar in card.bars)
    assert card.better == "Higher is better"
    assert "linear" in card.scale


def test_widely_spread_figures_are_on_a_logarithmic_scale():
    rows = []
    for name, level in (("a", 1.0), ("b", 10.0), ("c", 100.0)):
        figure = mean_figure("fd", {"x": level, "y": level}, False)
        rows.append(Row(name, "result", {"fd": figure}))
    (card,) = cards(ResultTable(tuple(rows)))
    assert [bar.value for bar in card.bars] == [0.0, 50.0, 100.0]
    assert "logarithmic" in card.scale


def test_verdicts_are_sentences():
    better, mixed = verdict_sentences(make_table())
    assert better == (
        "“generated” is clearly better than “another item” on key-agreement, mel-distance."
    )
    assert "not clearly different from “shuffled codes” on key-agreement, mel-distance" in mixed
    truth, generated, floor, _ = make_table().rows
    blind = ResultTable((truth, generated, Row("another item", "floor", truth.figures)))
    (sentence,) = verdict_sentences(blind)
    assert sentence.startswith("“generated” is not to be judged against “another item” on")
    worse = ResultTable((truth, Row("generated", "result", floor.figures), generated_as_floor()))
    (sentence,) = verdict_sentences(worse)
    assert sentence.startswith("“generated” is clearly worse than “another item” on key-agreement")


def generated_as_floor():
    return Row("another item", "floor", make_table().row("generated").figures)
