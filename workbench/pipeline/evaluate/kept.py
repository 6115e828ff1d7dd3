"""Scores that are kept: what has been measured is not measured again, also after a kill.

A score hangs on its item's content, on the metric with its options and seed, on the files of the
packages that it comes from (code and embedded weights), and on weights that its options name. All
of that is in its key; a score whose key has changed is simply not found.
"""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench.api.settings import Slot
from workbench.api.types import Figure
from workbench.evaluation.table import ResultTable, Row
from workbench.host.catalog import Catalog
from workbench.host.fields import public_fields
from workbench.pipeline.store import content_key

FILE = "scores.db"
"""In a results folder: the kept scores of all evaluations."""


class KeptScores:
    """Figures by key, in one file that several evaluations may use at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._base.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, figures TEXT)")

    def __enter__(self) -> KeptScores:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()

    def get(self, key: str) -> list[Figure] | None:
        """What was kept under ``key``; None where nothing was."""
        row = self._base.execute("SELECT figures FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else _read(row[0])

    def put(self, key: str, figures: Sequence[Figure]) -> None:
        """Keep figures; they are on the disk when this returns."""
        self._base.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, _written(figures)))


def metric_key(catalog: Catalog, slot: Slot, seed: int) -> str:
    """What a metric's scores hang on beside the items."""
    settings = catalog.options("metric", slot.name, slot.options)
    components = [("metric", slot.name), *_components(settings)]
    packages = {_package(catalog, kind, name) for kind, name in components}
    named = [Path(text).expanduser() for text in _texts(slot.options)]
    return content_key(
        {
            "metric": slot.name,
            "options": slot.options,
            "seed": seed,
            "packages": [_stamp(package) for package in sorted(packages)],
            "files": [_stamp(path) for path in named if path.exists()],
        }
    )


def _components(settings: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of each component that options name, to any depth."""
    for field in public_fields(type(settings)):
        value = getattr(settings, field.name)
        for slot in value if isinstance(value, list) else [value]:
            if isinstance(slot, Slot) and slot.chosen:
                yield field.metadata["kind"], slot.name
                yield from _components(slot.settings)


def _package(catalog: Catalog, kind: str, name: str) -> Path:
    """The folder of the package that provides a component, or the file of a lone module."""
    config = catalog.get(kind, name).config
    file = Path(inspect.getfile(config))
    return file.parent if "." in config.__module__ else file


def _stamp(path: Path) -> list[Any]:
    """Names, sizes and times of a file, or of all files below a folder."""
    files: Iterable[Path] = sorted(path.rglob("*")) if path.is_dir() else [path]
    stamps = []
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            state = file.stat()
            stamps.append([str(file), state.st_size, state.st_mtime_ns])
    return stamps


def _texts(value: Any) -> Iterator[str]:
    """Every text within options."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _written(figures: Sequence[Figure]) -> str:
    names = [f"{number}" for number in range(len(figures))]
    return ResultTable((Row("", "result", dict(zip(names, figures, strict=True))),)).to_json()


def _read(text: str) -> list[Figure]:
    (row,) = ResultTable.from_json(text).rows
    return list(row.figures.values())
