"""What is known of files in a folder: a manifest with a line for each."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.api.errors import RecipeError
from workbench.api.types import Example
from workbench.audio.io import AUDIO_SUFFIXES

FIELDS = ("text", "language", "speaker", "caption", "domain")
"""Columns that fill an example's own fields; others go to its details."""


def read_manifest(path: Path) -> dict[str, Example]:
    """Examples by the path of their file without its ending, from JSONL, CSV or TSV.

    Each line names its file in ``path`` or ``id``, and tells any of text, language, speaker,
    caption and domain, and whatever else may be asked for (`--by`). Raises ``RecipeError`` with
    every line that is wrong.
    """
    if not path.is_file():
        raise RecipeError([f"--text {path}: there is no such file"], "evaluate")
    problems: list[str] = []
    found: dict[str, Example] = {}
    for number, line in _lines(path, problems):
        given = {str(key): value for key, value in line.items() if value not in (None, "")}
        name = given.pop("path", None) or given.pop("id", None)
        if not isinstance(name, str):
            problems.append(f"line {number}: must name its file as 'path' or 'id'; got {line}")
            continue
        given.pop("id", None)
        file = PurePosixPath(name)
        stem = (file.with_suffix("") if file.suffix.lower() in AUDIO_SUFFIXES else file).as_posix()
        if stem in found:
            problems.append(f"line {number}: {stem!r} was there before")
        known = {field: str(given.pop(field)) for field in FIELDS if field in given}
        found[stem] = Example(stem, "test", details=given, **known)
    if problems:
        raise RecipeError(problems, f"--text {path}")
    return found


def _lines(path: Path, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line numbers and what the lines hold."""
    if path.suffix.lower() in (".csv", ".tsv"):
        with path.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            for row in reader:
                if None in row or None in row.values():
                    problems.append(f"line {reader.line_num}: has not as many fields as line 1")
                else:
                    yield reader.line_num, row
        return
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        try:
            entry = json.loads(line) if line.strip() else None
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: is not JSON ({error})")
            continue
        if isinstance(entry, dict):
            yield number, entry
        elif entry is not None:
            problems.append(f"line {number}: must be a JSON object such as {{'path': 'a.wav'}}")
