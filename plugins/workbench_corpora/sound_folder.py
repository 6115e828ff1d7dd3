"""Public data sets of sounds as a corpus, each by the layout in which it is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from workbench import Audio, AudioError, Example, RecipeError, Split, read_audio
from workbench_corpora.options import SoundFolderOptions
from workbench_corpora.recordings import audio_files, long_enough, stamp
from workbench_corpora.sound_layouts import LAYOUTS, Recording


class SoundFolder:
    """The recordings that a data set's own tables list; one whose file is missing is named as such.

    A recording with several captions has the first as its caption and all of them in its details,
    as ``captions``.
    """

    def __init__(self, options: SoundFolderOptions) -> None:
        self._options = options
        self._root = Path(options.path).expanduser()
        if not self._root.is_dir():
            _complain(f"path = {options.path!r}: there is no such folder")
        recordings = LAYOUTS[options.layout](self._root, options)
        self._recordings = {recording.id: recording for recording in recordings}
        self._files = _found(recordings, self._root)
        if not self._files:
            first = f"; the first would be {_sought(recordings[0])}" if recordings else ""
            _complain(
                f"path = {options.path!r}: none of the {len(recordings)} recordings that the "
                f"tables list lies below it{first}"
            )

    def fingerprint(self) -> str:
        """Hash of what the tables say, and of the size and time of each file."""
        files = ((name, self._root / path) for name, path in self._files.items())
        listed = (f"{recording}" for recording in self._recordings.values())
        return stamp(files, f"{self._options.min_seconds}", *listed)

    def examples(self, split: Split) -> Iterator[Example]:
        """The recordings of one split, in the tables' order."""
        for recording in self._recordings.values():
            if recording.split == split:
                yield _example(recording)

    def audio(self, example: Example) -> Audio:
        """The file, at its own rate and with all its channels."""
        if example.id not in self._files:
            sought = _sought(self._recordings[example.id])
            raise AudioError(f"{example.id}: there is no {sought} below {self._root}")
        path = self._root / self._files[example.id]
        return long_enough(read_audio(path), self._options.min_seconds, str(path))


def _found(recordings: list[Recording], root: Path) -> dict[str, str]:
    """Path, relative to ``root``, of each recording that has a file there."""
    by_stem: dict[str, list[str]] = {}
    for path in sorted(audio_files(root)):
        by_stem.setdefault(Path(path).stem, []).append(path)
    found = {}
    for recording in recordings:
        paths = (
            path
            for name in recording.names
            for path in by_stem.get(name, ())
            if recording.folder in Path(path).parent.as_posix()
        )
        first = next(paths, None)
        if first is not None:
            found[recording.id] = first
    return found


def _sought(recording: Recording) -> str:
    """The file that would be a recording's, in words."""
    names = " or ".join(f"{name}.*" for name in recording.names)
    return f"{names} in {recording.folder}" if recording.folder else names


def _example(recording: Recording) -> Example:
    captions = list(recording.captions)
    details = {**recording.details, "captions": captions} if captions else recording.details
    return Example(
        id=recording.id,
        split=recording.split,
        caption=captions[0] if captions else None,
        details=details,
        domain="sound",
    )


def _complain(problem: str) -> NoReturn:
    raise RecipeError([problem], "sound-folder corpus")
