"""Public sound data sets in their own layouts: captions, labels, splits, and missing files."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from workbench import SPLITS, Audio, AudioError, Corpus, Example, RecipeError, write_audio

RATE = 8000


def sound(path: Path, number: int, seconds: float = 0.5) -> None:
    """A recording whose samples are all ``number`` hundredths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, Audio(torch.full((1, int(seconds * RATE)), number / 100), RATE))


def table(path: Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(header.split(","))
        writer.writerows(rows)


def number(corpus: Corpus, example: Example) -> int:
    """The number that the example's recording was made with."""
    return round(100 * float(corpus.audio(example).samples.mean()))


def ids(corpus: Corpus) -> dict[str, list[str]]:
    return {split: [e.id for e in corpus.examples(split)] for split in SPLITS}


@pytest.fixture
def audiocaps(tmp_path) -> Path:
    header = "audiocap_id,youtube_id,start_time,caption"
    names = {
        "AAAAAAAAAAA": ("YAAAAAAAAAAA.wav", 1),
        "-BBBB_BBBBB": ("train/-BBBB_BBBBB_30.wav", 2),
        "CCCCCCCCCCC": ("deep/er/CCCCCCCCCCC_20000_30000.flac", 3),
        "DDDDDDDDDDD": ("test/DDDDDDDDDDD_0_10.wav", 4),
        "EEEEEEEEEEE": ("105.wav", 5),
    }
    table(
        tmp_path / "dataset" / "train.csv",
        header,
        [
            (101, "AAAAAAAAAAA", 10, "Rain falls, and a dog barks"),
            (102, "-BBBB_BBBBB", 30, 'A man says "hello"'),
            (109, "gone_gone__", 5, "A clip that was taken down"),
        ],
    )
    table(tmp_path / "dataset" / "val.csv", header, [(103, "CCCCCCCCCCC", 20, "Waves")])
    table(
        tmp_path / "dataset" / "test.csv",
        header,
        [(104, "DDDDDDDDDDD", 0, f"caption {k}") for k in range(5)]
        + [(105, "EEEEEEEEEEE", 7, "A bell")],
    )
    for path, value in names.values():
        sound(tmp_path / path, value)
    return tmp_path


def test_audiocaps_finds_clips_by_the_names_in_use(build, audiocaps):
    corpus = build("sound-folder", layout="audiocaps", path=str(audiocaps))
    assert ids(corpus) == {
        "train": ["AAAAAAAAAAA_10", "-BBBB_BBBBB_30", "gone_gone___5"],
        "validation": ["CCCCCCCCCCC_20"],
        "test": ["DDDDDDDDDDD_0", "EEEEEEEEEEE_7"],
    }
    heard = {
        e.id[0]: number(corpus, e) for s in SPLITS for e in corpus.examples(s) if "g" not in e.id
    }
    assert heard == {"A": 1, "-": 2, "C": 3, "D": 4, "E": 5}


def test_audiocaps_keeps_all_captions_of_a_clip(build, audiocaps):
    corpus = build("sound-folder", layout="audiocaps", path=str(audiocaps))
    first, _ = corpus.examples("test")
    assert first.caption == "caption 0"
    assert first.details["captions"] == [f"caption {k}" for k in range(5)]
    quoted = list(corpus.examples("train"))[1]
    assert quoted.caption == 'A man says "hello"'
    assert quoted.details["youtube_id"] == "-BBBB_BBBBB"


def test_a_clip_that_is_missing_is_named_with_where_it_was_sought(build, audiocaps):
    corpus = build("sound-folder", layout="audiocaps", path=str(audiocaps))
    gone = list(corpus.examples("train"))[2]
    with pytest.raises(
        AudioError, match=r"gone_gone___5: there is no gone_gone___5\.\* or .*109\.\*"
    ):
        corpus.audio(gone)


def test_a_data_set_may_lack_some_of_its_tables(build, audiocaps):
    (audiocaps / "dataset" / "train.csv").unlink()
    corpus = build("sound-folder", layout="audiocaps", path=str(audiocaps))
    assert ids(corpus)["train"] == []
    assert len(ids(corpus)["test"]) == 2


def test_tables_at_the_top_go_before_those_in_dataset(build, audiocaps):
    (audiocaps / "dataset" / "val.csv").rename(audiocaps / "val.csv")
    corpus = build("sound-folder", layout="audiocaps", path=str(audiocaps))
    assert ids(corpus) == {"train": [], "validation": ["CCCCCCCCCCC_20"], "test": []}


@pytest.fixture
def clotho(tmp_path) -> Path:
    header = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5"
    for part, value in (("development", 1), ("validation", 2), ("evaluation", 3)):
        # The same name in each part: they are different recordings.
        table(
            tmp_path / "clotho_csv_files" / f"clotho_captions_{part}.csv",
            header,
            [("In the City.wav", *(f"{part} {k}" for k in range(1, 6)))],
        )
        sound(tmp_path / "clotho_audio_files" / part / "In the City.wav", value)
    return tmp_path


def test_clotho_tells_its_parts_apart(build, clotho):
    corpus = build("sound-folder", layout="clotho", path=str(clotho))
    assert ids(corpus) == {
        "train": ["development/In the City.wav"],
        "validation": ["validation/In the City.wav"],
        "test": ["evaluation/In the City.wav"],
    }
    assert [number(corpus, e) for s in SPLITS for e in corpus.examples(s)] == [1, 2, 3]
    (example,) = corpus.examples("test")
    assert example.caption == "evaluation 1"
    assert example.details["captions"] == [f"evaluation {k}" for k in range(1, 6)]


def test_clotho_tables_may_lie_in_the_folder_itself(build, clotho):
    for path in (clotho / "clotho_csv_files").iterdir():
        path.rename(clotho / path.name)
    corpus = build("sound-folder", layout="clotho", path=str(clotho))
    assert [number(corpus, e) for s in SPLITS for e in corpus.examples(s)] == [1, 2, 3]


def test_a_table_without_its_columns_is_refused(build, clotho):
    path = clotho / "clotho_csv_files" / "clotho_captions_validation.csv"
    table(path, "file_name,caption_1", [("In the City.wav", "one")])
    with pytest.raises(
        RecipeError, match=r"has no column 'caption_2'; it has file_name, caption_1"
    ):
        build("sound-folder", layout="clotho", path=str(clotho))


@pytest.fixture
def esc50(tmp_path) -> Path:
    rows = [
        (f"{fold}-{target}.wav", fold, target, name, name == "dog", 1000 + fold, "A")
        for fold in range(1, 6)
        for target, name in enumerate(("dog", "crying_baby"))
    ]
    table(
        tmp_path / "meta" / "esc50.csv", "filename,fold,target,category,esc10,src_file,take", rows
    )
    for name, fold, target, *_ in rows:
        sound(tmp_path / "audio" / name, 10 * fold + target)
    return tmp_path


def test_esc50_splits_by_its_folds(build, esc50):
    corpus = build("sound-folder", layout="esc50", path=str(esc50))
    assert {s: {e.details["fold"] for e in corpus.examples(s)} for s in SPLITS} == {
        "train": {1, 2, 3},
        "validation": {4},
        "test": {5},
    }
    assert [number(corpus, e) for e in corpus.examples("test")] == [50, 51]
    other = build("sound-folder", layout="esc50", path=str(esc50), test_fold=1, validation_fold=0)
    assert {e.details["fold"] for e in other.examples("train")} == {2, 3, 4, 5}
    assert {e.details["fold"] for e in other.examples("test")} == {1}
    assert ids(other)["validation"] == []


def test_labels_become_captions(build, esc50):
    corpus = build("sound-folder", layout="esc50", path=str(esc50))
    dog, baby = corpus.examples("test")
    assert (dog.caption, baby.caption) == ("the sound of dog", "the sound of crying baby")
    assert baby.details["labels"] == ["crying_baby"]
    own = build("sound-folder", layout="esc50", path=str(esc50), label_caption="{} can be heard")
    assert next(iter(own.examples("test"))).caption == "dog can be heard"
    none = next(
        iter(
            build("sound-folder", layout="esc50", path=str(esc50), label_caption="").examples(
                "test"
            )
        )
    )
    assert none.caption is None
    assert "captions" not in none.details


def test_esc10_is_a_part_of_esc50(build, esc50):
    corpus = build("sound-folder", layout="esc50", path=str(esc50), esc10=True)
    labels = {e.details["labels"][0] for s in SPLITS for e in corpus.examples(s)}
    assert labels == {"dog"}


def test_a_fold_that_is_no_number_is_named(build, esc50):
    table(
        esc50 / "meta" / "esc50.csv", "filename,fold,category,esc10", [("a.wav", "one", "dog", 1)]
    )
    with pytest.raises(RecipeError, match=r"fold = 'one', in the row of a\.wav: must be a whole"):
        build("sound-folder", layout="esc50", path=str(esc50))


def test_tables_without_rows_hold_nothing(build, esc50):
    table(esc50 / "meta" / "esc50.csv", "filename,fold,category,esc10", [])
    with pytest.raises(RecipeError, match=r"none of the 0 recordings"):
        build("sound-folder", layout="esc50", path=str(esc50))


@pytest.fixture
def fsd50k(tmp_path) -> Path:
    truth = tmp_path / "FSD50K.ground_truth"
    table(
        truth / "dev.csv",
        "fname,labels,mids,split",
        [
            ("64760", "Electric_guitar,Guitar,Music", "/m/02sgy,/m/0342h,/m/04rlf", "train"),
            ("10000", "Bark,Dog", "/m/05tny_,/m/0bt9lr", "val"),
        ],
    )
    table(truth / "eval.csv", "fname,labels,mids", [("37199", "Rain", "/m/06mb1")])
    sound(tmp_path / "FSD50K.dev_audio" / "64760.wav", 1)
    sound(tmp_path / "FSD50K.dev_audio" / "10000.wav", 2)
    sound(tmp_path / "FSD50K.eval_audio" / "37199.wav", 3, seconds=0.1)
    return tmp_path


def test_fsd50k_keeps_its_own_split_and_all_labels(build, fsd50k):
    corpus = build("sound-folder", layout="fsd50k", path=str(fsd50k))
    assert ids(corpus) == {"train": ["64760"], "validation": ["10000"], "test": ["37199"]}
    assert [number(corpus, e) for s in SPLITS for e in corpus.examples(s)] == [1, 2, 3]
    (guitar,) = corpus.examples("train")
    assert guitar.details["labels"] == ["Electric_guitar", "Guitar", "Music"]
    assert guitar.caption == "the sound of electric guitar"


def test_short_recordings_are_refused(build, fsd50k):
    corpus = build("sound-folder", layout="fsd50k", path=str(fsd50k), min_seconds=0.3)
    (short,) = corpus.examples("test")
    with pytest.raises(AudioError, match=r"37199\.wav: lasts 0\.10 s, less than min_seconds"):
        corpus.audio(short)


LAYOUTS = ["audiocaps", "clotho", "esc50", "fsd50k"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_fingerprints_follow_tables_files_and_options(build, request, name):
    root = request.getfixturevalue(name)
    before = build("sound-folder", layout=name, path=str(root)).fingerprint()
    assert build("sound-folder", layout=name, path=str(root)).fingerprint() == before
    assert (
        build("sound-folder", layout=name, path=str(root), min_seconds=0.1).fingerprint() != before
    )
    (changed,) = sorted(root.rglob("*.csv"))[:1]
    changed.write_text(changed.read_text() + "1" + changed.read_text().splitlines()[1])
    after = build("sound-folder", layout=name, path=str(root)).fingerprint()
    assert after != before
    sound(next(iter(sorted(root.rglob("*.wav")))), 9, seconds=0.7)
    assert build("sound-folder", layout=name, path=str(root)).fingerprint() != after


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_not_there_is_said(build, request, name, tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere': there is no such folder"):
        build("sound-folder", layout=name, path=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=r"there is no .*\.csv"):
        build("sound-folder", layout=name, path=str(tmp_path / "empty"))
    root = request.getfixturevalue(name)
    for path in [*root.rglob("*.wav"), *root.rglob("*.flac")]:
        path.unlink()
    with pytest.raises(RecipeError, match=r"none of the \d+ recordings .* first would be "):
        build("sound-folder", layout=name, path=str(root))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "path = ''"),
        ({"path": "x", "layout": "esc51"}, "layout = 'esc51'.*esc50"),
        ({"path": "x", "min_seconds": -1}, "min_seconds = -1"),
        ({"path": "x", "layout": "esc50", "test_fold": 6}, "test_fold = 6"),
        ({"path": "x", "layout": "esc50", "validation_fold": 5}, "validation_fold = 5"),
        ({"path": "x", "test_fold": 3}, "test_fold = 3: must be 5, except with the layout esc50"),
        ({"path": "x", "layout": "clotho", "esc10": True}, "esc10 = True: must be False, except"),
        ({"path": "x", "label_caption": "a sound"}, "label_caption = 'a sound'"),
    ],
)
def test_wrong_options_are_refused_by_name(build, options, message):
    with pytest.raises(RecipeError, match=message):
        build("sound-folder", **options)
