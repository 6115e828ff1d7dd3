"""The doctor's view of a run: old records and new, in run.json, on the page and in MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import workbench.codec.fit as fitting
from tests.codec.codec_parts import small_codec
from workbench import Catalog, TrainingSettings
from workbench.api.errors import NothingToExamine, TrainingDiverged, UnknownRun
from workbench.audio.dataset import Crops
from workbench.codec.config import QuantizerConfig
from workbench.codec.training import CodecTrainee
from workbench.pipeline.health import examine_run, run_health
from workbench.pipeline.models import training_inputs
from workbench.pipeline.report import RunReport, write_plots, write_report
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker
from workbench.training.doctor.diagnosis import Health, health_json, health_markdown, health_text
from workbench.training.session import Optimise


def record(results: Path, stages: Mapping[str, Path], status: str = "finished") -> None:
    """A run named ``old-1`` that used these stages."""
    folder = results / "runs" / "old-1"
    folder.mkdir(parents=True)
    entries = {name: {"folder": str(path)} for name, path in stages.items()}
    (folder / "run.json").write_text(json.dumps({"status": status, "stages": entries}))


def history(folder: Path, lines: list[dict[str, float]]) -> Path:
    folder.mkdir(parents=True)
    rows = [{"phase": "main", "step": 10 * number, **line} for number, line in enumerate(lines)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Results of a run made before there was a doctor: a codec and a language model."""
    codec = history(tmp_path / "store" / "codec" / "abc", [{"loss": 9.0 - n} for n in range(8)])
    model = history(tmp_path / "store" / "lm" / "def", [{"loss": 1.0 + n} for n in range(20)])
    trained = small_codec(quantizer=QuantizerConfig(codebooks=3, size=64))
    for codebook in trained.quantizer.codebooks:
        codebook.cluster_size.fill_(1)
    trained.quantizer.codebooks[1].cluster_size[1:] = 0  # only one of its entries is in use
    trained.quantizer.steps.fill_(71)
    state = {"step": 71, "modules": {"codec": trained.state_dict()}}
    torch.save(state, codec / "main.checkpoint")
    record(tmp_path, {"corpus": tmp_path / "store" / "corpus", "codec": codec, "lm/lm": model})
    return tmp_path


def found(healths: list[Health]) -> list[tuple[str, str, str]]:
    return [
        (health.stage, finding.check, finding.complaint.subject)
        for health in healths
        for finding in health.findings
    ]


def test_an_old_run_is_examined_by_what_it_has(old: Path) -> None:
    codec, model = examine_run("old", old)
    assert found([codec]) == [
        ("codec", "codebook use", "level 2"),
        ("codec", "dead entries", "level 2"),
    ]
    assert found([model]) == [("lm/lm", "loss", "loss")]
    assert "straight-through" in codec.unjudged
    assert "straight-through" not in model.unjudged  # a language model has none
    assert "codebook updates" not in codec.unjudged  # the checkpoint tells
    words = health_text(codec)
    assert "not judged (not recorded: trained before there was a doctor" in words
    assert "1 to 1 updates of the codebooks a step (from the checkpoint)" in words


def test_a_checkpoint_with_broken_weights_is_named(old: Path) -> None:
    path = old / "store" / "codec" / "abc" / "main.checkpoint"
    state = torch.load(path, weights_only=True)
    state["modules"]["codec"]["fusion.weight"][0, 0] = torch.nan
    torch.save(state, path)
    (codec,) = examine_run("old-1", old, "codec")
    assert found([codec])[0] == ("codec", "finite values", "checkpoint")
    assert "codec.fusion.weight" in codec.findings[0].complaint.what


def test_one_stage_and_the_folder_of_one(old: Path) -> None:
    (model,) = examine_run("old-1", old, "lm/lm")
    assert model.stage == "lm/lm"
    (alone,) = examine_run(str(old / "store" / "lm" / "def"), old)
    assert (alone.stage, alone.findings) == ("lm", model.findings)


def test_what_can_not_be_examined_is_said(old: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match="there is no run 'new'"):
        examine_run("new", old)
    with pytest.raises(NothingToExamine, match=r"no stage 'encoder'; it has: codec, lm/lm"):
        examine_run("old-1", old, "encoder")
    record(tmp_path / "other", {}, "running")
    with pytest.raises(NothingToExamine, match=r"status: running.*name that one's folder"):
        examine_run("old-1", tmp_path / "other")


def test_a_line_cut_off_by_a_kill_is_left_out(old: Path) -> None:
    path = old / "store" / "lm" / "def" / "history.jsonl"
    path.write_text(path.read_text() + '{"phase": "main", "step": 20')
    (model,) = examine_run("old-1", old, "lm/lm")
    assert model.points == 20


def test_words_and_json_say_the_same(old: Path) -> None:
    codec, model = examine_run("old-1", old)
    assert codec.summary == "fault: codebook use; warning: dead entries"
    values = health_json(model)
    assert not values["healthy"]
    (finding,) = values["findings"]
    assert finding["what"] in health_text(model)
    assert finding["advice"] in health_markdown([codec, model])
    assert (finding["first_step"], finding["last_step"]) == (110, 190)
    assert json.loads(json.dumps(values)) == values


def test_the_page_shows_health_apart_from_the_curves(tmp_path: Path) -> None:
    measured = {"codebook_use/1": 0.4, "share/mel": 1.0, "into_encoder": 0.0}
    line = {"loss": 2.0} | {f"doctor/{name}": value for name, value in measured.items()}
    folder = history(tmp_path / "codec" / "abc", [line] * 6)
    healths = run_health({"codec": folder / "history.jsonl"})
    curves = {name: [(0, 2.0), (10, 1.0)] for name in line}
    report = RunReport("run", tmp_path / "run", losses={"codec": curves}, healths=healths)
    page = write_report(report).read_text()
    for words in (
        'href="#health"',
        "codec: 1 finding (51 steps, 6 logged points)",
        "no gradient of the losses on the output reaches the encoder",
        "What to do: The straight-through estimator is missing",
        "Share of each loss in the gradient at the encoder, codec",
        "Not judged, this training has none of it",
    ):
        assert words in page, words
    assert "doctor/share/mel" not in page
    names = [path.name for path in write_plots(report, tmp_path / "plots")]
    assert names == ["curves-codec.png", "health-codec-1.png", "health-codec-2.png"]


class OneClip(CodecTrainee):
    """Keeps one clip of a batch; ``poisoned`` also meets NaN in step 3."""

    poisoned = False

    def step(self, batch: Crops, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        wav = batch.wav[:1] * (float("nan") if self.poisoned and step == 3 else 1.0)
        one = Crops(wav, batch.indices[:1], batch.starts[:1], batch.lengths[:1])
        return super().step(one, step, optimise)


def test_a_sick_run_says_so_everywhere(
    tiny_recipe: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(tiny_recipe, ["task=none"], catalog)
    results = Path(recipe.results)
    monkeypatch.setattr(fitting, "CodecTrainee", OneClip)
    monkeypatch.setattr(OneClip, "poisoned", True)
    with pytest.raises(TrainingDiverged, match="at step 3"):
        run_recipe(recipe, catalog)
    (failed,) = examine_run("tiny", results)
    assert found([failed])[0] == ("codec", "finite values", "divergence")
    status, health, tags = noted(results)
    assert status == "failed"
    assert [finding["check"] for finding in health["findings"]] == [
        "finite values",
        "effective batch",
    ]
    assert tags["doctor.codec"] == "fault: finite values; fault: effective batch"

    monkeypatch.setattr(OneClip, "poisoned", False)
    report = run_recipe(recipe, catalog)
    status, health, tags = noted(results)
    assert status == "finished"
    assert [finding["check"] for finding in health["findings"]] == ["effective batch"]
    assert tags["doctor.codec"] == "fault: effective batch"
    assert "only 1 of the 2 distinct items" in (report.folder / "report.html").read_text()
    tracker = Tracker(results)
    run_id = json.loads((report.folder / "run.json").read_text())["mlflow_run_id"]
    heard = tracker.client.get_metric_history(run_id, "codec/doctor/items_in_loss")
    assert [(p.step, p.value) for p in heard] == [(0, 1.0), (1, 1.0), (2, 1.0), (4, 1.0)]
    folder = Path(tracker.client.download_artifacts(run_id, "doctor"))
    assert "only 1 of the 2 distinct items" in (folder / "health.md").read_text()


def noted(results: Path) -> tuple[str, dict[str, Any], dict[str, str]]:
    """A run's status, the codec's health and the tags of the MLflow run."""
    (path,) = (results / "runs").glob("tiny-*/run.json")
    run = json.loads(path.read_text())
    (health,) = run["health"]
    return run["status"], health, Tracker(results).client.get_run(run["mlflow_run_id"]).data.tags


def test_how_often_the_doctor_looks_changes_no_stage() -> None:
    often, never = (TrainingSettings(steps=3, health_every=every) for every in (1, 0))
    assert training_inputs(often) == training_inputs(never)
    with pytest.raises(ValueError, match="health_every = -1"):
        TrainingSettings(health_every=-1)
