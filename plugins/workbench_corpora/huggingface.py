"""Data sets of the Hugging Face Hub, or saved on disk, as a corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench import (
    Audio,
    AudioError,
    Example,
    RecipeError,
    Split,
    WorkbenchError,
    decode_audio,
    read_audio,
)
from workbench_corpora.options import HuggingFaceOptions
from workbench_corpora.recordings import long_enough, stamp

try:
    import datasets
except ImportError as error:
    raise WorkbenchError(
        "the huggingface corpus needs the datasets library: "
        'pip install "audio-workbench[huggingface]"'
    ) from error

_TEXTS = ("text", "language", "speaker", "caption")
_EMPTY: tuple[object, ...] = (None, "", [])
"""What a cell holds that says nothing; a speaker's number may be 0."""


class HuggingFaceData:
    """A data set's splits; an example's id is its split and its number there.

    Audio is decoded by the workbench's own reader, never by the library's (which would need
    torchcodec and ffmpeg).
    """

    def __init__(self, options: HuggingFaceOptions) -> None:
        self._options = options
        self._splits: dict[Split, Any] = {}
        names: dict[Split, str] = {
            "train": options.train,
            "validation": options.validation,
            "test": options.test,
        }
        for split, name in names.items():
            if name:
                self._splits[split] = self._prepared(_load(options, name))
        self._cursors: dict[Split, _Cursor] = {}

    def fingerprint(self) -> str:
        """Hash of the options and of the data's own version."""
        options = self._options
        content = json.dumps([asdict(options), self._version()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def examples(self, split: Split) -> Iterator[Example]:
        """The rows of one split, in their order; reads no audio."""
        if split not in self._splits:
            return
        options = self._options
        columns = {key: getattr(options, f"{key}_column") for key in _TEXTS}
        used = {key: column for key, column in columns.items() if column}
        wanted = dict.fromkeys((*used.values(), *options.detail_columns))
        for number, row in enumerate(self._metadata(split, list(wanted))):
            texts = {key: row[name] for key, name in used.items() if row[name] not in _EMPTY}
            details = {name: row[name] for name in options.detail_columns}
            if isinstance(texts.get("caption"), list):
                details["captions"] = texts["caption"]
                texts["caption"] = texts["caption"][0]
            if options.language:
                texts.setdefault("language", options.language)
            strings = {key: str(text) for key, text in texts.items()}
            if options.domain:
                strings["domain"] = options.domain
            yield Example(id=f"{split}-{number:07d}", split=split, details=details, **strings)

    def audio(self, example: Example) -> Audio:
        """The recording of a row, at its own rate.

        When streaming, the fastest order is that of ``examples``: going back starts anew.
        """
        number = int(example.id.rsplit("-", 1)[1])
        rows = self._splits[example.split]
        if self._options.streaming:
            cursor = self._cursors.setdefault(example.split, _Cursor(rows))
            row = cursor.row(number)
        else:
            row = rows[number]
        audio = _decoded(row[self._options.audio_column], example.id)
        return long_enough(audio, self._options.min_seconds, example.id)

    def _metadata(self, split: Split, columns: list[str]) -> Iterator[Mapping[str, Any]]:
        """The given columns of each row, without reading its audio where there are others."""
        rows: Any = self._splits[split]
        if not columns and not self._options.streaming:
            return ({} for _ in range(len(rows)))
        others = [name for name in rows.features if name != self._options.audio_column]
        if columns or others:
            rows = rows.select_columns(columns or others[:1])
        return (_named(row, rows.features) for row in rows)

    def _prepared(self, rows: Any) -> Any:
        """The rows, limited, with audio as stored bytes; complains where a column is missing."""
        options = self._options
        wanted = {"audio_column": options.audio_column}
        wanted |= {f"{key}_column": getattr(options, f"{key}_column") for key in _TEXTS}
        wanted |= {f"detail_columns.{i}": name for i, name in enumerate(options.detail_columns)}
        problems = [
            f"{key} = {column!r}: the data set has no such column; it has "
            f"{', '.join(sorted(rows.features))}"
            for key, column in wanted.items()
            if column and column not in rows.features
        ]
        if problems:
            raise RecipeError(problems, "huggingface corpus")
        if options.limit:
            enough = options.streaming or len(rows) > options.limit
            rows = rows.take(options.limit) if enough else rows
        return rows.cast_column(options.audio_column, datasets.Audio(decode=False))

    def _version(self) -> object:
        """What changes with the data: fingerprints of loaded splits, files' stamps, or a commit."""
        options = self._options
        if not options.streaming:
            return {split: rows._fingerprint for split, rows in self._splits.items()}
        folder = Path(options.path).expanduser()
        if folder.is_dir():
            files = (path for path in folder.rglob("*") if path.is_file())
            return stamp((path.relative_to(folder).as_posix(), path) for path in files)
        from huggingface_hub import HfApi

        return HfApi().dataset_info(options.path, revision=options.revision or None).sha


class _Cursor:
    """Reads a stream row by row, forward as long as rows are asked for in order."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._next = 0
        self._iterator = iter(rows)

    def row(self, number: int) -> Mapping[str, Any]:
        """Row ``number`` of the stream."""
        if number < self._next:
            self._iterator = iter(self._rows)
            self._next = 0
        while self._next < number:
            next(self._iterator)
            self._next += 1
        self._next += 1
        row: Mapping[str, Any] = next(self._iterator)
        return row


def _load(options: HuggingFaceOptions, split: str) -> Any:
    """One split of the data set; whatever goes wrong is told with the library's own words."""
    folder = Path(options.path).expanduser()
    saved = (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()
    try:
        if saved:
            return _load_saved(folder, split, options.streaming)
        return datasets.load_dataset(
            str(folder) if folder.is_dir() else options.path,
            name=options.config or None,
            split=split,
            streaming=options.streaming,
            revision=options.revision or None,
        )
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise RecipeError(
            [f"path = {options.path!r}, split {split!r}: {error}"], "huggingface corpus"
        ) from error


def _load_saved(folder: Path, split: str, streaming: bool) -> Any:
    """A split of what ``save_to_disk`` wrote; a single data set there counts as ``train``."""
    loaded = datasets.load_from_disk(str(folder))
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}
    if split not in splits:
        raise ValueError(f"there is no such split; there are: {', '.join(splits)}")
    return splits[split].to_iterable_dataset() if streaming else splits[split]


def _named(row: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the names of classes in place of their numbers."""
    return {
        name: features[name].int2str(value)
        if isinstance(features[name], datasets.ClassLabel) and value is not None
        else value
        for name, value in row.items()
    }


def _decoded(stored: object, name: str) -> Audio:
    """The audio of a cell that holds a file's bytes or its path."""
    if isinstance(stored, Mapping) and stored.get("bytes"):
        return decode_audio(stored["bytes"], stored.get("path") or name)
    if isinstance(stored, Mapping) and stored.get("path"):
        return read_audio(stored["path"])
    raise AudioError(f"{name}: its audio column holds neither a file's bytes nor a path")
