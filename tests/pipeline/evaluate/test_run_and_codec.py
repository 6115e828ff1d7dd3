"""A run's audio and a codec's round trip are evaluated as folders are."""

from __future__ import annotations

import json

import pytest
import torch

from workbench import Audio, Context, read_audio, write_audio
from workbench.api.errors import RecipeError, WorkbenchError
from workbench.pipeline.comparison import compare_runs, find_run
from workbench.pipeline.evaluate.evaluation import evaluate
from workbench.pipeline.evaluate.questions import CodecQuestion, RunQuestion, View
from workbench.pipeline.evaluate.scores import Scoring
from workbench.pipeline.evaluate.settings import read_section
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker

TINY = {
    "weights": "scratch",
    "latent_dim": 8,
    "encoder": {"kind": "spectral", "n_fft": 1280, "width": 8, "blocks": 1},
    "decoder": {"kind": "istft", "width": 8, "blocks": 1, "fine_width": 8, "fine_blocks": 1},
    "quantizer": {"codebooks": 3, "size": 16, "kmeans_step": 1, "dead_threshold": 0.1},
    "losses": {"mel": 1, "stft": 0, "pqmf": 0, "adversarial": 0, "feature_matching": 0},
}


def section(catalog, metrics=(), **given):
    return read_section(None, given, metrics, catalog).section


def test_a_runs_audio_scores_as_the_run_did(tiny_recipe, catalog, tmp_path):
    overrides = ["evaluation.metrics=[mel-distance, code-statistics]"]
    report = run_recipe(load_recipe(tiny_recipe, overrides, catalog), catalog)
    scoring = Scoring(catalog, tmp_path / "results")
    again = evaluate(RunQuestion(report.title), section(catalog), scoring)
    for row in again.table.rows:
        for name, figure in row.figures.items():
            assert figure == report.table.figure(row.system, name), (row.system, name)
    assert set(again.table.columns) == set(report.table.columns) - {"token perplexity"}

    runs = [find_run(name, tmp_path / "results") for name in (report.title, again.title)]
    lines = compare_runs(runs).lines
    assert {line.differences[0].value for line in lines} == {0.0}
    client = Tracker(tmp_path / "results").client
    tracked = client.get_run(json.loads((again.folder / "run.json").read_text())["mlflow_run_id"])
    parent = json.loads((report.folder / "run.json").read_text())["mlflow_run_id"]
    assert tracked.data.tags["mlflow.parentRunId"] == parent
    assert tracked.data.tags["workbench.codec"] == "xcodec"
    (data,) = tracked.inputs.dataset_inputs
    stated = again.table.figure("generated", "mel-distance").settings
    assert data.dataset.digest == stated["reference"]
    value = report.table.figure("generated", "mel-distance").value
    assert tracked.data.metrics["figures/mel-distance/generated"] == pytest.approx(value)
    assert (again.folder / "report.html").stat().st_size > 10_000

    other = evaluate(RunQuestion(report.title), section(catalog, ["si-sdr"]), scoring, View(2))
    assert other.table.columns == ["si-sdr"]
    assert other.table.figure("generated", "si-sdr").n == 2
    (report.folder / "items.json").unlink()
    with pytest.raises(WorkbenchError, match=r"workbench run .*recipe\.yaml"):
        evaluate(RunQuestion(report.title), section(catalog), scoring)


@pytest.fixture
def tiny_codec(catalog, tmp_path):
    """Weights of a very small codec that was never trained."""
    torch.manual_seed(0)
    codec = Context(catalog, "cpu", 0).build("codec", "xcodec", TINY)
    codec.save(tmp_path / "weights")
    return str(tmp_path / "weights")


@pytest.fixture
def music(tmp_path):
    for number, rate in enumerate((16000, 22050, 8000)):
        wav = 0.1 * torch.randn(1, rate, generator=torch.Generator().manual_seed(number))
        write_audio(tmp_path / "music" / f"m{number}.wav", Audio(wav, rate))
    (tmp_path / "music" / "broken.wav").write_bytes(b"no audio")
    return tmp_path / "music"


def test_a_codecs_round_trip_at_several_depths(tiny_codec, music, catalog, tmp_path):
    scoring = Scoring(catalog, tmp_path / "results")
    question = CodecQuestion(tiny_codec, str(music))
    chosen = section(catalog, ["mel-distance", "code-statistics"], depths=[1, 2])
    report = evaluate(question, chosen, scoring)
    roles = {row.system: row.role for row in report.table.rows}
    assert roles == {
        "ground truth": "truth",
        "codec round trip": "result",
        "codec round trip, 1 codebook": "result",
        "codec round trip, 2 codebooks": "result",
        "another item": "floor",
    }
    assert [entry.id for entry in report.skipped] == ["broken"]
    figure = report.table.figure("codec round trip", "mel-distance")
    assert (figure.n, figure.settings["sample_rate"]) == (3, 16000)
    for name, row in zip(roles, report.table.rows, strict=True):
        assert ("code-perplexity" in row.figures) == name.startswith("codec")
    seconds = {read_audio(item.versions[1].audio).seconds for item in report.items}
    assert seconds == {1.0}

    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "results/store").rglob("*.wav")}
    again = evaluate(question, chosen, scoring)
    assert again.stages[0].reused
    assert again.table == report.table
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())

    low = evaluate(question, chosen, scoring, View(rate=8000))
    assert low.table.figure("codec round trip", "mel-distance").settings["sample_rate"] == 8000
    runs = [find_run(name, tmp_path / "results") for name in (report.title, low.title)]
    with pytest.raises(WorkbenchError, match="sample_rate: 16000 against 8000"):
        compare_runs(runs)


def test_what_does_not_fit_is_said(tiny_codec, music, catalog, tmp_path):
    scoring = Scoring(catalog, tmp_path / "results")
    with pytest.raises(RecipeError, match="below the codec's 3 codebooks"):
        evaluate(CodecQuestion(tiny_codec, str(music)), section(catalog, depths=[3]), scoring)
    with pytest.raises(WorkbenchError, match=r"no corpus 'nowhere'.*synthetic-music"):
        evaluate(CodecQuestion(tiny_codec, "nowhere"), section(catalog), scoring)
    (music / "m1.wav").unlink()
    (music / "m2.wav").unlink()
    with pytest.raises(RecipeError, match="1 usable"):
        evaluate(CodecQuestion(tiny_codec, str(music)), section(catalog), scoring)
