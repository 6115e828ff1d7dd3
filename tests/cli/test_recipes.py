"""`workbench recipes`: wrong recipes are told in full, right ones are shown resolved."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

from workbench import RecipeError, load_catalog
from workbench.cli.main import build_app

PARTS = """
@hookimpl
def workbench_corpora(): return [Component("tones", "", Options, build)]
@hookimpl
def workbench_codecs(): return [Component("coder", "", Options, build)]
"""


@pytest.fixture
def invoke(fake_plugin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = build_app(load_catalog(fake_plugin("cli_recipe_parts", PARTS)))
    return lambda *arguments: CliRunner().invoke(app, ["recipes", *arguments])


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_all_recipes_below_the_folder_are_validated(invoke, tmp_path):
    write(tmp_path / "recipes" / "a.yaml", "{corpus: tones, codec: coder}")
    write(tmp_path / "recipes" / "deep" / "b.yaml", "extends: ../a.yaml")
    done = invoke("validate")
    assert (done.exit_code, done.stdout) == (0, "2 recipes are valid\n")


def test_the_problems_of_all_recipes_come_together(invoke, tmp_path):
    write(tmp_path / "a.yaml", "{corpus: tnoes, codec: coder}")
    write(tmp_path / "b.yaml", "{corpus: tones, codec: coder, sede: 1}")
    error = invoke("validate", "a.yaml", "b.yaml").exception
    assert isinstance(error, RecipeError)
    assert [problem.split(":")[:2] for problem in error.problems] == [
        ["a.yaml", " corpus.name = 'tnoes'"],
        ["b.yaml", " sede = 1"],
    ]


def test_a_folder_without_recipes_is_a_problem(invoke, tmp_path):
    (tmp_path / "empty").mkdir()
    error = invoke("validate", "empty").exception
    assert isinstance(error, RecipeError)
    assert error.problems == ["there are no recipes (*.yaml) in empty"]


def test_show_prints_the_resolved_recipe(invoke, tmp_path):
    write(tmp_path / "a.yaml", "{corpus: tones, codec: coder}")
    done = invoke("show", "a.yaml", "corpus.options.size=8", "lm.model.depth=2")
    shown = yaml.safe_load(done.stdout)
    assert shown["corpus"] == {"name": "tones", "options": {"size": 8, "mode": "fast"}}
    assert shown["lm"]["model"]["depth"] == 2
    assert shown["seed"] == 0


def test_show_of_a_wrong_recipe_tells_its_problems(invoke, tmp_path):
    write(tmp_path / "a.yaml", "{corpus: tones, codec: coder}")
    error = invoke("show", "a.yaml", "seed=x").exception
    assert isinstance(error, RecipeError)
    assert error.problems == ["seed = 'x': expected int"]
