"""`workbench plugins new` and `workbench plugins check` at the command line."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from workbench import load_catalog
from workbench.api.errors import RecipeError
from workbench.cli.main import build_app
from workbench.host.discovery import PluginError

METRICS = """
def score(shared):
    from workbench_parts import Score  # it imports numpy, so not before something is built

    return Score(shared)

@hookimpl
def workbench_metrics():
    return [
        Component("right", "A score", Options, lambda options, context: score(False)),
        Component("wrong", "A score", Options, lambda options, context: score(True)),
    ]
"""
PARTS = """
from workbench import mean_figure, metric_settings
SEEN = {}
SETTINGS = metric_settings("one for each item", 1)
class Score:
    def __init__(self, shared):
        self.scores = SEEN if shared else {}
    def update(self, item):
        self.scores[item.id] = 1.0
    def compute(self):
        return [mean_figure("score", self.scores, True, settings=SETTINGS)]
"""


def run(limit: str, *arguments: str):
    catalog = load_catalog(limit)
    return CliRunner().invoke(build_app(catalog), ["plugins", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def scores(fake_plugin) -> str:
    fake_plugin("workbench_parts", PARTS, prelude=False)
    return fake_plugin("scores", METRICS)


def test_new_writes_the_package_and_says_what_is_next(tmp_path):
    done = run("metrics", "new", "metric", "mine", "--into", str(tmp_path))
    assert done.exit_code == 0
    assert (tmp_path / "mine/workbench_mine/plugin.py").is_file()
    assert f"pip install -e {tmp_path / 'mine'}" in done.output
    assert f"workbench run {tmp_path / 'mine'}/recipe.yaml" in done.output


def test_check_reports_each_promise_and_exits_with_1_where_one_is_broken(scores):
    done = run(scores, "check", "scores")
    assert done.exit_code == 1
    right, wrong = done.output.split("metric wrong")
    assert "metric right" in right
    assert "BROKEN" not in right
    assert "  BROKEN  builds share nothing\n    figure 'score' counts 4 items where 2" in wrong
    assert "2 components: " in wrong
    assert ", 2 broken, " in wrong


def test_check_of_what_keeps_the_contract_exits_with_0(scores):
    done = run(scores, "check", "scores", "--only", "right")
    assert done.exit_code == 0
    assert "1 component: " in done.output
    assert "metric wrong" not in done.output


def test_check_takes_options(scores):
    done = run(scores, "check", "scores", "right.mode=quick", "--only", "right")
    assert done.exit_code == 1
    assert "right.options.mode = 'quick': expected 'fast' or 'exact'" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scorez"], "no installed plugin 'scorez' provides a component; did you mean 'scores'?"),
        (["scores", "--only", "rihgt"], "scores provides no 'rihgt'; did you mean 'right'?"),
        (["scores", "left.size=3"], "expected NAME.OPTION=VALUE, where NAME is one of right"),
    ],
)
def test_what_is_not_there_is_named(scores, arguments, message):
    done = run(scores, "check", *arguments)
    assert isinstance(done.exception, PluginError)
    assert message in str(done.exception)


def test_an_option_without_a_value_is_an_error(scores):
    done = run(scores, "check", "scores", "right.size")
    assert isinstance(done.exception, RecipeError)


def test_check_of_a_plugin_that_can_not_be_loaded_says_why(fake_plugin):
    name = fake_plugin("halfway", "import a_library_nobody_has")
    done = run(name, "check", "halfway")
    assert isinstance(done.exception, PluginError)
    assert "No module named 'a_library_nobody_has'" in str(done.exception)
