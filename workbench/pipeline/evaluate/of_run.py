"""A finished run's systems as files, and the note that lets them be found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from workbench.api.errors import WorkbenchError
from workbench.api.settings import Slot
from workbench.api.types import Example
from workbench.evaluation.table import ResultTable
from workbench.host.catalog import Catalog
from workbench.host.fields import plain
from workbench.pipeline.evaluate.items import FileSystem, ItemFiles
from workbench.pipeline.generation import Generated
from workbench.pipeline.listening import read_index
from workbench.pipeline.systems import GENERATED, GROUND_TRUTH

ITEMS = "items.json"
"""In a run's folder: what is known of each item, and whether it goes on from its prompt."""
CODES = "codes.safetensors"
"""Beside it: codes ``[K, F]``, generated and true, as ``generated/<id>`` and ``reference/<id>``."""


def note_items(output: Generated, folder: Path) -> None:
    """Note in a run's folder what metrics want to know of its items beside their audio."""
    entries = [
        {"example": asdict(request.example), "continues": request.continues, "id": request.id}
        for request in output.requests
    ]
    (folder / ITEMS).write_text(json.dumps(entries, indent=1, ensure_ascii=False))
    codes = {f"generated/{item}": codes for item, codes in output.codes().items()}
    true = {r.id: r.reference for r in output.requests if r.reference is not None}
    codes |= {f"reference/{item}": values.contiguous() for item, values in true.items()}
    save_file(codes, folder / CODES)


def noted_examples(folder: Path) -> dict[str, Example]:
    """What a run's folder says of its items."""
    return {entry["id"]: Example(**entry["example"]) for entry in _noted(folder)}


def noted_languages(folder: Path) -> list[str]:
    """The languages of a run's items; none where it has not noted them."""
    if not (folder / ITEMS).exists():
        return []
    return sorted({e.language for e in noted_examples(folder).values() if e.language})


def run_systems(folder: Path, rate: int = 0, items: int | None = None) -> list[FileSystem]:
    """The systems of a run, over its first ``items``."""
    entries = _noted(folder)[:items]
    heard = {item.id: item for item in read_index(folder)}
    codes = {key: values.numpy() for key, values in load_file(folder / CODES).items()}
    paths = {
        entry["id"]: {version.system: version.audio for version in heard[entry["id"]].versions}
        for entry in entries
    }
    roles = {v.system: v.role for v in heard[entries[0]["id"]].versions}
    systems = []
    for name, role in roles.items():
        files = [
            ItemFiles(
                id=entry["id"],
                example=Example(**entry["example"]),
                generated=paths[entry["id"]][name],
                reference=paths[entry["id"]][GROUND_TRUTH],
                prompt=heard[entry["id"]].prompt,
                generated_codes=codes[f"generated/{entry['id']}"] if name == GENERATED else None,
                reference_codes=codes.get(f"reference/{entry['id']}"),
                continues=entry["continues"],
                rate=rate,
            )
            for entry in entries
        ]
        systems.append(FileSystem(name, role, files))
    return systems


def _noted(folder: Path) -> list[dict[str, Any]]:
    path = folder / ITEMS
    if not path.exists():
        raise WorkbenchError(
            f"run {folder.name} has not noted its items: it has no generated audio, or an earlier "
            f"version made it. `workbench run {folder / 'recipe.yaml'}` reuses its stages and does"
        )
    noted: list[dict[str, Any]] = json.loads(path.read_text())
    return noted


def run_metrics(folder: Path, catalog: Catalog) -> list[Slot]:
    """The metrics that a run was measured by, with their options; those of its models are none."""
    table = ResultTable.from_json((folder / "table.json").read_text())
    known = {component.name for component in catalog.components("metric")}
    found: dict[str, Mapping[str, Any]] = {}
    for row in table.rows:
        for figure in row.figures.values():
            name = figure.settings.get("metric", "")
            if name in known:
                found[name] = figure.settings["options"]
    return [
        Slot(name, plain(catalog.options("metric", name, options)))
        for name, options in found.items()
    ]
