"""MLflow: every run is recorded, and two runs are compared there.

Names are the same in every run, so that MLflow's own views line runs up: ``<stage>/<scalar>`` for
curves, ``figures/<figure>/<system>`` for results and ``intervals/<figure>/<system>/low|high``; by
group, ``groups/<by>/<group>/<figure>/<system>`` and ``group_intervals/...``.
MLflow is slow to import, so it is imported where it is used.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.evaluation.groups import Breakdown
from workbench.evaluation.table import ResultTable

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

Status = Literal["FINISHED", "FAILED", "KILLED"]

DATABASE = "mlflow.db"
"""The embedded store below ``results``."""
ARTIFACTS = "mlartifacts"
"""Where the embedded store keeps files, below ``results``."""
BATCH = 1000
"""Most metric values in one call that MLflow takes."""
FLUSH_SECONDS = 5.0
"""Longest time that a logged value waits before it can be seen."""
MAX_PARAMS_A_CALL = 100
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
VERSIONED = ("torch", "torchaudio", "transformers", "numpy", "mlflow")
"""Packages whose versions every run states, beside the workbench's and the plugins'."""


def store_uri(results: Path) -> str:
    """The embedded store of a results folder."""
    return f"sqlite:///{(results / DATABASE).resolve()}"


def create_store(results: Path) -> None:
    """Make the embedded store where there is none.

    MLflow lays its tables in many steps, and cannot go on where it was killed between two. So the
    store gets its name only when it is whole.
    """
    from mlflow.tracking import MlflowClient

    database = results / DATABASE
    if database.exists():
        return
    with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=results) as folder:
        made = Path(folder) / DATABASE
        MlflowClient(tracking_uri=f"sqlite:///{made.resolve()}").search_experiments()
        if not database.exists():  # another process may have been sooner
            made.rename(database)


def prepare_environment() -> None:
    """Keep MLflow offline and quiet; must come before its first import."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Tracker:
    """Records one run. ``uri`` names a tracking server; empty is the embedded store."""

    def __init__(self, results: Path, uri: str = "", experiment: str = "workbench") -> None:
        prepare_environment()
        from mlflow.tracking import MlflowClient

        self.results = results
        self.uri = uri or store_uri(results)
        results.mkdir(parents=True, exist_ok=True)
        if not uri:
            create_store(results)
        self.client: MlflowClient = MlflowClient(tracking_uri=self.uri)
        self.experiment_id = self._experiment(experiment, embedded=not uri)
        self.run_id = ""
        self._buffer: list[Metric] = []
        self._flushed = time.monotonic()
        self._last_step: dict[str, int] = {}
        self._resumed = False

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        parent: str = "",
    ) -> str:
        """Open a new run and return its id. ``params`` may be nested: keys are joined by dots."""
        special = {"mlflow.runName": name} | ({"mlflow.parentRunId": parent} if parent else {})
        run = self.client.create_run(self.experiment_id, tags=special, run_name=name)
        self.run_id = run.info.run_id
        self._resumed = False
        self._last_step = {}
        self._log_params(params)
        self.tag({**environment_tags(), **tags})
        return self.run_id

    def resume(self, run_id: str) -> bool:
        """Go on with a run; False where the store does not have it.

        Steps that it holds already are not logged again.
        """
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException:
            return False
        if run.info.lifecycle_stage != "active":
            return False
        self.client.update_run(run_id, status="RUNNING")
        self.run_id = run_id
        self._resumed = True
        self._last_step = {}
        return True

    def tag(self, tags: Mapping[str, str]) -> None:
        """Put tags on the run, overwriting those of the same name."""
        from mlflow.entities import RunTag

        rows = [RunTag(allowed(key), str(v)[:MAX_TAG_LENGTH]) for key, v in tags.items()]
        self.client.log_batch(self.run_id, tags=rows)

    def describe(self, markdown: str) -> None:
        """Set the text that MLflow shows on top of the run's page."""
        self.tag({"mlflow.note.content": markdown})

    def listener(self, stage: str) -> Callable[[str, int, Mapping[str, Any]], None]:
        """A listener for a training session: ``(phase, step, scalars)`` go to ``<stage>/...``."""

        def listen(phase: str, step: int, scalars: Mapping[str, Any]) -> None:
            self.log_step(stage, step, scalars, phase)

        return listen

    def log_step(
        self, stage: str, step: int, scalars: Mapping[str, Any], phase: str = "main"
    ) -> None:
        """Log scalars of one step; they are sent in batches. Steps must come in rising order."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        prefix = stage if phase == "main" else f"{stage}/{phase}"
        for name, value in scalars.items():
            key = allowed(f"{prefix}/{name}")
            if step > self._last(key):
                self._last_step[key] = step
                self._buffer.append(Metric(key, float(value), now, step))
        if len(self._buffer) >= BATCH or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def log_history(self, stage: str, lines: Iterable[Mapping[str, Any]]) -> None:
        """Log a stage's whole history, of a reused one, say: ``phase``, ``step`` and scalars."""
        for line in lines:
            scalars = {k: v for k, v in line.items() if k not in ("phase", "step")}
            self.log_step(stage, int(line["step"]), scalars, str(line["phase"]))
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        while self._buffer:
            batch, self._buffer = self._buffer[:BATCH], self._buffer[BATCH:]
            self.client.log_batch(self.run_id, metrics=batch)
        self._flushed = time.monotonic()

    def log_table(self, table: ResultTable) -> None:
        """Log the final figures with their intervals, and the table as an artifact.

        The tag ``workbench.left_out`` says which metrics the table lacks and why.
        """
        self._log_figures(table, "figures", "intervals")
        self.tag({"workbench.left_out": "; ".join(table.absences()) or "nothing"})
        self.client.log_text(self.run_id, table.to_markdown(), "tables/figures.md")
        self.client.log_text(self.run_id, table.to_csv(), "tables/figures.csv")
        self.client.log_text(self.run_id, table.to_json(), "tables/figures.json")

    def log_breakdown(self, breakdown: Breakdown) -> None:
        """Log the figures of each group with their intervals, and the tables as an artifact."""
        for group, table in breakdown.tables.items():
            path = f"{breakdown.by}/{group}"
            self._log_figures(table, f"groups/{path}", f"group_intervals/{path}")
        name = f"tables/by-{allowed(breakdown.by)}.md"
        self.client.log_text(self.run_id, breakdown.to_markdown(), name)

    def _log_figures(self, table: ResultTable, values: str, intervals: str) -> None:
        """Log a table's figures below the name ``values``, their ends below ``intervals``."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = []
        for row in table.rows:
            for figure in row.figures.values():
                path = f"{figure.name}/{row.system}"
                rows.append(Metric(allowed(f"{values}/{path}"), figure.value, now, 0))
                for end, value in (("low", figure.low), ("high", figure.high)):
                    if not math.isnan(value):
                        rows.append(Metric(allowed(f"{intervals}/{path}/{end}"), value, now, 0))
        known = self.client.get_run(self.run_id).data.metrics if self._resumed else {}
        self._buffer += [metric for metric in rows if known.get(metric.key) != metric.value]
        self.flush()

    def log_file(self, path: Path, folder: str = "") -> None:
        """Keep a file with the run, in ``folder`` of its artifacts."""
        self.client.log_artifact(self.run_id, str(path), folder or None)

    def log_text(self, text: str, name: str) -> None:
        """Keep a text with the run as the artifact ``name``."""
        self.client.log_text(self.run_id, text, name)

    def log_dataset(self, name: str, fingerprint: str, source: Mapping[str, Any]) -> None:
        """State which data the run uses; ``fingerprint`` changes with the content."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        dataset = Dataset(
            name=name,
            digest=fingerprint[:36],
            source_type="workbench",
            source=json.dumps(dict(source), default=str),
        )
        tags = [InputTag("mlflow.data.context", "training and evaluation")]
        inputs = [DatasetInput(dataset, tags)]
        try:
            self.client.log_inputs(self.run_id, datasets=inputs)
        except MlflowException:
            # A run beside this one has just stated the same data: now the store finds it there.
            self.client.log_inputs(self.run_id, datasets=inputs)

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what waits and close the run."""
        self.flush()
        self.client.set_terminated(self.run_id, status)

    def _experiment(self, name: str, embedded: bool) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = (self.results / ARTIFACTS).resolve().as_uri() if embedded else None
        created: str = self.client.create_experiment(
            name,
            artifact_location=place,
            # Else MLflow's interface opens the experiment as one about language-model agents.
            tags={"mlflow.experimentKind": "custom_model_development"},
        )
        return created

    def _log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        rows = [Param(key, value) for key, value in flatten(params).items()]
        for start in range(0, len(rows), MAX_PARAMS_A_CALL):
            self.client.log_batch(self.run_id, params=rows[start : start + MAX_PARAMS_A_CALL])

    def _last(self, key: str) -> int:
        """The last step logged under a name, in this process or before the run was resumed."""
        if key not in self._last_step:
            history = self.client.get_metric_history(self.run_id, key) if self._resumed else []
            self._last_step[key] = max((point.step for point in history), default=-1)
        return self._last_step[key]


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys with text values, cut to the length that MLflow takes."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
            continue
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if len(text) > MAX_PARAM_LENGTH:
            text = text[: MAX_PARAM_LENGTH - 3] + "..."
        flat[allowed(f"{prefix}{key}")] = text
    return flat


def allowed(name: str) -> str:
    """``name`` with characters that MLflow refuses in names replaced by ``_``."""
    return re.sub(r"[^\w\-. /]", "_", name)


def environment_tags() -> dict[str, str]:
    """Versions of Python, the libraries, the workbench and the plugins, and the user's commit."""
    tags = {"version.python": sys.version.split()[0]}
    plugins = {
        point.dist.name for point in entry_points(group="workbench") if point.dist is not None
    }
    for package in (*VERSIONED, *sorted(plugins)):
        try:
            tags[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return tags | _git_tags(Path.cwd())


def _git_tags(folder: Path) -> dict[str, str]:
    """The commit that the user's working folder is at, and whether it has been changed since."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit, "git.uncommitted_changes": str(changed).lower()}


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
