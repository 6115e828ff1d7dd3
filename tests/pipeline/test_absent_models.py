"""A metric whose model is absent is left out of the table and said so; the run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from workbench import Catalog, Context, WeightsError
from workbench.api.errors import RecipeError
from workbench.evaluation.table import ResultTable
from workbench.pipeline.report import RunReport, summary
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker

JUDGE = "nobody/nothing-at-all"


@pytest.fixture
def judged(tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny recipe with a second metric, whose encoder is an id that is not on this machine."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tiny_recipe.parent)
    recipe = yaml.safe_load(tiny_recipe.read_text())
    encoder = {"name": "hubert", "options": {"weights": JUDGE}}
    frechet = {"name": "frechet", "options": {"encoder": encoder, "kinds": ["set"]}}
    recipe["evaluation"]["metrics"] = ["mel-distance", frechet]
    tiny_recipe.write_text(yaml.safe_dump(recipe))
    return tiny_recipe


def run(path: Path, catalog: Catalog) -> RunReport:
    return run_recipe(load_recipe(path, [], catalog), catalog)


def tag(report: RunReport) -> str:
    record = json.loads((report.folder / "run.json").read_text())
    tracker = Tracker(report.folder.parent.parent)
    tags = tracker.client.get_run(record["mlflow_run_id"]).data.tags
    return str(tags["workbench.left_out"])


def test_left_out_wherever_the_table_is_shown_until_the_model_arrives(
    judged: Path, catalog: Catalog
) -> None:
    report = run(judged, catalog)
    columns = report.table.columns
    assert "mel-distance" in columns
    assert not [name for name in columns if "frechet" in name.lower()]
    stored = ResultTable.from_json((report.folder / "table.json").read_text())
    (entry,) = stored.left_out
    assert entry.metric == "frechet"
    assert JUDGE in entry.why
    (noted,) = json.loads((report.folder / "run.json").read_text())["left_out"]
    assert noted == {"metric": "frechet", "why": entry.why}
    assert f"left out: frechet: weights '{JUDGE}'" in (report.folder / "table.md").read_text()
    assert "Left out:</strong> frechet" in (report.folder / "report.html").read_text()
    console = Console(record=True, width=400)
    console.print(summary(report, "ui"))
    assert "left out: frechet: weights" in console.export_text()
    assert JUDGE in tag(report)

    again = run(judged, catalog)
    assert all(stage.reused for stage in again.stages)
    assert again.table.left_out == stored.left_out

    small = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16, "convolution": 8}
    options = {"weights": "random", "size": small}
    encoder = Context(catalog, "cpu", 0).build("semantic_encoder", "hubert", options)
    encoder.save(judged.parent / JUDGE)
    arrived = run(judged, catalog)
    assert [stage.name for stage in arrived.stages if not stage.reused] == ["evaluation"]
    assert arrived.table.left_out == ()
    assert set(arrived.table.columns) > set(columns)
    assert tag(arrived) == "nothing"
    assert all(stage.reused for stage in run(judged, catalog).stages)


def test_what_is_wrong_and_not_absent_still_fails(judged: Path, catalog: Catalog) -> None:
    recipe = judged.read_text()
    judged.write_text(recipe.replace(JUDGE, "./no-such-folder"))
    with pytest.raises(WeightsError, match="no such folder"):
        run(judged, catalog)
    judged.write_text(recipe.replace("weights: nobody", "wieghts: nobody"))
    with pytest.raises(RecipeError, match="wieghts"):
        run(judged, catalog)
