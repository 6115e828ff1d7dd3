"""Any folder of audio files as a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench import AUDIO_SUFFIXES, Audio, Example, RecipeError, Split, read_audio
from workbench_corpora.options import FolderOptions
from workbench_corpora.recordings import audio_files, long_enough, stamp
from workbench_corpora.splits import SPLIT_NAMES, held_out


class Folder:
    """All audio files below a folder; an example's id is its path relative to it."""

    def __init__(self, options: FolderOptions) -> None:
        self._options = options
        self._root = Path(options.path).expanduser()
        if not self._root.is_dir():
            raise RecipeError(
                [f"path = {options.path!r}: there is no such folder"], "folder corpus"
            )
        self._files = sorted(audio_files(self._root))
        if not self._files:
            known = ", ".join(sorted(AUDIO_SUFFIXES))
            raise RecipeError(
                [f"path = {options.path!r}: the folder holds no audio files ({known})"],
                "folder corpus",
            )
        self._splits = self._split()

    def fingerprint(self) -> str:
        """Hash of all files' relative paths, sizes and modification times, and of the options."""
        files = ((name, self._root / name) for name in self._files)
        options = self._options
        return stamp(
            files,
            *(f"{value}" for value in (options.validation, options.test, options.split_folders)),
            f"{options.min_seconds}",
        )

    def examples(self, split: Split) -> Iterator[Example]:
        """The files of one split, in the order of their paths."""
        for name in self._files:
            if self._splits[name] == split:
                yield Example(id=name, split=split, domain=self._options.domain or None)

    def audio(self, example: Example) -> Audio:
        """The file, at its own rate and with all its channels."""
        path = self._root / example.id
        return long_enough(read_audio(path), self._options.min_seconds, str(path))

    def _split(self) -> dict[str, Split]:
        """Named subfolders decide; splits without one take their share of all the rest."""
        options = self._options
        named: dict[str, Split] = {}
        if options.split_folders:
            for name in self._files:
                top, *below = Path(name).parts
                if below and top.lower() in SPLIT_NAMES:
                    named[name] = SPLIT_NAMES[top.lower()]
        pool = [name for name in self._files if named.get(name, "train") == "train"]
        shares: dict[Split, float] = {"test": options.test, "validation": options.validation}
        missing = {s: share for s, share in shares.items() if s not in named.values()}
        return {**named, **held_out(pool, missing)}
