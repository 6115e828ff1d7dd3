import json
import subprocess
import sys

import pytest
from mlflow.exceptions import MlflowException

from workbench.api.errors import WorkbenchError
from workbench.cli.ui import experiment_links, server_command, server_environment
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.tracking import (
    Tracker,
    allowed,
    environment_tags,
    flatten,
    store_uri,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def tracker(results):
    return Tracker(results, experiment="music")


def steps(tracker, key):
    return [(m.step, m.value) for m in tracker.client.get_metric_history(tracker.run_id, key)]


def test_a_run_holds_parameters_tags_and_parent(tracker, results):
    parent = tracker.start("parent", {}, {})
    run_id = tracker.start(
        "child",
        {"codec": {"options": {"width": 64}, "empty": {}}, "betas": [0.8, 0.99], "name": "x"},
        {"recipe": "music_continuation"},
        parent=parent,
    )
    run = tracker.client.get_run(run_id)
    assert run.data.params == {
        "codec.options.width": "64",
        "codec.empty": "{}",
        "betas": "[0.8, 0.99]",
        "name": "x",
    }
    assert run.info.run_name == "child"
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.tags["recipe"] == "music_continuation"
    assert "version.torch" in run.data.tags
    assert (results / "mlflow.db").exists()


def test_experiment_opens_as_model_training(tracker, results):
    experiment = tracker.client.get_experiment(tracker.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    again = Tracker(results, experiment="music")
    assert again.experiment_id == tracker.experiment_id
    assert tracker.uri == store_uri(results)


def test_step_metrics_are_named_by_stage_and_phase(tracker):
    run_id = tracker.start("curves", {}, {})
    listen = tracker.listener("codec")
    for step in range(3):
        listen("main", step, {"loss": 1.0 / (step + 1)})
    listen("warmup", 0, {"loss": 9.0})
    tracker.finish()
    assert steps(tracker, "codec/loss") == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    assert steps(tracker, "codec/warmup/loss") == [(0, 9.0)]
    assert tracker.client.get_run(run_id).info.status == "FINISHED"


def test_more_values_than_one_call_takes(tracker):
    tracker.start("long", {f"p{i}": i for i in range(130)}, {})
    tracker.log_history("lm", ({"phase": "main", "step": s, "loss": s} for s in range(1200)))
    assert len(steps(tracker, "lm/loss")) == 1200
    assert len(tracker.client.get_run(tracker.run_id).data.params) == 130


def test_a_resumed_run_does_not_repeat_steps(tracker, results):
    run_id = tracker.start("killed", {}, {})
    for step in range(5):
        tracker.log_step("lm", step, {"loss": float(step)})
    tracker.flush()

    again = Tracker(results, experiment="music")
    assert again.resume(run_id)
    assert again.client.get_run(run_id).info.status == "RUNNING"
    for step in range(3, 8):  # goes on from an older checkpoint
        again.log_step("lm", step, {"loss": float(step)})
    again.finish()
    assert steps(again, "lm/loss") == [(s, float(s)) for s in range(8)]


def test_a_run_that_is_gone_cannot_be_resumed(tracker):
    assert not tracker.resume("0" * 32)
    run_id = tracker.start("deleted", {}, {})
    tracker.client.delete_run(run_id)
    assert not tracker.resume(run_id)


def test_links_lead_to_the_experiments_runs(tracker, results):
    links = experiment_links(results, "http://here:1")
    assert set(links) == {"music"}
    page = f"http://here:1/#/experiments/{tracker.experiment_id}/runs"
    assert links["music"] == f"{page}?workflowType=machine_learning"


def test_serving_needs_a_store(results, tmp_path, tracker):
    with pytest.raises(WorkbenchError, match="no run has been recorded"):
        server_command(tmp_path, "127.0.0.1", 5000)
    command = server_command(results, "127.0.0.1", 5001)
    assert command[command.index("--port") + 1] == "5001"
    assert tracker.uri in command
    assert server_environment()["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def table(value):
    figure = mean_figure("key-agreement", {"a": value, "b": value + 0.2}, True)
    return ResultTable((Row("another item", "floor", {"key-agreement": figure}),))


def test_figures_are_metrics_with_intervals_and_the_table_an_artifact(tracker, results):
    run_id = tracker.start("figures", {}, {})
    tracker.log_table(table(0.4))
    metrics = tracker.client.get_run(run_id).data.metrics
    assert metrics["figures/key-agreement/another item"] == pytest.approx(0.5)
    assert metrics["intervals/key-agreement/another item/low"] <= 0.5
    names = {file.path for file in tracker.client.list_artifacts(run_id, "tables")}
    assert names == {f"tables/figures.{end}" for end in ("md", "csv", "json")}

    again = Tracker(results, experiment="music")
    again.resume(run_id)
    again.log_table(table(0.4))
    assert len(steps(again, "figures/key-agreement/another item")) == 1
    again.log_table(table(0.6))  # a changed figure is seen
    latest = again.client.get_run(run_id).data.metrics["figures/key-agreement/another item"]
    assert latest == pytest.approx(0.7)


def test_files_texts_datasets_and_notes(tracker, tmp_path):
    run_id = tracker.start("artifacts", {}, {})
    path = tmp_path / "piece.wav"
    path.write_bytes(b"RIFF")
    tracker.log_file(path, "audio/generated")
    tracker.log_text("a: 1", "recipe.yaml")
    tracker.log_dataset("synthetic-music", "f" * 64, {"seed": 0})
    tracker.describe("**good**")
    listed = [file.path for file in tracker.client.list_artifacts(run_id, "audio/generated")]
    assert listed == ["audio/generated/piece.wav"]
    run = tracker.client.get_run(run_id)
    assert run.data.tags["mlflow.note.content"] == "**good**"
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "synthetic-music"
    assert json.loads(used.dataset.source) == {"seed": 0}


def test_flatten_keeps_within_the_limits():
    flat = flatten({"a": {"b:c": "x" * 7000}, "none": None})
    assert set(flat) == {"a.b_c", "none"}
    assert len(flat["a.b_c"]) == 6000
    assert flat["a.b_c"].endswith("...")
    assert flat["none"] == "null"
    assert allowed("figures/a b/c@d") == "figures/a b/c_d"


def test_versions_and_commit_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tags = environment_tags()
    assert tags["version.audio-workbench"]
    assert "mlflow.source.git.commit" not in tags
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").write_text("1")
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    tags = environment_tags()
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags["git.uncommitted_changes"] == "false"
    (tmp_path / "file").write_text("2")
    assert environment_tags()["git.uncommitted_changes"] == "true"


def test_importing_the_module_does_not_import_mlflow():
    code = "import sys, workbench.tracking; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_that_another_run_states_at_the_same_time_is_stated_all_the_same(
    tmp_path, monkeypatch
):
    tracker = Tracker(tmp_path)
    tracker.start("run", {}, {})
    log_inputs, calls = tracker.client.log_inputs, []

    def race(run_id, datasets):
        calls.append(1)
        if len(calls) == 1:
            raise MlflowException("UNIQUE constraint failed: datasets.experiment_id")
        log_inputs(run_id, datasets=datasets)

    monkeypatch.setattr(tracker.client, "log_inputs", race)
    tracker.log_dataset("music", "abc", {})
    stated = tracker.client.get_run(tracker.run_id).inputs.dataset_inputs
    assert [entry.dataset.name for entry in stated] == ["music"]


def test_a_killed_start_leaves_no_half_made_store(tmp_path):
    """Killed while MLflow lays its tables, the next start works all the same."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from workbench import tracking\n"
        "tracking.prepare_environment()\n"
        "from mlflow.store.db import utils\n"
        "import sqlalchemy\n"
        "def die(connection, cursor, statement, *rest):\n"
        "    if statement.lstrip().upper().startswith('ALTER TABLE'):\n"
        "        os._exit(9)\n"
        "sqlalchemy.event.listen(sqlalchemy.Engine, 'before_cursor_execute', die)\n"
        "tracking.Tracker(Path(sys.argv[1]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == 9
    assert not (tmp_path / "mlflow.db").exists()
    assert Tracker(tmp_path).start("after", {}, {})
    assert (tmp_path / "mlflow.db").exists()
