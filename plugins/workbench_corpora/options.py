"""Options of the corpora: plain dataclasses, read from recipes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from workbench import Slot, slots


def _require(rule: bool, name: str, value: object, must: str) -> None:
    """Raise the error that the recipe reader turns into a problem, unless ``rule`` holds."""
    if not rule:
        raise ValueError(f"{name} = {value!r}: must be {must}")


def _check_shares(validation: float, test: float) -> None:
    _require(0 <= validation < 1, "validation", validation, "a share in [0, 1)")
    _require(0 <= test < 1, "test", test, "a share in [0, 1)")
    _require(validation + test < 1, "validation + test", validation + test, "less than 1")


@dataclass
class SyntheticMusicOptions:
    """Options of the embedded music corpus."""

    train: int = 600
    """Pieces for training."""
    validation: int = 48
    """Pieces for validation."""
    test: int = 96
    """Pieces for testing."""
    seconds: float = 13.0
    """Length of each piece."""
    seed: int = 0
    """Seed of the pieces; the run's own seed does not change them."""
    sample_rate: int = 16000
    """Rate in Hz."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        _require(self.seconds >= 1, "seconds", self.seconds, "at least 1")
        _require(self.sample_rate >= 8000, "sample_rate", self.sample_rate, "at least 8000")


@dataclass
class SyntheticSoundOptions:
    """Options of the embedded sound corpus."""

    train: int = 4000
    """Scenes for training."""
    validation: int = 100
    """Scenes for validation."""
    test: int = 200
    """Scenes for testing; each holds a pair of kinds that no training scene holds."""
    seconds: float = 5.0
    """Length of each scene."""
    most_events: int = 3
    """Most events in a scene, 1 to 3."""
    singles: float = 0.3
    """Share of the training scenes that hold a single event."""
    kinds: list[str] = field(default_factory=list)
    """Kinds of events, such as `rain` and `dog`; empty for all."""
    captions: int = 5
    """Captions of each scene; the first is the example's, its details hold all."""
    test_wording: Literal["standard", "unseen"] = "standard"
    """Words of the test captions: `standard` ones as in training, or `unseen`: templates and
    phrases that no training caption uses. The recordings are the same."""
    seed: int = 0
    """Seed of the scenes; the run's own seed does not change them. Which pairs are held out does
    not depend on it, so a judge may be trained on another draw."""
    sample_rate: int = 16000
    """Rate in Hz."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        _require(self.seconds >= 2, "seconds", self.seconds, "at least 2")
        _require(1 <= self.most_events <= 3, "most_events", self.most_events, "1, 2 or 3")
        _require(0 <= self.singles <= 1, "singles", self.singles, "a share in [0, 1]")
        _require(self.captions >= 1, "captions", self.captions, "at least 1")
        _require(self.sample_rate >= 8000, "sample_rate", self.sample_rate, "at least 8000")


@dataclass
class SyntheticSpeechOptions:
    """Options of the embedded speech corpus."""

    train: int = 3000
    """Utterances for training."""
    validation: int = 90
    """Utterances for validation: new sentences by the training voices."""
    test: int = 240
    """Utterances for testing: new sentences, by voices of their own unless `test_voices` is 0."""
    languages: list[str] = field(default_factory=lambda: ["en", "es", "cmn"])
    """Languages, which take turns: `en`, `es`, `cmn`."""
    vocabulary: int = 60
    """Words of each language, at most 60; sentences are these in random order."""
    min_words: int = 3
    """Fewest words of a sentence."""
    max_words: int = 6
    """Most words of a sentence."""
    voices: int = 24
    """Voices of training and validation; each speaks every language."""
    test_voices: int = 8
    """Voices that only test utterances have; 0 tests on the training voices."""
    voice_pool: Literal["a", "b"] = "a"
    """Where all voices are taken from; the pools share none, so a judge may be trained on the
    other one. (Sentences of a split are of that split for every seed and pool.)"""
    accents: list[str] = field(default_factory=lambda: ["es", "de", "fr"])
    """espeak-ng's voices that read English by the sounds and letters of their own language, for
    some speakers each. (`cmn` reads Latin letters by British English rules: a slight accent.)"""
    accented: float = 0.25
    """Share of the voices that speak English with an accent."""
    variety: float = 0.0
    """How far recordings differ in tone, room, noise and level: 0 is a plain voice, 1 draws noise
    at 10 to 30 dB, a room for every second one, seven bands within 8 dB."""
    alignments: bool = False
    """Put the time of each phoneme into the details."""
    seed: int = 0
    """Seed of sentences and recordings; neither the run's own seed nor this one changes the
    voices."""
    sample_rate: int = 16000
    """Rate in Hz."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test", "test_voices"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        known = ("en", "es", "cmn")
        right = bool(self.languages) and all(name in known for name in self.languages)
        _require(right, "languages", self.languages, f"one or more of {', '.join(known)}")
        _require(2 <= self.vocabulary <= 60, "vocabulary", self.vocabulary, "from 2 to 60")
        _require(self.min_words >= 1, "min_words", self.min_words, "at least 1")
        most = self.max_words
        _require(self.min_words <= most, "max_words", most, f"at least {self.min_words}, min_words")
        sentences = self.vocabulary**most
        enough = "more: there are too few sentences of these words to share them among the splits"
        _require(sentences >= 500, "max_words", most, enough)
        _require(self.voices >= 1, "voices", self.voices, "at least 1")
        for name in ("accented", "variety"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "from 0 to 1")
        _require(self.sample_rate >= 8000, "sample_rate", self.sample_rate, "at least 8000")


@dataclass
class FolderOptions:
    """Options of a corpus that is a folder of audio files."""

    path: str = ""
    """The folder; all audio files below it, at any depth, rate and channel count, belong to it."""
    validation: float = 0.1
    """Share of the recordings held out for validation, where no subfolder holds them."""
    test: float = 0.1
    """Share of the recordings held out for testing, where no subfolder holds them."""
    split_folders: bool = True
    """Take what lies in subfolders called `train`, `validation` (`valid`, `val`, `dev`) and `test`
    (`eval`) for those splits; off, such names mean nothing."""
    domain: str = ""
    """What is heard: `speech`, `music` or `sound`; empty where it is not known. Boards tell it."""
    min_seconds: float = 0.0
    """Shorter recordings are skipped, and reported as such."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "the folder that holds the audio files")
        _check_shares(self.validation, self.test)
        _require(self.min_seconds >= 0, "min_seconds", self.min_seconds, "at least 0")


@dataclass
class SpeechFolderOptions:
    """Options of a public speech corpus on disk."""

    path: str = ""
    """The folder that was unpacked: the one that holds `train-clean-100` and so on (LibriTTS,
    LibriSpeech), `train` and `test` (AISHELL-3), a language's folder or the one that holds several
    (Multilingual LibriSpeech, Common Voice)."""
    layout: Literal["libritts", "librispeech", "mls", "aishell3", "common-voice"] = "libritts"
    """The corpus whose layout it is."""
    subsets: list[str] = field(default_factory=list)
    """Subsets to take, such as `train-clean-100` and `test-clean`; empty for all there are. Names
    beginning with `dev` are for validation, with `test` for testing."""
    languages: list[str] = field(default_factory=list)
    """Languages to take, such as `es`, where the folder holds several; empty for all."""
    original_text: bool = False
    """LibriTTS: take the text as printed, with its numbers and abbreviations, not as read out."""
    validation: float = 0.05
    """Share of the training speakers held out for validation, where no subset is for it."""
    test: float = 0.05
    """Share of the training speakers held out for testing, where no subset is for it."""
    min_seconds: float = 0.0
    """Shorter recordings are skipped, and reported as such."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "the corpus' folder")
        right = self.layout == "libritts" or not self.original_text
        _require(right, "original_text", self.original_text, "false, except with LibriTTS")
        _check_shares(self.validation, self.test)
        _require(self.min_seconds >= 0, "min_seconds", self.min_seconds, "at least 0")


@dataclass
class ManifestOptions:
    """Options of a corpus that a JSONL, CSV or TSV file lists."""

    path: str = ""
    """The manifest: a line for each recording, with `path` and, where known, `text`, `language`,
    `speaker`, `caption`, `domain` (`speech`, `music` or `sound`), `start` and `end` (seconds),
    `split` and `id`; other columns are kept as details; a line without a split is for training.
    `.jsonl` files hold a JSON object a line; `.csv` and `.tsv` files name their columns in the
    first line."""
    root: str = ""
    """Folder that relative paths start from; empty for the manifest's own."""
    validation: float = 0.1
    """Share of the audio files held out for validation, where no line has that split."""
    test: float = 0.1
    """Share of the audio files held out for testing, where no line has that split."""
    min_seconds: float = 0.0
    """Shorter recordings are skipped, and reported as such."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "the manifest's file name")
        _check_shares(self.validation, self.test)
        _require(self.min_seconds >= 0, "min_seconds", self.min_seconds, "at least 0")


@dataclass
class SoundFolderOptions:
    """Options of a public data set of sounds on disk."""

    path: str = ""
    """The folder that it was unpacked into: the one with `train.csv` or `dataset/train.csv`
    (AudioCaps), the captions' tables or `clotho_csv_files` (Clotho), `meta/esc50.csv` (ESC-50),
    `FSD50K.ground_truth` (FSD50K)."""
    layout: Literal["audiocaps", "clotho", "esc50", "fsd50k"] = "audiocaps"
    """The data set whose layout it is; its own splits are kept."""
    label_caption: str = "the sound of {}"
    """ESC-50 and FSD50K, which have labels: the caption made of one, which takes the place of the
    braces. Empty for no captions."""
    test_fold: int = 5
    """ESC-50: fold that is tested on; the data set's figures are means over its five folds."""
    validation_fold: int = 4
    """ESC-50: fold that is validated on; 0 for none."""
    esc10: bool = False
    """ESC-50: only the ten classes of ESC-10."""
    min_seconds: float = 0.0
    """Shorter recordings are skipped, and reported as such."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "the folder that the data set was unpacked to")
        right = not self.label_caption or self.label_caption.count("{}") == 1
        _require(right, "label_caption", self.label_caption, "empty, or a text with {} in it")
        _require(1 <= self.test_fold <= 5, "test_fold", self.test_fold, "a fold from 1 to 5")
        fold = self.validation_fold
        right = 0 <= fold <= 5 and fold != self.test_fold
        _require(right, "validation_fold", fold, f"0, or a fold from 1 to 5 but {self.test_fold}")
        for option in fields(self):
            if option.name in ("test_fold", "validation_fold", "esc10") and self.layout != "esc50":
                value = getattr(self, option.name)
                must = f"{option.default!r}, except with the layout esc50"
                _require(value == option.default, option.name, value, must)
        _require(self.min_seconds >= 0, "min_seconds", self.min_seconds, "at least 0")


@dataclass
class HuggingFaceOptions:
    """Options of a corpus read through the `datasets` library."""

    path: str = ""
    """Id of a data set on the Hugging Face Hub, or a local folder (one that `save_to_disk` wrote,
    or one of data files)."""
    config: str = ""
    """Configuration (subset) of the data set; empty for its default."""
    revision: str = ""
    """Branch, tag or commit on the Hub; empty for its main branch."""
    train: str = "train"
    """The data set's split for training; slices such as `train[:90%]` work too, unless streaming.
    Empty for none."""
    validation: str = "validation"
    """The data set's split for validation; empty for none."""
    test: str = "test"
    """The data set's split for testing; empty for none."""
    audio_column: str = "audio"
    """Column of the recordings."""
    text_column: str = ""
    """Column of the transcripts; empty for none."""
    language_column: str = ""
    """Column of the languages; empty for none."""
    language: str = ""
    """Language of the recordings for which no column tells it, such as `de`."""
    domain: str = ""
    """What is heard: `speech`, `music` or `sound`; empty where it is not known. Boards tell it."""
    speaker_column: str = ""
    """Column of the speakers; empty for none."""
    caption_column: str = ""
    """Column of the captions, each a text or a list of several; empty for none."""
    detail_columns: list[str] = field(default_factory=list)
    """Further columns to keep as details, such as `accent`: figures can be told by them."""
    streaming: bool = False
    """Read the data set as it is used, without downloading it as a whole."""
    limit: int = 0
    """Take only the first so many recordings of each split; 0 takes all."""
    min_seconds: float = 0.0
    """Shorter recordings are skipped, and reported as such."""

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "a data set's id or folder")
        _require(self.limit >= 0, "limit", self.limit, "at least 0")
        _require(self.min_seconds >= 0, "min_seconds", self.min_seconds, "at least 0")


@dataclass
class MixturePart(Slot):
    """One corpus of a mixture."""

    weight: float = 1.0
    """How often each of its training recordings counts: 0.5 keeps every second one, 2 lists each
    twice. Held-out recordings count once."""
    share: float | None = None
    """Share of the crops that encoders and codecs are trained on, in relation to the other parts'
    shares, however long the part is. All parts state one, or none: every moment counts alike."""

    def __post_init__(self) -> None:
        _require(self.weight > 0, "weight", self.weight, "above 0")
        _require(self.share is None or self.share > 0, "share", self.share, "above 0")


@dataclass
class MixtureOptions:
    """Options of a corpus made of others."""

    parts: list[MixturePart] = slots("corpus")
    """The corpora, each with `name`, `options` and `weight`."""

    def __post_init__(self) -> None:
        _require(bool(self.parts), "parts", self.parts, "a list of at least one corpus")
        shares = [part.share for part in self.parts]
        _require(
            None not in shares or not any(shares),
            "parts",
            f"shares {shares}",
            "a share in all of them or in none",
        )
