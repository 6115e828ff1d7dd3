"""What a run leaves with MLflow so that boards and comparisons can be made from a server alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from workbench.api.errors import UnknownRun, WorkbenchError
from workbench.api.types import Example
from workbench.evaluation.groups import FIELDS, UNSTATED, labels
from workbench.evaluation.table import ResultTable
from workbench.pipeline.listening import INDEX, ListeningItem, Version, write_index
from workbench.tracking import Tracker, allowed, prepare_environment

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.tracking import MlflowClient

logger = logging.getLogger("workbench.pipeline")

FIGURES = "tables/figures.json"
ITEMS = "tables/items.json"
"""Artifact: what the corpus says of each scored item, a mapping of short texts by the item's id."""
RECIPE = "recipe.yaml"
TRACKED_ITEMS = 3
"""Items whose audio is kept with the MLflow run; the run's folder has them all."""
LABEL_CHARACTERS = 64
"""Longer details (a score, a list of events) are no groups to break figures down by."""
PAGE = 1000
"""Runs asked for at a time."""


@dataclass(frozen=True)
class TrackedRun:
    """A measured run as MLflow holds it; ``items`` are its items' labels by item id."""

    id: str
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    table: ResultTable
    items: Mapping[str, Mapping[str, str]]

    def groups(self, by: str) -> dict[str, str]:
        """Each item's group, from its labels, or else from the run's own tag ``workbench.<by>``."""
        fallback = self.tags.get(f"workbench.{by}", UNSTATED)
        ids = {
            item
            for row in self.table.rows
            for f in row.figures.values()
            for item in f.per_item or ()
        }
        return {item: self.items.get(item, {}).get(by, fallback) for item in ids | set(self.items)}


def item_labels(examples: Mapping[str, Example]) -> dict[str, dict[str, str]]:
    """What figures may be broken down by, for each item: its fields and its short details."""
    found: dict[str, dict[str, str]] = {}
    known = any(e.domain is not None or e.text is not None for e in examples.values())
    domains = labels(examples, "domain") if known else {}
    for key, example in examples.items():
        fields = {name: getattr(example, name) for name in FIELDS}
        values = {**example.details, **fields, "domain": domains.get(key, UNSTATED)}
        found[key] = {
            name: str(value)
            for name, value in values.items()
            if isinstance(value, str | int | float) and 0 < len(str(value)) <= LABEL_CHARACTERS
        }
    return found


def label_tags(items: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Tags that say which domains and languages a run was scored on, where that is known."""
    tags = {}
    for name in ("domain", "language"):
        stated = {entry[name] for entry in items.values() if entry.get(name, UNSTATED) != UNSTATED}
        if stated:
            tags[f"workbench.{name}"] = ", ".join(sorted(stated))
    return tags


def track_items(tracker: Tracker, examples: Mapping[str, Example]) -> None:
    """Keep the labels of a run's items with its MLflow run, and put domain and language on it."""
    items = item_labels(examples)
    tracker.log_text(json.dumps(items, indent=1, ensure_ascii=False), ITEMS)
    tracker.tag(label_tags(items))


def track_audio(tracker: Tracker, items: Sequence[ListeningItem]) -> None:
    """Keep some items' audio with the MLflow run, a folder an item, and the list of it."""
    with TemporaryDirectory() as place:
        root = Path(place)
        kept = [
            _copied(item, root / "audio" / _file_name(item.id)) for item in items[:TRACKED_ITEMS]
        ]
        write_index(kept, root)
        tracker.client.log_artifacts(tracker.run_id, place)


def open_client(uri: str) -> MlflowClient:
    """A client of a tracking server or store."""
    prepare_environment()
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def measured_runs(client: MlflowClient, experiments: Sequence[str] = ()) -> list[TrackedRun]:
    """All finished runs that have figures, of the named experiments or of all, oldest first."""
    known = {
        experiment.name: experiment.experiment_id for experiment in client.search_experiments()
    }
    missing = [name for name in experiments if name not in known]
    if missing:
        raise WorkbenchError(
            f"the MLflow store has no experiment {missing[0]!r}; it has: {', '.join(sorted(known))}"
        )
    chosen = [known[name] for name in experiments or known]
    found = []
    for run in _all_runs(client, chosen):
        if any(name.startswith("figures/") for name in run.data.metrics):
            tracked = _tracked(client, run)
            if tracked is not None:
                found.append(tracked)
    return found


def fetch_run(client: MlflowClient, run_id: str, place: Path) -> Path:
    """A run's figures, recipe and audio from MLflow as a run's folder below ``place``."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise UnknownRun(f"the MLflow store has no run {run_id!r}: {error.message}") from error
    folder: Path = place / run_id / run.info.run_name
    folder.mkdir(parents=True, exist_ok=True)
    there = {file.path for file in client.list_artifacts(run_id)}
    tables = {file.path for file in client.list_artifacts(run_id, "tables")}
    for path in [RECIPE, INDEX, "audio"]:
        if path in there:
            client.download_artifacts(run_id, path, str(folder))
    if FIGURES in tables:
        (folder / "table.json").write_text(_read(client, run_id, FIGURES), encoding="utf-8")
    record = {"status": run.info.status.lower(), "mlflow_run_id": run_id}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def _copied(item: ListeningItem, folder: Path) -> ListeningItem:
    """An item with its audio in ``folder``, each file named after its system."""
    folder.mkdir(parents=True, exist_ok=True)

    def copy(path: Path, name: str) -> Path:
        copied = folder / f"{_file_name(name)}{path.suffix}"
        copyfile(path, copied)
        return copied

    versions = [Version(v.system, v.role, copy(v.audio, v.system)) for v in item.versions]
    prompt = None if item.prompt is None else copy(item.prompt, "prompt")
    return ListeningItem(item.id, item.title, versions, prompt)


def _file_name(name: str) -> str:
    return allowed(name).replace("/", "_")


def _all_runs(client: MlflowClient, experiments: Sequence[str]) -> Iterable[MlflowRun]:
    """Finished runs of experiments, oldest first."""
    token = None
    while True:
        page = client.search_runs(
            list(experiments),
            filter_string="attributes.status = 'FINISHED'",
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _tracked(client: MlflowClient, run: MlflowRun) -> TrackedRun | None:
    """A run with its figures; None, and a warning, where its tables can't be read."""
    from mlflow.exceptions import MlflowException

    name = run.info.run_name
    try:
        table = ResultTable.from_json(_read(client, run.info.run_id, FIGURES))
        listed = {file.path for file in client.list_artifacts(run.info.run_id, "tables")}
        text = _read(client, run.info.run_id, ITEMS) if ITEMS in listed else "{}"
    except (OSError, MlflowException, WorkbenchError) as error:
        logger.warning("run %s (%s) is left out: %s", name, run.info.run_id, error)
        return None
    items: dict[str, Any] = json.loads(text)
    return TrackedRun(run.info.run_id, name, run.data.params, run.data.tags, table, items)


def _read(client: MlflowClient, run_id: str, path: str) -> str:
    with TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, path, folder)).read_text(encoding="utf-8")
