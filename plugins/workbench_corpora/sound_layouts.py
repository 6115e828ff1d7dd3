"""How public data sets of sounds lie on disk: AudioCaps, Clotho, ESC-50, FSD50K."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import RecipeError, Split
from workbench_corpora.options import SoundFolderOptions

_AUDIOCAPS_TABLES: Mapping[str, Split] = {
    "train.csv": "train",
    "val.csv": "validation",
    "test.csv": "test",
}
_CLOTHO_TABLES: Mapping[str, Split] = {
    "clotho_captions_development.csv": "train",
    "clotho_captions_validation.csv": "validation",
    "clotho_captions_evaluation.csv": "test",
}
_FSD50K_TABLES: Mapping[str, Split] = {"dev.csv": "train", "eval.csv": "test"}
_CLIP_SECONDS = 10
"""Length of an AudioCaps clip; some downloaders put its end into the file's name."""


@dataclass(frozen=True)
class Recording:
    """One recording of a data set, as its tables tell of it."""

    id: str
    split: Split
    names: tuple[str, ...]
    """Names, without suffix, that its file may have; the first that is there counts."""
    folder: str = ""
    """Part of the name of a folder that its file lies in, at any depth; empty for any folder."""
    captions: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def _audiocaps(root: Path, _options: SoundFolderOptions) -> list[Recording]:
    """AudioCaps: ``train.csv``, ``val.csv``, ``test.csv`` in the folder or its ``dataset``.

    Each row is a caption; validation and test clips have five. The clips come from YouTube through
    one's own downloader, so files are sought at any depth by the names in use: the id alone or with
    a Y in front (as AudioSet's scripts do), with the start, with start and end in seconds or
    milliseconds, or the caption's number.
    """
    clips: dict[str, list[dict[str, str]]] = {}
    splits: dict[str, Split] = {}
    columns = ("audiocap_id", "youtube_id", "start_time", "caption")
    for table, split in _tables(root, ("", "dataset"), _AUDIOCAPS_TABLES).items():
        for row in _rows(table, columns):
            name = f"{row['youtube_id']}_{row['start_time']}"
            clips.setdefault(name, []).append(row)
            splits[name] = split
    return [
        Recording(
            id=name,
            split=splits[name],
            names=_audiocaps_names(rows),
            captions=tuple(row["caption"] for row in rows),
            details={"youtube_id": rows[0]["youtube_id"], "start_time": rows[0]["start_time"]},
        )
        for name, rows in clips.items()
    ]


def _audiocaps_names(rows: list[dict[str, str]]) -> tuple[str, ...]:
    """What a clip's file may be called."""
    clip, start = rows[0]["youtube_id"], _whole(rows[0], "start_time")
    end = start + _CLIP_SECONDS
    names = (f"{clip}_{start}", f"{clip}_{start}_{end}", f"{clip}_{1000 * start}_{1000 * end}")
    return (*names, clip, f"Y{clip}", *(row["audiocap_id"] for row in rows))


def _clotho(root: Path, _options: SoundFolderOptions) -> list[Recording]:
    """Clotho: ``clotho_captions_development.csv`` and its like, with folders ``development`` etc.

    The tables lie in the folder itself or in ``clotho_csv_files``. Each clip has five captions.
    """
    recordings = []
    columns = ("file_name", *(f"caption_{number}" for number in range(1, 6)))
    for table, split in _tables(root, ("", "clotho_csv_files"), _CLOTHO_TABLES).items():
        part = table.stem.rsplit("_", 1)[1]
        for row in _rows(table, columns):
            recording = Recording(
                id=f"{part}/{row['file_name']}",
                split=split,
                names=(Path(row["file_name"]).stem,),
                folder=part,
                captions=tuple(row[column] for column in columns[1:] if row[column]),
            )
            recordings.append(recording)
    return recordings


def _esc50(root: Path, options: SoundFolderOptions) -> list[Recording]:
    """ESC-50: ``meta/esc50.csv`` with five folds, and the folder ``audio``."""
    (table,) = _tables(root, ("meta",), {"esc50.csv": "train"})
    splits: dict[int, Split] = {
        options.validation_fold: "validation",
        options.test_fold: "test",
    }
    return [
        Recording(
            id=row["filename"],
            split=splits.get(_whole(row, "fold"), "train"),
            names=(Path(row["filename"]).stem,),
            captions=_told([row["category"]], options.label_caption),
            details={"labels": [row["category"]], "fold": _whole(row, "fold")},
        )
        for row in _rows(table, ("filename", "fold", "category", "esc10"))
        if row["esc10"] == "True" or not options.esc10
    ]


def _fsd50k(root: Path, options: SoundFolderOptions) -> list[Recording]:
    """FSD50K: ``FSD50K.ground_truth`` with ``dev.csv`` and ``eval.csv``, and their audio folders.

    The development set's own split gives training and validation. Labels hold what they imply too,
    the most special first: that one is the caption.
    """
    recordings = []
    for table, split in _tables(root, ("FSD50K.ground_truth",), _FSD50K_TABLES).items():
        own = split == "train"
        for row in _rows(table, ("fname", "labels", *(["split"] if own else []))):
            labels = row["labels"].split(",")
            recording = Recording(
                id=row["fname"],
                split="validation" if own and row["split"] == "val" else split,
                names=(row["fname"],),
                folder=f"{table.stem}_audio",
                captions=_told(labels, options.label_caption),
                details={"labels": labels},
            )
            recordings.append(recording)
    return recordings


def _told(labels: list[str], caption: str) -> tuple[str, ...]:
    """The caption of the first label; none where none is wanted."""
    return (caption.replace("{}", labels[0].replace("_", " ").lower()),) if caption else ()


def _whole(row: Mapping[str, str], column: str) -> int:
    """The whole number in a column of a row."""
    try:
        return int(row[column])
    except ValueError:
        raise RecipeError(
            [
                f"{column} = {row[column]!r}, in the row of {next(iter(row.values()))}: must be a "
                "whole number"
            ],
            "sound-folder corpus",
        ) from None


def _rows(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header; raises ``RecipeError`` where columns are missing."""
    with path.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.DictReader(text)
        header = reader.fieldnames or []
        missing = [column for column in columns if column not in header]
        if missing:
            raise RecipeError(
                [f"{path}: has no column {name!r}; it has {', '.join(header)}" for name in missing],
                "sound-folder corpus",
            )
        return [{key: value or "" for key, value in row.items() if key} for row in reader]


def _tables(root: Path, folders: tuple[str, ...], names: Mapping[str, Split]) -> dict[Path, Split]:
    """The tables of these names and their splits, in the first of ``folders`` that holds any.

    ``folders`` are relative to ``root``. Raises ``RecipeError`` where none is there.
    """
    for folder in folders:
        found = {root / folder / name: split for name, split in names.items()}
        found = {path: split for path, split in found.items() if path.is_file()}
        if found:
            return found
    places = " or ".join(str(root / folder) for folder in folders)
    raise RecipeError(
        [f"path = {str(root)!r}: there is no {' or '.join(names)} in {places}"],
        "sound-folder corpus",
    )


LAYOUTS: Mapping[str, Callable[[Path, SoundFolderOptions], list[Recording]]] = {
    "audiocaps": _audiocaps,
    "clotho": _clotho,
    "esc50": _esc50,
    "fsd50k": _fsd50k,
}
"""What reads each layout."""
