"""Hugging Face data sets, from disk: saved ones and folders of data files, whole and streamed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench import AudioError, RecipeError, WorkbenchError

datasets = pytest.importorskip("datasets")

SIZES = {"train": 6, "validation": 2, "test": 3}
RATE = 16000


def encoded(value: float, form: str = "FLAC") -> bytes:
    """A file's bytes: a tenth of a second, two channels, all samples ``value``."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full((RATE // 10, 2), value), RATE, format=form)
    return buffer.getvalue()


def table(split: str) -> datasets.Dataset:
    count = SIZES[split]
    columns = {
        "audio": [{"bytes": encoded((i + 1) / 64), "path": f"{i}.flac"} for i in range(count)],
        "sentence": [f"{split} {i}" for i in range(count)],
        "who": [f"speaker {i % 2}" for i in range(count)],
        "lang": ["en" if i else "" for i in range(count)],
        "about": [f"sound {i}" for i in range(count)],
    }
    stored = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    strings = {name: datasets.Value("string") for name in columns}
    plain = datasets.Features(strings | {"audio": stored})
    # The library can't write audio without torchcodec, but it can take bytes for audio.
    data = datasets.Dataset.from_dict(columns, features=plain)
    return data.cast(datasets.Features(strings | {"audio": datasets.Audio()}))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("saved")
    datasets.DatasetDict({split: table(split) for split in SIZES}).save_to_disk(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("parquet")
    for split in SIZES:
        table(split).to_parquet(str(folder / f"{split}.parquet"))
    return str(folder)


@pytest.fixture(autouse=True)
def _no_network_and_own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_column_of_lists_holds_several_captions(build, tmp_path, streaming):
    captions = [["rain falls", "it rains", "rain"], ["a dog barks"], []]
    data = table("test").add_column("captions", captions)
    data.save_to_disk(str(tmp_path / "several"))
    corpus = build(
        "huggingface",
        path=str(tmp_path / "several"),
        train="train",
        validation="",
        test="",
        caption_column="captions",
        streaming=streaming,
    )
    rain, dog, nothing = corpus.examples("train")
    assert (rain.caption, rain.details) == ("rain falls", {"captions": captions[0]})
    assert (dog.caption, dog.details) == ("a dog barks", {"captions": captions[1]})
    assert (nothing.caption, nothing.details) == (None, {})


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_rows_become_examples_with_their_audio(build, request, kind, streaming):
    corpus = build(
        "huggingface",
        path=request.getfixturevalue(kind),
        streaming=streaming,
        text_column="sentence",
        speaker_column="who",
        language_column="lang",
        caption_column="about",
    )
    for split, size in SIZES.items():
        examples = list(corpus.examples(split))
        assert [e.id for e in examples] == [f"{split}-{i:07d}" for i in range(size)]
        assert [e.text for e in examples] == [f"{split} {i}" for i in range(size)]
        assert [e.language for e in examples] == [None] + ["en"] * (size - 1)
        assert [e.speaker for e in examples] == [f"speaker {i % 2}" for i in range(size)]
        assert [e.caption for e in examples] == [f"sound {i}" for i in range(size)]
        # Backwards, and one twice: the hardest order for a stream.
        for i in [*reversed(range(size)), 1]:
            audio = corpus.audio(examples[i])
            assert (audio.sample_rate, *audio.samples.shape) == (RATE, 2, RATE // 10)
            assert float(audio.samples[0, 0]) == (i + 1) / 64


@pytest.mark.parametrize("streaming", [False, True])
def test_texts_are_left_out_unless_asked_for(build, saved, streaming):
    corpus = build("huggingface", path=saved, streaming=streaming)
    examples = list(corpus.examples("train"))
    assert len(examples) == SIZES["train"]
    assert all(e.text is e.speaker is e.language is e.caption is None for e in examples)


@pytest.mark.parametrize("streaming", [False, True])
def test_speech_data_sets_with_numbers_classes_and_one_language(build, tmp_path, streaming):
    count = SIZES["test"]
    data = table("test").add_column("speaker_id", list(range(count)))
    data = data.add_column("accent", ["north", "", None])
    data = data.add_column("lang_id", [1, 0, None])
    data = data.cast_column("lang_id", datasets.ClassLabel(names=["de", "nl"]))
    data.save_to_disk(str(tmp_path / "speech"))
    corpus = build(
        "huggingface",
        path=str(tmp_path / "speech"),
        validation="",
        test="",
        text_column="sentence",
        speaker_column="speaker_id",
        language_column="lang_id",
        language="pl",
        detail_columns=["accent", "lang_id"],
        streaming=streaming,
    )
    examples = list(corpus.examples("train"))
    assert [e.speaker for e in examples] == ["0", "1", "2"]
    assert [e.language for e in examples] == ["nl", "de", "pl"]
    assert [e.details for e in examples] == [
        {"accent": "north", "lang_id": "nl"},
        {"accent": "", "lang_id": "de"},
        {"accent": None, "lang_id": None},
    ]
    one = build("huggingface", path=str(tmp_path / "speech"), validation="", test="", language="de")
    assert {e.language for e in one.examples("train")} == {"de"}


@pytest.mark.parametrize("streaming", [False, True])
def test_limit_takes_the_first_of_each_split(build, parquet, streaming):
    corpus = build("huggingface", path=parquet, streaming=streaming, limit=2)
    assert [len(list(corpus.examples(split))) for split in SIZES] == [2, 2, 2]


def test_splits_can_be_mapped_sliced_and_left_out(build, parquet):
    corpus = build(
        "huggingface",
        path=parquet,
        train="train[:4]",
        validation="train[4:]",
        test="",
        text_column="sentence",
    )
    assert [e.text for e in corpus.examples("validation")] == ["train 4", "train 5"]
    assert len(list(corpus.examples("train"))) == 4
    assert not list(corpus.examples("test"))


def test_another_audio_column(build, tmp_path):
    table("test").rename_column("audio", "sound").save_to_disk(str(tmp_path / "data"))
    corpus = build(
        "huggingface",
        path=str(tmp_path / "data"),
        audio_column="sound",
        validation="",
        test="",
    )
    examples = list(corpus.examples("train"))
    assert float(corpus.audio(examples[2]).samples[0, 0]) == 3 / 64


def test_unusable_rows_are_told_by_name(build, tmp_path):
    short = encoded(0.5)
    path = tmp_path / "outside.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    cells = [
        {"bytes": b"not audio", "path": "x.wav"},
        {"bytes": None, "path": None},
        {"bytes": short, "path": None},
        {"bytes": None, "path": str(path)},
    ]
    stored = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"audio": stored})
    data = datasets.Dataset.from_dict({"audio": cells}, features=features)
    data.save_to_disk(str(tmp_path / "data"))
    corpus = build(
        "huggingface", path=str(tmp_path / "data"), validation="", test="", min_seconds=0.5
    )
    broken, nothing, brief, fine = corpus.examples("train")
    with pytest.raises(AudioError, match=r"x\.wav: can't be read as audio"):
        corpus.audio(broken)
    with pytest.raises(AudioError, match=r"train-0000001: .* neither"):
        corpus.audio(nothing)
    with pytest.raises(AudioError, match=r"train-0000002: lasts 0\.10 s"):
        corpus.audio(brief)
    assert corpus.audio(fine).seconds == 1.0


@pytest.mark.parametrize("streaming", [False, True])
def test_fingerprint_follows_data_and_options(build, tmp_path, streaming):
    prints = set()
    for split in SIZES:  # three data sets of other content
        folder = tmp_path / split
        table(split).save_to_disk(str(folder))
        options = {"path": str(folder), "validation": "", "test": "", "streaming": streaming}
        first = build("huggingface", **options).fingerprint()
        assert build("huggingface", **options).fingerprint() == first
        prints |= {first, build("huggingface", **options, limit=1).fingerprint()}
    assert len(prints) == 2 * len(SIZES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "trian"}, "split 'trian': there is no such split; there are: train"),
        ({"audio_column": "sound"}, "audio_column = 'sound': the data set has no such column"),
        ({"text_column": "txt"}, "text_column = 'txt': .*it has about, audio, lang"),
        ({"detail_columns": ["lang", "age"]}, "detail_columns.1 = 'age': the data set has no"),
        ({"path": ""}, "path = '': must be a data set's id or folder"),
        ({"limit": -1}, "limit = -1: must be at least 0"),
    ],
)
def test_wrong_options_are_told_plainly(build, saved, options, message):
    with pytest.raises(RecipeError, match=message):
        build("huggingface", **{"path": saved, **options})


def test_an_unknown_data_set_is_told_plainly(build):
    with pytest.raises(RecipeError, match="path = 'nobody/nothing'"):
        build("huggingface", path="nobody/nothing")


def test_without_the_library_the_extra_is_named(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.delitem(sys.modules, "workbench_corpora.huggingface", raising=False)
    with pytest.raises(WorkbenchError) as caught:
        build("huggingface", path="x")
    assert 'pip install "audio-workbench[huggingface]"' in str(caught.value)
