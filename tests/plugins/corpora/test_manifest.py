"""Manifests: what lines say of recordings, and every wrong line told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench import SPLITS, AudioError, RecipeError

RATE = 16000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with recordings of 2 s whose samples count up."""
    ramp = np.arange(2 * RATE, dtype=np.float64) / 32768
    for number in range(10):
        path = tmp_path / "clips" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.clip(ramp, 0, 0.99), RATE)
    return tmp_path


def manifest(root: Path, *lines: dict[str, object], name: str = "list.jsonl") -> str:
    path = root / name
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return str(path)


def examples(corpus):
    return {example.id: example for split in SPLITS for example in corpus.examples(split)}


def test_lines_become_examples(build, root):
    line = {
        "path": "clips/0.wav",
        "text": "hola",
        "language": "es",
        "speaker": 7,
        "caption": "a voice",
        "split": "dev",
        "mood": "calm",
    }
    corpus = build("manifest", path=manifest(root, line, {"path": "clips/1.wav"}))
    (example,) = corpus.examples("validation")
    assert example.id == "clips/0.wav"
    assert (example.text, example.language, example.speaker) == ("hola", "es", "7")
    assert example.caption == "a voice"
    assert example.details == {"mood": "calm"}
    assert corpus.audio(example).samples.shape == (1, 2 * RATE)


def test_start_and_end_cut_the_recording(build, root):
    corpus = build(
        "manifest",
        path=manifest(
            root,
            {"path": "clips/0.wav", "start": 0.25, "end": 0.75},
            {"path": "clips/0.wav", "start": 1.5},
            {"path": "clips/0.wav", "end": 0.5, "id": "beginning"},
            {"path": "clips/0.wav", "start": 5, "end": 6, "id": "beyond"},
        ),
    )
    found = examples(corpus)
    assert set(found) == {
        "clips/0.wav@0.25-0.75",
        "clips/0.wav@1.5-inf",
        "beginning",
        "beyond",
    }
    middle = corpus.audio(found["clips/0.wav@0.25-0.75"]).samples
    assert middle.shape == (1, RATE // 2)
    assert float(middle[0, 0]) * 32768 == RATE // 4
    assert corpus.audio(found["clips/0.wav@1.5-inf"]).samples.shape == (1, RATE // 2)
    assert corpus.audio(found["beginning"]).samples.shape == (1, RATE // 2)
    with pytest.raises(AudioError, match=r"0\.wav: holds no samples between 5 s and 6"):
        corpus.audio(found["beyond"])


def test_parts_of_one_recording_stay_in_one_split(build, root):
    lines = [
        {"path": f"clips/{number}.wav", "start": start, "end": start + 0.5}
        for number in range(10)
        for start in (0.0, 0.5, 1.0)
    ]
    corpus = build("manifest", path=manifest(root, *lines), validation=0.2, test=0.3)
    by_split = {
        split: {example.id.split("@")[0] for example in corpus.examples(split)} for split in SPLITS
    }
    assert {split: len(paths) for split, paths in by_split.items()} == {
        "train": 5,
        "validation": 2,
        "test": 3,
    }
    assert len(set.union(*by_split.values())) == 10


def test_lines_without_a_split_train_and_missing_splits_take_their_share(build, root):
    lines = [{"path": f"clips/{number}.wav"} for number in range(9)]
    corpus = build(
        "manifest", path=manifest(root, *lines, {"path": "clips/9.wav", "split": "test"})
    )
    assert [example.id for example in corpus.examples("test")] == ["clips/9.wav"]
    assert len(list(corpus.examples("validation"))) == 1
    assert len(list(corpus.examples("train"))) == 8


@pytest.mark.parametrize(("name", "delimiter"), [("list.csv", ","), ("list.tsv", "\t")])
def test_tables_are_read_too(build, root, name, delimiter):
    rows = [["path", "text", "start", "end"], ["clips/0.wav", "one two", "0.5", "1"]]
    rows.append(["clips/1.wav", "", "", ""])
    (root / name).write_text("\n".join(delimiter.join(row) for row in rows))
    corpus = build("manifest", path=str(root / name))
    found = examples(corpus)
    assert found["clips/0.wav@0.5-1"].text == "one two"
    assert corpus.audio(found["clips/0.wav@0.5-1"]).seconds == 0.5
    assert found["clips/1.wav"].text is None


def test_relative_paths_start_from_root_where_it_is_given(build, root, tmp_path):
    path = manifest(root, {"path": "0.wav"}, {"path": str(root / "clips" / "1.wav")})
    corpus = build("manifest", path=path, root=str(root / "clips"))
    for example in examples(corpus).values():
        assert corpus.audio(example).seconds == 2.0


def test_missing_files_and_short_ones_are_unusable_recordings(build, root):
    path = manifest(root, {"path": "no.wav"}, {"path": "clips/0.wav", "end": 0.1, "id": "short"})
    corpus = build("manifest", path=path, min_seconds=0.2)
    found = examples(corpus)
    with pytest.raises(AudioError, match=r"no\.wav: can't be read"):
        corpus.audio(found["no.wav"])
    with pytest.raises(AudioError, match=r"0\.10 s, less than min_seconds"):
        corpus.audio(found["short"])


def test_every_wrong_line_is_told(build, root):
    path = root / "list.jsonl"
    wrong = [
        '{"path": "a.wav"}',
        '{"path": "a.wav"}',
        '{"text": "no path"}',
        "not json",
        '["a.wav"]',
        '{"path": "b.wav", "start": "soon"}',
        '{"path": "c.wav", "start": 2, "end": 1}',
        '{"path": "d.wav", "split": "exam"}',
        '{"path": "e.wav", "start": -1}',
    ]
    path.write_text("\n".join(wrong))
    with pytest.raises(RecipeError) as caught:
        build("manifest", path=str(path))
    told = [problem.split(":")[0] for problem in caught.value.problems]
    assert told == [f"line {number}" for number in range(2, 10)]
    assert "ids must differ" in caught.value.problems[0]
    assert "must be one of train" in caught.value.problems[6]


def test_a_long_list_of_problems_is_cut_and_counted(build, root):
    path = manifest(root, *({"path": 1} for _ in range(30)))
    with pytest.raises(RecipeError) as caught:
        build("manifest", path=path)
    assert len(caught.value.problems) == 21
    assert "10 more" in caught.value.problems[-1]


def test_rows_with_too_many_fields_are_told(build, root):
    (root / "list.csv").write_text("path,text\nclips/0.wav,one,two\n")
    with pytest.raises(RecipeError, match="line 2: has not as many fields"):
        build("manifest", path=str(root / "list.csv"))


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_manifest_is_an_error(build, root, content):
    (root / "list.jsonl").write_text(content)
    with pytest.raises(RecipeError, match="holds no lines"):
        build("manifest", path=str(root / "list.jsonl"))


def test_a_missing_manifest_is_an_error(build):
    with pytest.raises(RecipeError, match=r"path = 'no\.csv': there is no such file"):
        build("manifest", path="no.csv")


def test_fingerprint_follows_the_manifest_the_files_and_the_options(build, root):
    path = manifest(root, {"path": "clips/0.wav"}, {"path": "clips/missing.wav"})

    def fingerprint(**options):
        return build("manifest", path=path, **options).fingerprint()

    seen = [fingerprint(), fingerprint(test=0.3), fingerprint(min_seconds=0.3)]
    seen.append(fingerprint(validation=0.3))
    assert fingerprint() == seen[0]
    soundfile.write(root / "clips" / "0.wav", np.zeros(RATE), RATE)
    seen.append(fingerprint())
    soundfile.write(root / "clips" / "missing.wav", np.zeros(RATE), RATE)
    seen.append(fingerprint())
    manifest(root, {"path": "clips/0.wav", "text": "new"}, {"path": "clips/missing.wav"})
    seen.append(fingerprint())
    assert len(set(seen)) == len(seen)
