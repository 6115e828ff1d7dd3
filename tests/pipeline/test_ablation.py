"""Ablations: what the arms share, what they differ in, and what is found between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from workbench import Catalog, RecipeError, WorkbenchError
from workbench.cli.ablate import parse_over
from workbench.cli.main import build_app
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Role, Row
from workbench.pipeline.ablation import (
    Outcome,
    _same_items,
    arm_figures,
    arm_groups,
    failures,
    gather,
    plan_ablation,
    write_recipes,
)
from workbench.pipeline.ablation_page import tables as tables_of
from workbench.pipeline.side_by_side import Job, last_line, run_jobs
from workbench.recipe.load import load_recipe, to_dict


def test_arms_differ_in_what_was_asked_for_and_in_nothing_else(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    over = {"codec.training.steps": [3, 4]}
    ablation = plan_ablation(tiny_recipe, ["lm.training.steps=5"], over, 2, catalog)
    assert ablation.arms == ["3", "4"]
    assert [(run.arm, run.seed) for run in ablation.runs] == [
        ("3", 0),
        ("3", 1),
        ("4", 0),
        ("4", 1),
    ]
    one, two = (to_dict(ablation.runs[i].recipe) for i in (0, 2))
    assert one["codec"]["training"].pop("steps") == 3
    assert two["codec"]["training"].pop("steps") == 4
    assert one.pop("name") != two.pop("name")
    assert one == two
    assert one["lm"]["training"]["steps"] == 5


def test_written_recipes_know_their_device_and_their_parent(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    ablation = plan_ablation(tiny_recipe, [], {"codec.training.steps": [3, 4]}, 1, catalog)
    write_recipes(ablation, "parent-id", 1, ["cpu", "cuda:1"])
    read = [load_recipe(run.path, [], catalog) for run in ablation.runs]
    assert [recipe.device for recipe in read] == ["cpu", "cuda:1"]
    assert [recipe.tracking.tags["mlflow.parentRunId"] for recipe in read] == ["parent-id"] * 2
    assert [recipe.tracking.tags["workbench.arm"] for recipe in read] == ["3", "4"]


def test_an_ablation_needs_two_arms(tiny_recipe: Path, catalog: Catalog) -> None:
    with pytest.raises(RecipeError, match="at least two arms"):
        plan_ablation(tiny_recipe, [], {}, None, catalog)
    with pytest.raises(RecipeError, match="at least two arms"):
        plan_ablation(tiny_recipe, [], {"seed": [1]}, None, catalog)


def test_over_is_read_as_recipes_are() -> None:
    assert parse_over("encoder.name=none,hubert") == ("encoder.name", ["none", "hubert"])
    assert parse_over("lm.training.learning_rate=1e-3,2") == (
        "lm.training.learning_rate",
        [1e-3, 2],
    )
    with pytest.raises(RecipeError, match="expected KEY=VALUE,VALUE"):
        parse_over("encoder.name")


def test_jobs_run_and_failures_are_named(
    tmp_path: Path, tiny_recipe: Path, catalog: Catalog
) -> None:
    ablation = plan_ablation(tiny_recipe, [], {"codec.training.steps": [3, 4]}, 1, catalog)
    good, bad = (run.title for run in ablation.runs)
    jobs = [
        Job(good, ["sh", "-c", "echo one; echo two"], tmp_path / "good.log", 1),
        Job(bad, ["sh", "-c", "echo $OMP_NUM_THREADS; exit 3"], tmp_path / "bad.log", 1),
    ]
    ended: list[int] = []
    statuses = run_jobs(jobs, 2, lambda: ended.append(1))
    assert statuses == {good: 0, bad: 3}
    assert len(ended) == 2
    assert last_line(tmp_path / "good.log") == "two"
    assert last_line(tmp_path / "bad.log") == "1"
    with pytest.raises(WorkbenchError, match="1 of 2 runs failed"):
        failures(ablation, statuses)


def test_arms_run_side_by_side_and_are_compared(tiny_recipe: Path, catalog: Catalog) -> None:
    words = ["ablate", str(tiny_recipe), "--over", "encoder.name=none,mert", "--jobs", "2"]
    words += ["evaluation.by=[domain]", "codec.training.validate_every=3"]
    done = CliRunner().invoke(build_app(catalog), words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "mel-distance of “generated”: none " in done.output
    folder = tiny_recipe.parent / "results" / "ablations" / "tiny"
    found = json.loads((folder / "ablation.json").read_text())
    systems = {figure["system"] for figure in found["figures"]}
    assert {"generated", "codec round trip"} <= systems
    for figure in found["figures"]:
        arm = figure["arms"]["mert"]
        assert arm["difference"] == pytest.approx(arm["second"] - arm["first"])
    assert found["groups"]["domain"]["music"] == found["figures"], "all items are of one group"
    held_out = {(s["stage"], s["name"]): s["values"] for s in found["held_out"]}
    assert set(held_out["codec", "validation_mel"]) == {"none", "mert"}
    page = (folder / "ablation.html").read_text()
    assert "mert: generated" in page
    assert page.count("data:audio/flac") >= 3
    assert "By domain" in page
    assert "| mert |" in (folder / "ablation.md").read_text()

    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tiny_recipe.parent}/results/mlflow.db")
    parent = (folder / "mlflow.txt").read_text()
    values = client.get_run(parent).data.metrics
    assert "ablation/mel-distance/generated/mert/difference" in values
    whole = values["ablation/mel-distance/generated/mert/difference"]
    assert values["groups/domain/music/mel-distance/generated/mert/difference"] == whole
    experiment = client.get_run(parent).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {run.data.tags["workbench.arm"] for run in children} == {"none", "mert"}
    recipe = yaml.safe_load((folder / "recipes" / "tiny-mert-seed0.yaml").read_text())
    assert recipe["encoder"]["name"] == "mert"

    (table,) = (tiny_recipe.parent / "results" / "runs").glob("tiny-mert-seed0-*/table.json")
    table.write_text(table.read_text().replace('"test-', '"other-'))
    over = {"encoder.name": ["none", "mert"]}
    again = plan_ablation(tiny_recipe, words[-2:], over, None, catalog)
    with pytest.raises(WorkbenchError, match="not scored on the same items"):
        gather(again, catalog)


def test_arms_are_compared_group_by_group(tmp_path: Path) -> None:
    """Over each group's items as over a set of their own; one item alone is no group."""
    languages = {"a": "en", "b": "en", "c": "en", "d": "es", "e": "es", "f": "cmn"}
    noted = [
        {"id": item, "example": {"id": item, "split": "test", "language": language}}
        for item, language in languages.items()
    ]
    (tmp_path / "items.json").write_text(json.dumps(noted))

    def table(ceiling: float, **scores: float) -> ResultTable:
        words = dict(zip(scores, (4.0, 1.0, 2.0, 5.0, 3.0, 2.0), strict=True))

        def row(system: str, role: Role, values: dict[str, float]) -> Row:
            return Row(system, role, {"wer": mean_figure("wer", values, False, weights=words)})

        trip = row("codec round trip", "ceiling", dict.fromkeys(scores, ceiling))
        return ResultTable((row("generated", "result", scores), trip))

    tables = {
        "first": [table(0.1, a=0.5, b=1.0, c=0.8, d=0.4, e=0.6, f=1.0)],
        "second": [table(0.2, a=0.3, b=0.4, c=0.9, d=0.3, e=0.7, f=0.5)],
    }
    (found,) = arm_groups(tables, ["language"], tmp_path)
    assert found.by == "language"
    assert [len(found.figures[group]) for group in ("en", "es", "cmn")] == [3, 3, 0]
    result, beyond, _ = (figure.comparisons["second"] for figure in found.figures["en"])
    assert result.items == 3
    assert result.first == pytest.approx((4 * 0.5 + 1.0 + 2 * 0.8) / 7)
    assert result.second == pytest.approx((4 * 0.3 + 0.4 + 2 * 0.9) / 7)
    assert beyond.first == pytest.approx(result.first - 0.1)
    assert beyond.second == pytest.approx(result.second - 0.2)
    spanish = found.figures["es"][0].comparisons["second"]
    assert spanish.second == pytest.approx((5 * 0.3 + 3 * 0.7) / 8)


def test_later_arms_are_compared_with_each_other(tiny_recipe: Path, catalog: Catalog) -> None:
    def table(*scores: float) -> ResultTable:
        per_item = dict(zip("abc", scores, strict=True))
        return ResultTable((Row("speech", "result", {"wer": mean_figure("wer", per_item, False)}),))

    tables = {"1": [table(0.8, 0.6, 0.7)], "2": [table(0.4, 0.5, 0.6)], "3": [table(0.2, 0.3, 0.1)]}
    (found,), _ = arm_figures(tables)
    assert list(found.pairs) == [("2", "3")]
    assert found.pairs["2", "3"].first == found.comparisons["2"].second
    assert found.pairs["2", "3"].ratio == pytest.approx(1.5 / 0.6)

    over = {"codec.training.steps": [1, 2, 3]}
    outcome = Outcome(plan_ablation(tiny_recipe, [], over, 1, catalog), {}, [found], [])
    (shown,) = tables_of(outcome)
    assert shown.pairs is not None
    assert shown.pairs.heads == ["ratio, row / column", "2", "3"]
    assert [row[0] for row in shown.pairs.rows] == ["1", "2"]
    assert shown.pairs.rows[1][1] == ""
    assert shown.pairs.rows[1][2].startswith("2.50 [")
    two = {arm: several for arm, several in tables.items() if arm != "3"}
    assert arm_figures(two)[0][0].pairs == {}


def test_only_figures_of_the_same_items_are_paired() -> None:
    """Some figures are of the items only where something was heard."""

    def table(heard: dict[str, float]) -> ResultTable:
        whole = mean_figure("recall", {"a": 0.5, "b": 1.0, "c": 0.0}, True)
        figures = {"recall": whole, "order": mean_figure("order", heard, True)}
        return ResultTable((Row("generated", "result", figures),))

    one, two = table({"a": 1.0, "b": 1.0}), table({"a": 1.0, "c": 0.0})
    assert _same_items({"x": [one], "y": [two]}, ["generated"], "recall")
    assert not _same_items({"x": [one], "y": [two]}, ["generated"], "order")
    assert not _same_items({"x": [one, two]}, ["generated"], "order")
    assert _same_items({"x": [one], "y": [one]}, ["generated"], "order")
    assert not _same_items({"x": [one]}, ["generated"], "absent")


@pytest.mark.parametrize(("over", "told"), [({"codec.training.steps": [3, 4]}, True), ({}, False)])
def test_a_plain_run_says_which_command_compares_the_arms(
    tiny_recipe: Path,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    over: dict[str, list[int]],
    told: bool,
) -> None:
    stated = yaml.safe_load(tiny_recipe.read_text()) | {"ablation": {"over": over}}
    tiny_recipe.write_text(yaml.safe_dump(stated))

    def stop(*_: object) -> None:
        raise WorkbenchError("no further")

    monkeypatch.setattr("workbench.pipeline.run.run_recipe", stop)
    done = CliRunner().invoke(build_app(catalog), ["run", str(tiny_recipe)])
    said = " ".join(done.output.split())
    assert ("workbench ablate" in said) == told
    assert ("Its arms (3, 4)" in said) == told
