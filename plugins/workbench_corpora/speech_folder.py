"""Public speech corpora as a corpus, each by the layout in which it is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from workbench import Audio, AudioError, Example, RecipeError, Split, read_audio
from workbench_corpora.options import SpeechFolderOptions
from workbench_corpora.recordings import long_enough, stamp
from workbench_corpora.speech_layouts import LAYOUTS, Recording, Wanted
from workbench_corpora.splits import SPLIT_NAMES, held_out


class SpeechFolder:
    """The recordings below a folder in a known layout; an example's id is its path there.

    The corpus' own subsets are its splits. A recording without a transcript, or a transcript
    without a recording, is listed and set aside with its name when its audio is asked for.
    """

    def __init__(self, options: SpeechFolderOptions) -> None:
        self._options = options
        self._root = Path(options.path).expanduser()
        if not self._root.is_dir():
            self._complain(f"path = {options.path!r}: there is no such folder")
        wanted = Wanted(options.subsets, options.languages, options.original_text)
        layout = LAYOUTS[options.layout]
        self._recordings = {
            item.path: item
            for item in layout.read(self._root, wanted)
            if wanted.language(item.language)
        }
        if not self._recordings:
            chosen = "".join(
                f", {name} {', '.join(values)}"
                for name, values in (("subsets", wanted.subsets), ("languages", wanted.languages))
                if values
            )
            self._complain(
                f"path = {options.path!r}: holds no recordings in the layout {options.layout}"
                f"{chosen}; expected below it: {layout.expected}"
            )
        self._splits = self._split()

    def fingerprint(self) -> str:
        """Hash of the options, all texts, and the files' sizes and modification times."""
        files = ((path, self._root / path) for path in self._recordings)
        options = {name: value for name, value in asdict(self._options).items() if name != "path"}
        content = [options, [asdict(item) for item in self._recordings.values()]]
        return stamp(files, json.dumps(content, sort_keys=True))

    def examples(self, split: Split) -> Iterator[Example]:
        """The recordings of one split, in the layout's order."""
        for path, item in self._recordings.items():
            if self._splits[path] == split:
                yield Example(
                    id=path,
                    split=split,
                    text=item.text,
                    language=item.language,
                    speaker=item.speaker,
                    details={"subset": item.subset, **item.details},
                    domain="speech",
                )

    def audio(self, example: Example) -> Audio:
        """The file, at its own rate; ``AudioError`` where it has no transcript that says a word."""
        path = self._root / example.id
        text = self._recordings[example.id].text
        if text is None:
            raise AudioError(f"{path}: has no transcript")
        if not any(character.isalnum() for character in text):
            raise AudioError(f"{path}: its transcript, {text!r}, says no word; correct it")
        return long_enough(read_audio(path), self._options.min_seconds, str(path))

    def _split(self) -> dict[str, Split]:
        """Subsets decide; splits without one take their share of the training speakers."""
        named = {path: _subset_split(item) for path, item in self._recordings.items()}
        shares: dict[Split, float] = {
            "test": self._options.test,
            "validation": self._options.validation,
        }
        missing = {split: share for split, share in shares.items() if split not in named.values()}
        speakers = {
            item.speaker for item in self._recordings.values() if named[item.path] == "train"
        }
        by_speaker = held_out(speakers, missing)
        return {
            path: by_speaker[self._recordings[path].speaker] if split == "train" else split
            for path, split in named.items()
        }

    def _complain(self, problem: str) -> None:
        raise RecipeError([problem], "speech-folder corpus")


def _subset_split(item: Recording) -> Split:
    """The split of ``train-clean-100``, ``dev`` and the like; any other subset is for training."""
    return SPLIT_NAMES.get(item.subset.split("-")[0], "train")
