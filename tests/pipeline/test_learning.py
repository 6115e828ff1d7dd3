"""How results come about: snapshots of the language models, scored like the finished ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from workbench import Catalog, RecipeError
from workbench.evaluation.arms import beyond
from workbench.evaluation.statistics import mean_figure
from workbench.lm.storage import load_model
from workbench.pipeline.ablation import gather, plan_ablation, write_recipes
from workbench.pipeline.ablation_page import write_outcome
from workbench.pipeline.ablation_record import AblationRecord
from workbench.pipeline.learning import LearningCurve
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker

KEPT = ["lm.snapshots=[2,4]", "lm.training.ema_decay=0.5", "evaluation.snapshot_items=2"]


def test_a_run_scores_its_snapshots_on_the_first_items(tiny_recipe: Path, catalog: Catalog) -> None:
    report = run_recipe(load_recipe(tiny_recipe, KEPT, catalog), catalog)
    curve = LearningCurve.from_json((report.folder / "learning.json").read_text())
    assert list(curve.steps.values()) == [2, 4, 6]
    rows = {row.system: row for row in curve.table.rows}
    assert list(rows)[:2] == ["ground truth", "codec round trip"]
    items = set(list(report.table.figure("generated", "mel-distance").per_item or {})[:2])
    for row in rows.values():
        assert set(row.figures["mel-distance"].per_item or {}) == items
    last = rows["generated, 6 steps"].figures["mel-distance"].per_item or {}
    whole = report.table.figure("generated", "mel-distance").per_item or {}
    assert all(last[item] == whole[item] for item in items)
    first = rows["generated, 2 steps"].figures["mel-distance"].per_item or {}
    assert any(first[item] != last[item] for item in items)
    assert "generated, 4 steps" in (report.folder / "table.md").read_text()
    assert 'id="learning"' in (report.folder / "report.html").read_text()
    assert (report.folder / "plots" / "learning.png").exists()

    record = json.loads((report.folder / "run.json").read_text())
    client = Tracker(report.folder.parent.parent).client
    points = client.get_metric_history(record["mlflow_run_id"], "learning/mel-distance")
    assert [point.step for point in points] == [2, 4, 6]
    assert points[0].value == pytest.approx(
        rows["generated, 2 steps"].figures["mel-distance"].value
    )

    plain = run_recipe(load_recipe(tiny_recipe, KEPT[1:2], catalog), catalog)
    weights = [Path(r.folder / "run.json") for r in (report, plain)]
    folders = [json.loads(path.read_text())["models"]["language_models"]["lm"] for path in weights]
    assert folders[0] != folders[1]  # keeping snapshots changes nothing of the training
    one, two = (load_model(Path(folder)).state_dict() for folder in folders)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert plain.learning is None


def test_arms_are_compared_at_every_point(tiny_recipe: Path, catalog: Catalog) -> None:
    rates = {"lm.training.learning_rate": [1e-3, 1e-5]}
    ablation = plan_ablation(tiny_recipe, KEPT, rates, 1, catalog)
    record = AblationRecord(ablation)
    write_recipes(ablation, record.id, 1, [])
    for arm in ablation.runs:
        run_recipe(load_recipe(arm.path, [], catalog), catalog)
    outcome = gather(ablation, catalog)
    record.finish(outcome, write_outcome(outcome))
    folder = ablation.folder
    found = json.loads((folder / "ablation.json").read_text())
    curves = {curve["figure"]: curve for curve in found["learning"]}
    assert set(curves) == {"mel-distance", "mel-distance beyond the round trip"}
    curve = curves["mel-distance"]
    assert curve["headline"] == 6
    assert list(curve["points"]) == ["2", "4", "6"]
    for number in ("2", "4", "6"):
        point = curve["points"][number]["1e-05"]
        more = curves["mel-distance beyond the round trip"]["points"][number]["1e-05"]
        assert (point["items"], len(point["by_seed"])) == (2, 1)
        assert more["difference"] == pytest.approx(point["difference"])  # one codec, one floor
        assert more["first"] < point["first"]
    names = {figure["figure"] for figure in found["figures"]}
    assert "mel-distance beyond the round trip" in names
    page = (folder / "ablation.html").read_text()
    assert "6 (headline)" in page
    assert page.count("mel-distance beyond the round trip") >= 2
    assert "| 6 (headline) |" in (folder / "ablation.md").read_text()
    assert (folder / "learning-mel-distance.png").exists()
    client = Tracker(tiny_recipe.parent / "results").client
    key = "learning/mel-distance/1e-05/second"
    points = client.get_metric_history((folder / "mlflow.txt").read_text(), key)
    assert [point.step for point in points] == [2, 4, 6]


def test_beyond_is_result_minus_ceiling_with_the_same_weights() -> None:
    weights = {"a": 1.0, "b": 3.0}
    result = mean_figure("wer", {"a": 0.5, "b": 0.25}, False, weights=weights)
    ceiling = mean_figure("wer", {"a": 0.0, "b": 0.25}, False, weights=weights)
    found = beyond(result, ceiling)
    assert found.per_item == {"a": 0.5, "b": 0.0}
    assert found.value == pytest.approx(result.value - ceiling.value) == 0.125


@pytest.mark.parametrize("steps", [[4, 2], [0], [6]])
def test_snapshots_must_rise_and_end_before_the_training(
    tiny_recipe: Path, catalog: Catalog, steps: list[int]
) -> None:
    recipe = yaml.safe_load(tiny_recipe.read_text())
    recipe["lm"]["snapshots"] = steps
    tiny_recipe.write_text(yaml.safe_dump(recipe))
    with pytest.raises(RecipeError, match=r"lm\.snapshots = .*below training\.steps 6"):
        load_recipe(tiny_recipe, [], catalog)
