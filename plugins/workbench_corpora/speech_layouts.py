"""How public speech corpora lie on disk: where a recording's text, speaker and language are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench import AUDIO_SUFFIXES, RecipeError, WorkbenchError, language_code

_MLS_LANGUAGES = {
    "english": "en", "german": "de", "dutch": "nl", "french": "fr",
    "spanish": "es", "italian": "it", "portuguese": "pt", "polish": "pl",
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """One recording of a corpus; ``path`` is relative to its root, with forward slashes.

    ``text`` is None where there is no transcript. A transcript without a recording has the path
    that the recording should have.
    """

    path: str
    subset: str
    speaker: str
    language: str
    text: str | None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What to read: names of subsets and codes of languages, none for all; which text."""

    subsets: Collection[str]
    languages: Collection[str]
    original_text: bool

    def subset(self, name: str) -> bool:
        """Whether a subset is to be read."""
        return not self.subsets or name in self.subsets

    def language(self, code: str) -> bool:
        """Whether a language is to be read."""
        return not self.languages or code in self.languages


Reader = Callable[[Path, Wanted], Iterator[Recording]]


@dataclass(frozen=True)
class Layout:
    """A way that corpora lie on disk; ``expected`` shows it in messages."""

    read: Reader
    expected: str


def _libritts(root: Path, wanted: Wanted) -> Iterator[Recording]:
    """A text beside each recording, as it was read out or as it was printed."""
    ending = ".original.txt" if wanted.original_text else ".normalized.txt"
    for subset in _subsets(root, wanted):
        files = _audio_files(subset, "*/*/*")
        texts = {path.name.removesuffix(ending): path for path in subset.glob(f"*/*/*{ending}")}
        for name in sorted(files.keys() | texts.keys()):
            path = files.get(name) or texts[name].with_name(f"{name}.wav")
            text = _line(texts[name]) if name in texts else None
            relative = path.relative_to(root).as_posix()
            yield Recording(relative, subset.name, path.parts[-3], "en", text)


def _librispeech(root: Path, wanted: Wanted) -> Iterator[Recording]:
    """A list of texts, all in capitals, in each chapter's folder."""
    for subset in _subsets(root, wanted):
        for chapter in sorted(path for path in subset.glob("*/*") if path.is_dir()):
            files = _audio_files(chapter, "*")
            texts: dict[str, str] = {}
            for listing in chapter.glob("*.trans.txt"):
                texts.update(_pairs(listing, " "))
            for name in sorted(files.keys() | texts.keys()):
                path = files.get(name, chapter / f"{name}.flac").relative_to(root).as_posix()
                # Capitals would be spelt out by a reader; nothing else is lost without them.
                text = texts[name].lower() if name in texts else None
                yield Recording(path, subset.name, chapter.parts[-2], "en", text)


def _mls(root: Path, wanted: Wanted) -> Iterator[Recording]:
    """A folder for each language, with a list of texts in each subset."""
    for folder in _here_or_below(root, lambda path: bool(_mls_language(path))):
        language = _mls_language(folder)
        if not wanted.language(language):
            continue  # its files need not even be looked for
        for subset in _subsets(folder, wanted):
            files = _audio_files(subset / "audio", "*/*/*")
            texts = _pairs(subset / "transcripts.txt", "\t")
            for name in sorted(files.keys() | texts.keys()):
                speaker, book, *_ = f"{name}_".split("_")
                missing = subset / "audio" / speaker / book / f"{name}.flac"
                path = files.get(name, missing).relative_to(root).as_posix()
                yield Recording(path, subset.name, speaker, language, texts.get(name))


def _aishell3(root: Path, wanted: Wanted) -> Iterator[Recording]:
    """A list of texts in each subset, every character followed by its pinyin."""
    speakers = _aishell3_speakers(root / "spk-info.txt")
    for subset in _subsets(root, wanted):
        files = _audio_files(subset / "wav", "*/*")
        texts = {
            name.removesuffix(".wav"): text
            for name, text in _pairs(subset / "content.txt", "\t").items()
        }
        for name in sorted(files.keys() | texts.keys()):
            speaker = name[:7]  # SSB0005 of SSB00050001
            path = files.get(name, subset / "wav" / speaker / f"{name}.wav")
            symbols = texts.get(name, "").split()
            details = dict(speakers.get(speaker, {}))
            if symbols:
                details["pinyin"] = " ".join(symbols[1::2])
            text = "".join(symbols[::2]) or None
            relative = path.relative_to(root).as_posix()
            yield Recording(relative, subset.name, speaker, "cmn", text, details)


def _aishell3_speakers(file: Path) -> dict[str, dict[str, str]]:
    """Gender and accent of each speaker, where the list is there."""
    if not file.is_file():
        return {}
    lines = (line.split() for line in _content(file).splitlines())
    return {
        fields[0]: {"gender": fields[2], "accent": fields[3]}
        for fields in lines
        if len(fields) == 4 and not fields[0].startswith("#")
    }


def _common_voice(root: Path, wanted: Wanted) -> Iterator[Recording]:
    """A folder for each language, with a table for each subset and all recordings in ``clips``."""
    for folder in _here_or_below(root, lambda path: (path / "clips").is_dir()):
        for subset in wanted.subsets or ("train", "dev", "test"):
            table = folder / f"{subset}.tsv"
            if not table.is_file():
                continue
            lines = io.StringIO(_content(table), newline="")
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                language = _tag(row.get("locale") or folder.name)
                path = (folder / "clips" / row["path"]).relative_to(root).as_posix()
                text = row["sentence"].strip() or None
                details = _speaker_details(row)
                yield Recording(path, subset, row["client_id"], language, text, details)


def _speaker_details(row: Mapping[str, str]) -> dict[str, str]:
    """What Common Voice's speakers said of themselves; older tables have one ``accent``."""
    known = {
        "age": row.get("age"),
        "gender": row.get("gender"),
        "accent": row.get("accents") or row.get("accent"),
    }
    return {name: value for name, value in known.items() if value}


LAYOUTS: Mapping[str, Layout] = {
    "libritts": Layout(
        _libritts, "train-clean-100/SPEAKER/CHAPTER/NAME.wav and NAME.normalized.txt"
    ),
    "librispeech": Layout(
        _librispeech, "train-clean-100/SPEAKER/CHAPTER/NAME.flac and SPEAKER-CHAPTER.trans.txt"
    ),
    "mls": Layout(
        _mls, "mls_german/train/audio/SPEAKER/BOOK/NAME.flac and mls_german/train/transcripts.txt"
    ),
    "aishell3": Layout(_aishell3, "train/wav/SPEAKER/NAME.wav and train/content.txt"),
    "common-voice": Layout(_common_voice, "LANGUAGE/clips/NAME.mp3 and LANGUAGE/train.tsv"),
}
"""The public layouts by name."""


def _subsets(root: Path, wanted: Wanted) -> list[Path]:
    """The wanted ones among the folders ``train-clean-100``, ``dev``, ``test`` and the like."""
    named = re.compile(r"(train|dev|test)(-.*)?")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return [path for path in folders if named.fullmatch(path.name) and wanted.subset(path.name)]


def _here_or_below(root: Path, suits: Callable[[Path], bool]) -> list[Path]:
    """``root`` itself where it suits, else the folders in it that do."""
    if suits(root):
        return [root]
    return sorted(path for path in root.iterdir() if path.is_dir() and suits(path))


def _mls_language(folder: Path) -> str:
    """The language's code, from ``mls_german`` or ``mls_german_opus``; empty for other folders."""
    found = re.fullmatch(r"mls_([a-z]+)(_.*)?", folder.name.lower())
    return _MLS_LANGUAGES.get(found.group(1), "") if found else ""


def _audio_files(folder: Path, pattern: str) -> dict[str, Path]:
    """Audio files by their names without ending."""
    return {
        path.stem: path
        for path in folder.glob(pattern)
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    }


def _pairs(file: Path, gap: str) -> dict[str, str]:
    """Names and texts of a list with one pair a line; nothing where there is no list."""
    if not file.is_file():
        return {}
    lines = _content(file).splitlines()
    pairs = (line.partition(gap) for line in lines if line.strip())
    return {name.strip(): text.strip() for name, _, text in pairs if text.strip()}


def _line(file: Path) -> str | None:
    """The text of a file as one line; None where it is empty."""
    return " ".join(_content(file).split()) or None


def _content(file: Path) -> str:
    """What a file of transcripts says; an error names one that can't be read."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            [f"{file}: is no UTF-8 text (byte {error.start}); convert it, as iconv -t UTF-8 does"],
            "speech-folder corpus",
        ) from error
    except OSError as error:
        raise RecipeError(
            [f"{file}: can't be read ({error.strerror}); make it readable, or take it away"],
            "speech-folder corpus",
        ) from error


def _tag(name: str) -> str:
    """The code of a language with phonemes; another language's tag as it is."""
    try:
        return language_code(name)
    except WorkbenchError:
        return name
