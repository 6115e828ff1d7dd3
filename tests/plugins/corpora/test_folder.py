"""Folders of audio: every format and rate, stable splits, unusable files told by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench import SPLITS, AudioError, RecipeError

FILES = {
    "a/mono.wav": (16000, 1),
    "a/stereo.flac": (44100, 2),
    "b/c/song.ogg": (48000, 2),
    "b/c/song.mp3": (22050, 1),
    "b/low.aiff": (8000, 1),
    "b/quad.WAV": (32000, 4),
}
SECONDS = 0.5


def tone(rate: int, channels: int, seconds: float = SECONDS) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 440 * (c + 1) * time) for c in range(channels)], 1)


def write(path: Path, rate: int = 16000, channels: int = 1, seconds: float = SECONDS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(rate, channels, seconds), rate)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    root = tmp_path / "my music"
    for name, (rate, channels) in FILES.items():
        write(root / name, rate, channels)
    (root / "notes.txt").write_text("not audio")
    write(root / "._hidden.wav")
    return root


def ids(corpus, *splits):
    return [example.id for split in splits or SPLITS for example in corpus.examples(split)]


def test_files_of_any_format_rate_and_channel_count_are_read(build, music):
    corpus = build("folder", path=str(music))
    examples = [example for split in SPLITS for example in corpus.examples(split)]
    assert sorted(example.id for example in examples) == sorted(FILES)
    for example in examples:
        audio = corpus.audio(example)
        assert (audio.sample_rate, audio.channels) == FILES[example.id]
        # MP3 pads to whole frames of 1,152 samples.
        assert audio.seconds == pytest.approx(SECONDS, abs=0.11)


def test_unusable_files_are_told_by_name_and_reason(build, music):
    (music / "broken.wav").write_bytes(b"RIFF not really a wave file")
    (music / "cut.flac").write_bytes((music / "a/stereo.flac").read_bytes()[:40])
    soundfile.write(music / "empty.wav", np.zeros(0), 16000)
    (music / "zero bytes.mp3").write_bytes(b"")
    samples = tone(16000, 1)
    samples[100] = np.nan
    soundfile.write(music / "nan.wav", samples, 16000, subtype="FLOAT")
    write(music / "short.wav", seconds=0.1)
    corpus = build("folder", path=str(music), min_seconds=0.2)
    reasons = {}
    for split in SPLITS:
        for example in corpus.examples(split):
            try:
                corpus.audio(example)
            except AudioError as error:
                reasons[example.id] = str(error)
    assert set(reasons) == {
        "broken.wav",
        "cut.flac",
        "empty.wav",
        "zero bytes.mp3",
        "nan.wav",
        "short.wav",
    }
    assert all(str(music / name) in reason for name, reason in reasons.items())
    assert "not finite" in reasons["nan.wav"]
    assert "no samples" in reasons["empty.wav"]
    assert "0.10 s" in reasons["short.wav"]
    assert "min_seconds" in reasons["short.wav"]


def test_splits_have_their_shares_and_do_not_depend_on_where_the_folder_lies(build, tmp_path):
    for place in ("one", "two"):
        for number in range(40):
            write(tmp_path / place / f"{number}.wav", seconds=0.01)
    one = build("folder", path=str(tmp_path / "one"), validation=0.1, test=0.2)
    two = build("folder", path=str(tmp_path / "two"), validation=0.1, test=0.2)
    for split, size in {"train": 28, "validation": 4, "test": 8}.items():
        assert len(ids(one, split)) == size
        assert ids(one, split) == ids(two, split)
    assert len(set(ids(one))) == 40


def test_few_files_leave_something_in_every_split(build, tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.wav", seconds=0.01)
    corpus = build("folder", path=str(tmp_path))
    assert [len(ids(corpus, split)) for split in SPLITS] == [1, 1, 1]


def test_more_files_move_few_of_the_others(build, tmp_path):
    for number in range(100):
        write(tmp_path / f"{number}.wav", seconds=0.01)
    before = set(ids(build("folder", path=str(tmp_path)), "test"))
    for number in range(100, 105):
        write(tmp_path / f"{number}.wav", seconds=0.01)
    after = set(ids(build("folder", path=str(tmp_path)), "test"))
    assert len(before & after) >= 9


def test_named_subfolders_are_the_splits(build, tmp_path):
    for name in ("train/1.wav", "train/2.wav", "Valid/1.wav", "test/x/1.wav", "other.wav"):
        write(tmp_path / name, seconds=0.01)
    corpus = build("folder", path=str(tmp_path))
    assert ids(corpus, "train") == ["other.wav", "train/1.wav", "train/2.wav"]
    assert ids(corpus, "validation") == ["Valid/1.wav"]
    assert ids(corpus, "test") == ["test/x/1.wav"]


def test_a_split_without_a_subfolder_takes_its_share_of_training(build, tmp_path):
    for name in ("train/1.wav", "train/2.wav", "train/3.wav", "test/1.wav"):
        write(tmp_path / name, seconds=0.01)
    corpus = build("folder", path=str(tmp_path), validation=0.3)
    assert ids(corpus, "test") == ["test/1.wav"]
    assert len(ids(corpus, "validation")) == 1
    assert len(ids(corpus, "train")) == 2


def test_subfolder_names_mean_nothing_when_turned_off(build, tmp_path):
    for name in ("train/1.wav", "test/1.wav", "test/2.wav", "test/3.wav"):
        write(tmp_path / name, seconds=0.01)
    corpus = build("folder", path=str(tmp_path), split_folders=False, validation=0, test=0)
    assert len(ids(corpus, "train")) == 4


def test_fingerprint_follows_the_files_and_the_options(build, music):
    def fingerprint(**options):
        return build("folder", path=str(music), **options).fingerprint()

    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    os.utime(music / "a/mono.wav", ns=(1, 1))
    seen.append(fingerprint())
    write(music / "new.wav")
    seen.append(fingerprint())
    (music / "new.wav").rename(music / "renamed.wav")
    seen.append(fingerprint())
    for options in (
        {"validation": 0.2},
        {"test": 0.2},
        {"split_folders": False},
        {"min_seconds": 0.1},
    ):
        seen.append(fingerprint(**options))
    assert len(set(seen)) == len(seen)


def test_links_are_followed_once(build, music, tmp_path):
    outside = tmp_path / "outside"
    write(outside / "linked.wav")
    (music / "link").symlink_to(outside)
    (music / "loop").symlink_to(music)
    found = ids(build("folder", path=str(music)))
    assert sorted(found) == sorted([*FILES, "link/linked.wav"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "no/such/folder"}, "path = 'no/such/folder': there is no such folder"),
        ({}, "path = '': must be the folder"),
        ({"path": ".", "test": 1.5}, "test = 1.5: must be a share"),
        ({"path": ".", "test": 0.6, "validation": 0.6}, "less than 1"),
        ({"path": ".", "min_seconds": -1.0}, "min_seconds = -1.0: must be at least 0"),
    ],
)
def test_wrong_options_are_told_plainly(build, options, message):
    with pytest.raises(RecipeError, match=message) as caught:
        build("folder", **options)
    assert caught.value.exit_status == 2


def test_a_folder_without_audio_is_an_error(build, tmp_path):
    (tmp_path / "notes.txt").write_text("no music here")
    with pytest.raises(RecipeError, match="holds no audio files"):
        build("folder", path=str(tmp_path))
