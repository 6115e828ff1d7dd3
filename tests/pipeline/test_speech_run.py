"""Runs that speak: prompts from elsewhere, results of any length, depths, groups, typed texts."""

from __future__ import annotations

import csv
import json
import logging
import math
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.pipeline.conftest import TINY
from workbench import Audio, Catalog, RecipeError, Wish, WorkbenchError, read_audio, write_audio
from workbench.cli.main import build_app
from workbench.evaluation.table import ResultTable
from workbench.pipeline.report import RunReport
from workbench.pipeline.run import run_recipe
from workbench.pipeline.trained import open_run
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker

RATE = 16000
PLAIN = ("codec.training.steps=0", "lm.training.steps=1", "evaluation.by=[]")
"""Overrides for a quick run whose figures are of no interest."""
UNTOLD = {"prompt": "cross-utterance", "prompt_text": False, "prompt_seconds": 0.2}


def write_corpus(folder: Path) -> Path:
    """Tones as speech: speaker "low" hums below speaker "high"; recordings differ in length."""
    path = folder / "all.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "text", "language", "speaker", "accent"])
        for number in range(16):
            speaker = "low" if number % 2 else "high"
            seconds = 0.4 + 0.05 * (number % 5)
            time = torch.arange(round(seconds * RATE)) / RATE
            pitch = (200 if speaker == "low" else 900) + 10 * number
            tone = 0.3 * torch.sin(2 * math.pi * pitch * time)
            write_audio(folder / f"{number}.wav", Audio(tone[None], RATE))
            split = "test" if number >= 10 else "validation" if number >= 8 else "train"
            language = "es" if number in (10, 11, 12) else "en"
            accent = "es" if number == 13 else ""
            writer.writerow([f"{number}.wav", split, "one two", language, speaker, accent])
    return path


def recipe_in(folder: Path, task: dict[str, object]) -> Path:
    """The tiny recipe with a task that speaks."""
    codec = {**TINY["codec"], "options": {**TINY["codec"]["options"], "strides": [8, 5, 4, 2]}}
    corpus = write_corpus(folder / "tones")
    recipe = {
        **TINY,
        "name": "speech",
        "codec": codec,
        "corpus": {"name": "manifest", "options": {"path": str(corpus)}},
        "task": {"name": "tts", "options": {"front_end": "characters", **task}},
        "lm": {**TINY["lm"], "model": {**TINY["lm"]["model"], "context": 400}},
        "evaluation": {
            "items": 4,
            "metrics": ["mel-distance"],
            "depths": [1],
            "by": ["language", "accent"],
        },
        "results": str(folder / "results"),
    }
    path = folder / "speech.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def run(path: Path, catalog: Catalog, *overrides: str) -> RunReport:
    return run_recipe(load_recipe(path, overrides, catalog), catalog)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipe_in(tmp_path_factory.mktemp("speech"), UNTOLD)


@pytest.fixture(scope="module")
def spoken(recipe: Path, catalog: Catalog) -> tuple[Path, str]:
    """The folder of a run with two models, and what it warned of."""
    handler, lines = logging.Handler(logging.WARNING), []
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("workbench.pipeline").addHandler(handler)
    folder = run(recipe, catalog).folder
    logging.getLogger("workbench.pipeline").removeHandler(handler)
    return folder, "\n".join(lines)


def table_of(folder: Path) -> ResultTable:
    return ResultTable.from_json((folder / "table.json").read_text())


def test_round_trip_and_result_are_heard_from_one_codebook_too(spoken: tuple[Path, str]) -> None:
    table = table_of(spoken[0])
    assert [(row.system, row.role) for row in table.rows] == [
        ("ground truth", "truth"),
        ("codec round trip", "ceiling"),
        ("codec round trip, 1 codebook", "ceiling"),
        ("generated", "result"),
        ("generated, 1 codebook", "result"),
        ("another item", "floor"),
        ("shuffled codes", "floor"),
    ]
    for system in ("codec round trip", "generated"):
        whole, first = (table.figure(s, "mel-distance") for s in (system, f"{system}, 1 codebook"))
        assert whole.value != first.value
    assert {"token perplexity (ar)", "token perplexity (nar)"} <= set(table.columns)
    assert (spoken[0] / "audio" / "generated-1-codebook" / "10.wav.wav").exists()


def test_prompts_come_from_other_recordings_and_truths_are_whole(
    spoken: tuple[Path, str], recipe: Path
) -> None:
    audio, tones = spoken[0] / "audio", recipe.parent / "tones"
    prompt = read_audio(audio / "prompt" / "10.wav.wav")
    assert prompt.seconds == pytest.approx(0.2)
    assert torch.allclose(prompt.samples, read_audio(tones / "12.wav").samples[:, :3200], atol=1e-4)
    for name in ("10", "11", "13", "14"):
        truth = read_audio(audio / "ground-truth" / f"{name}.wav.wav")
        tone = read_audio(tones / f"{name}.wav")
        assert torch.allclose(truth.samples, tone.samples, atol=1e-4)


def test_results_have_lengths_of_their_own_and_those_cut_off_are_named(
    spoken: tuple[Path, str],
) -> None:
    folder, warned = spoken
    ended = table_of(folder).figure("generated", "ended")
    assert ended.per_item is not None
    limit = (1 + 0.2 * 8) * 50 * 320  # the language and seven letters
    for item, score in ended.per_item.items():
        samples = read_audio(folder / "audio" / "generated" / f"{item}.wav").samples.shape[-1]
        assert (samples < limit) == bool(score)
        assert (item in warned) == (not score)


def test_figures_are_broken_down_in_table_page_plots_and_mlflow(
    spoken: tuple[Path, str], recipe: Path
) -> None:
    folder = spoken[0]
    markdown = (folder / "table.md").read_text()
    assert "| mel-distance ↓ | en, N = 2 | es, N = 2 |" in markdown  # groups take turns
    assert "## By accent" in markdown
    page = (folder / "report.html").read_text()
    assert "<h2>By language</h2>" in page
    assert "mel-distance ↓ by language" in page
    assert (folder / "plots" / "mel-distance-by-language.png").stat().st_size > 1000
    record = json.loads((folder / "run.json").read_text())
    metrics = (
        Tracker(recipe.parent / "results").client.get_run(record["mlflow_run_id"]).data.metrics
    )
    english = table_of(folder).figure("generated", "mel-distance").per_item or {}
    mean = (english["13.wav"] + english["14.wav"]) / 2
    assert metrics["groups/language/en/mel-distance/generated"] == pytest.approx(mean)
    assert "group_intervals/language/en/mel-distance/generated/low" in metrics


def test_a_second_run_reuses_everything(
    spoken: tuple[Path, str], recipe: Path, catalog: Catalog
) -> None:
    again = run(recipe, catalog)
    assert again.folder == spoken[0]
    assert all(stage.reused for stage in again.stages)


def test_a_model_may_have_steps_of_its_own(recipe: Path, catalog: Catalog) -> None:
    steps = ("codec.training.steps=0", "lm.steps={nar: 2}", "lm.snapshots=[1]")
    report = run(recipe, catalog, *steps, "lm.training.steps=3", "evaluation.snapshot_items=2")
    models = json.loads((report.folder / "run.json").read_text())["models"]["language_models"]
    folders = {role: Path(weights).parent for role, weights in models.items()}
    done = {role: json.loads((path / "done.json").read_text()) for role, path in folders.items()}
    assert {role: facts["steps"] for role, facts in done.items()} == {"ar": 3, "nar": 2}
    assert (folders["ar"] / "snapshots" / "1").exists()
    assert not (folders["nar"] / "snapshots").exists()  # at every point it is the finished one
    assert report.learning is not None
    assert list(report.learning.steps.values()) == [1, 3]

    with pytest.raises(RecipeError, match=r"lm\.steps\.lm: the task's models are ar, nar"):
        run(recipe, catalog, *PLAIN, "lm.steps={lm: 2}")
    with pytest.raises(RecipeError, match=r"lm\.steps\.nar = -1: must be at least 0"):
        run(recipe, catalog, *PLAIN, "lm.steps={nar: -1}")


def test_a_typed_text_is_spoken_in_the_voice_of_a_file(
    spoken: tuple[Path, str], recipe: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    trained = open_run(spoken[0], catalog, "cpu")
    voice = read_audio(recipe.parent / "tones" / "3.wav")
    wish = Wish(text="two one", language="en", seconds=0.3)
    audio, before = trained.generate(wish, voice, seed=1)
    assert before is None  # the speech does not begin with the prompt
    assert 0 < audio.seconds <= 0.3
    assert (audio.seconds == pytest.approx(0.3)) == ("no end was generated" in caplog.text)
    same, _ = trained.generate(wish, voice, seed=1)
    assert torch.equal(same.samples, audio.samples)
    with pytest.raises(WorkbenchError, match="give --prompt FILE"):
        trained.generate(wish, None, seed=1)
    with pytest.raises(WorkbenchError, match=r"this run hears 0\.2 s of a voice"):
        trained.generate(wish, Audio(voice.samples[:, :1600], RATE), seed=1)


def test_the_command_speaks_and_says_what_is_missing(
    spoken: tuple[Path, str], recipe: Path, catalog: Catalog, tmp_path: Path
) -> None:
    voice, out = recipe.parent / "tones" / "3.wav", tmp_path / "speech.wav"
    words = ["generate", str(spoken[0]), "--text", "two one", "--out", str(out), "--device", "cpu"]
    app, runner = build_app(catalog), CliRunner()
    done = runner.invoke(app, [*words, "--lang", "en", "--prompt", str(voice), "--seconds", "0.3"])
    assert done.exit_code == 0, done.output
    assert done.output == f"{out}: {read_audio(out).seconds:.2f} s\n"
    assert read_audio(out).seconds <= 0.3
    foreign = [*words, "--lang", "it", "--prompt", str(voice), "--seconds", "0.3"]
    done = runner.invoke(app, foreign)
    assert done.exit_code == 0, done.output
    assert "warning: this run was tested on speech in en" in done.stderr
    done = runner.invoke(app, [*words, "--prompt", str(voice)])
    assert "its language is not known; say it with --lang" in str(done.exception)
    done = runner.invoke(app, [*words, "--lang", "en"])
    assert "give --prompt FILE" in str(done.exception)


def test_one_model_goes_on_from_the_recordings_own_beginning(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = recipe_in(tmp_path, {"model": "delay", "prompt": "continuation", "prompt_seconds": 0.2})
    folder = run(path, catalog, *PLAIN, "evaluation.depths=[]").folder
    table = table_of(folder)
    assert "token perplexity" in table.columns
    assert [row.system for row in table.rows if row.role == "result"] == ["generated"]
    tone = read_audio(tmp_path / "tones" / "10.wav").samples
    parts = [read_audio(folder / "audio" / s / "10.wav.wav") for s in ("prompt", "ground-truth")]
    assert torch.allclose(torch.cat([part.samples for part in parts], -1), tone, atol=1e-4)
    wish = Wish(text="two", language="en", prompt_text="one two", seconds=0.2)
    trained = open_run(folder, catalog, "cpu")
    assert trained.generate(wish, Audio(tone, RATE), seed=0)[0].seconds <= 0.2


def test_speech_needs_no_prompt(tmp_path: Path, catalog: Catalog) -> None:
    path = recipe_in(tmp_path, {"prompt": "none"})
    folder = run(path, catalog, *PLAIN).folder
    assert not (folder / "audio" / "prompt").exists()
    items = json.loads((folder / "listening.json").read_text())
    assert all(item["prompt"] is None for item in items)
    audio, _ = open_run(folder, catalog, "cpu").generate(Wish(text="one", language="en"), None, 0)
    assert audio.seconds > 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluation.by=[dialect]", "no test recording states its 'dialect'; the corpus knows"),
        ("evaluation.depths=[2]", r"depths = \[2\]: each must be below the number of codebooks"),
        ("lm.model.context=100", r"lm.model.context = 100: must be at least 14\d, which held-out"),
    ],
)
def test_what_cannot_be_evaluated_is_said_before_the_training(
    spoken: tuple[Path, str], recipe: Path, catalog: Catalog, override: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        run(recipe, catalog, override, "lm.training.steps=1000000")
