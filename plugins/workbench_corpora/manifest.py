"""A corpus that a JSONL, CSV or TSV file lists."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import Audio, Example, RecipeError, Split, read_audio
from workbench_corpora.options import ManifestOptions
from workbench_corpora.recordings import long_enough, stamp
from workbench_corpora.splits import SPLIT_NAMES, held_out

_TEXTS = ("text", "language", "speaker", "caption", "domain")
_KNOWN = {"path", "id", "start", "end", "split", *_TEXTS}
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class _Line:
    """One line of a manifest; ``split`` is None where it has none."""

    id: str
    path: str
    start: float
    end: float | None
    split: Split | None
    texts: Mapping[str, str]
    details: Mapping[str, Any]


class Manifest:
    """The recordings, or parts of recordings, that a manifest lists."""

    def __init__(self, options: ManifestOptions) -> None:
        self._options = options
        self._file = Path(options.path).expanduser()
        if not self._file.is_file():
            raise RecipeError(
                [f"path = {options.path!r}: there is no such file"], "manifest corpus"
            )
        self._root = Path(options.root).expanduser() if options.root else self._file.parent
        lines = _read(self._file)
        self._lines = {line.id: line for line in lines}
        self._splits = self._split(lines)

    def fingerprint(self) -> str:
        """Hash of the manifest's text and of the size and time of each file that it lists."""
        options = self._options
        files = {line.path: self._root / line.path for line in self._lines.values()}
        shares = f"{options.validation} {options.test} {options.min_seconds}"
        return stamp(files.items(), self._file.read_text(encoding="utf-8"), shares)

    def examples(self, split: Split) -> Iterator[Example]:
        """The lines of one split, in the manifest's order."""
        for line in self._lines.values():
            if self._splits[line.id] == split:
                yield Example(id=line.id, split=split, details=line.details, **line.texts)

    def audio(self, example: Example) -> Audio:
        """The file, or its part from ``start`` to ``end``, at its own rate."""
        line = self._lines[example.id]
        path = self._root / line.path
        audio = read_audio(path, line.start, line.end)
        return long_enough(audio, self._options.min_seconds, str(path))

    def _split(self, lines: list[_Line]) -> dict[str, Split]:
        """A line's own split; splits that no line names take their share of the rest's files."""
        shares: dict[Split, float] = {
            "test": self._options.test,
            "validation": self._options.validation,
        }
        named = {line.id: line.split for line in lines if line.split in shares}
        missing = {s: share for s, share in shares.items() if s not in named.values()}
        by_path = held_out({line.path for line in lines if line.id not in named}, missing)
        return {line.id: named.get(line.id) or by_path[line.path] for line in lines}


def _read(file: Path) -> list[_Line]:
    """All lines; raises ``RecipeError`` with every line that is wrong."""
    problems: list[str] = []
    lines: dict[str, _Line] = {}
    for number, entry in _entries(file, problems):
        try:
            line = _parse(entry)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if line.id in lines:
            problems.append(f"line {number}: id {line.id!r} was there before; ids must differ")
        lines[line.id] = line
    if not lines and not problems:
        problems.append("holds no lines")
    if problems:
        hidden = len(problems) - _SHOWN_PROBLEMS
        more = [f"... and {hidden} more lines"] if hidden > 0 else []
        raise RecipeError(problems[:_SHOWN_PROBLEMS] + more, f"manifest {file}")
    return list(lines.values())


def _entries(file: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and what the lines hold, by column."""
    if file.suffix.lower() in {".csv", ".tsv"}:
        delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, delimiter=delimiter)
            for row in reader:
                if None in row or None in row.values():
                    problems.append(f"line {reader.line_num}: has not as many fields as line 1")
                else:
                    yield reader.line_num, dict(row)
        return
    with file.open(encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                problems.append(f"line {number}: is not JSON ({error})")
                continue
            if isinstance(entry, dict):
                yield number, entry
            else:
                problems.append(f"line {number}: must be a JSON object such as {{'path': 'a.wav'}}")


def _parse(entry: Mapping[str, Any]) -> _Line:
    """One line's values, checked; empty ones count as absent."""
    given = {key: value for key, value in entry.items() if value not in (None, "")}
    path = given.get("path")
    if not isinstance(path, str):
        raise ValueError(f"path = {path!r}: must name an audio file")
    start, end = _seconds(given, "start"), _seconds(given, "end")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"end = {end:g}: must be above start = {start or 0.0:g}")
    split = given.get("split")
    if split is not None and str(split).lower() not in SPLIT_NAMES:
        raise ValueError(f"split = {split!r}: must be one of {', '.join(SPLIT_NAMES)}")
    part = "" if start is None and end is None else f"@{start or 0.0:g}-{end or math.inf:g}"
    return _Line(
        id=str(given.get("id", path + part)),
        path=path,
        start=start or 0.0,
        end=end,
        split=None if split is None else SPLIT_NAMES[str(split).lower()],
        texts={key: str(given[key]) for key in _TEXTS if key in given},
        details={key: value for key, value in given.items() if key not in _KNOWN},
    )


def _seconds(given: Mapping[str, Any], name: str) -> float | None:
    """A time of at least 0, or None where it is absent."""
    if name not in given:
        return None
    try:
        value = float(given[name])
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {given[name]!r}: must be a time in seconds")
    return value
