import dataclasses
import json

import pytest
import yaml
from typer.testing import CliRunner

from workbench.api.errors import WorkbenchError
from workbench.cli.main import build_app
from workbench.cli.ui import server_environment
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row


@pytest.fixture
def call(catalog):
    def invoke(*words):
        result = CliRunner().invoke(build_app(catalog), [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def results(tmp_path):
    for name, level, rate in (("one", 0.3, 16000), ("two", 0.4, 16000), ("far", 0.4, 24000)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        scores = {f"i{k}": level + 0.1 * k for k in range(6)}
        figure = mean_figure("key", scores, True, settings={"sample_rate": rate})
        both = {"key": figure, "tempo": dataclasses.replace(figure, name="tempo", settings={})}
        table = ResultTable((Row("generated", "result", both),))
        (folder / "table.json").write_text(table.to_json())
        (folder / "run.json").write_text(json.dumps({"status": "finished"}))
        (folder / "recipe.yaml").write_text(yaml.safe_dump({"level": level}))
    return tmp_path


def test_compare_prints_differences_and_writes_the_page(call, results):
    result = call("compare", "one", "two", "--results", results)
    assert "+0.100" in result.output
    assert "clearly better" in " ".join(result.output.split())
    assert (results / "comparisons" / "one--two.html").exists()


def test_compare_names_what_it_leaves_out_unless_forced(call, results, tmp_path):
    out = tmp_path / "page.html"
    plain = " ".join(
        call("compare", "one", "far", "--results", results, "--out", out).output.split()
    )
    assert (
        "left out: key of “generated”, one against far: sample_rate: 16000 against 24000" in plain
    )
    assert "tempo" in plain
    assert out.exists()
    forced = call("compare", "one", "far", "--results", results, "--out", out, "--force").output
    assert "UNLIKE" in forced
    assert "left out" not in forced


def test_compare_of_an_unknown_run_is_a_plain_error(call, results):
    with pytest.raises(WorkbenchError, match="there is no run 'nobody'"):
        call("compare", "one", "nobody", "--results", results)


def test_ui_serves_the_store_of_the_results_folder(call, tmp_path, monkeypatch):
    seen = {}

    class Done:
        returncode = 0

    def run(command, env, check):
        seen.update(command=command, env=env)
        return Done()

    with pytest.raises(WorkbenchError, match="no run has been recorded"):
        call("ui", "--results", tmp_path)
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr(
        "workbench.cli.ui.experiment_links", lambda results, address: {"music": f"{address}/#/x"}
    )
    result = call("ui", "--results", tmp_path, "--port", 5123)
    assert result.exit_code == 0
    assert "music: http://127.0.0.1:5123/#/x" in result.output
    command = seen["command"]
    assert command[command.index("--port") + 1] == "5123"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path}/mlflow.db"
    assert seen["env"] == server_environment()
    assert seen["env"]["MLFLOW_DISABLE_TELEMETRY"] == "true"
