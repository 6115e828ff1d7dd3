"""Public speech corpora, read from small trees of the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from workbench import Audio, AudioError, RecipeError, write_audio

RATE = 8000


def tone(path: Path, seconds: float = 0.1) -> None:
    time = torch.arange(int(RATE * seconds)) / RATE
    wave = 0.3 * torch.sin(len(path.stem) * 100 * time)
    if path.suffix == ".opus":
        path.parent.mkdir(parents=True)
        soundfile.write(path, wave.numpy(), RATE, format="OGG", subtype="OPUS")
    else:
        write_audio(path, Audio(wave[None], RATE))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def by_id(corpus, split: str) -> dict:
    return {example.id: example for example in corpus.examples(split)}


@pytest.fixture
def libritts(tmp_path: Path) -> Path:
    subsets = ("train-clean-100", "train-other-500", "dev-clean", "test-clean", "test-other")
    for subset, speaker in zip(subsets, ("19", "20", "84", "61", "62"), strict=True):
        for number in (0, 1):
            name = f"{speaker}_198_000000_00000{number}"
            folder = tmp_path / subset / speaker / "198"
            tone(folder / f"{name}.wav")
            write(folder / f"{name}.normalized.txt", f"Chapter two,\nline {number}.")
            write(folder / f"{name}.original.txt", f"Chap. II, line {number}.")
        write(tmp_path / subset / speaker / "198" / f"{speaker}_198.trans.tsv", "a list\tof them")
    write(tmp_path / "speakers.tsv", "READER\tGENDER")
    return tmp_path


def test_libritts(build, libritts):
    corpus = build("speech-folder", path=str(libritts))
    train = by_id(corpus, "train")
    assert len(train) == 4
    example = train["train-clean-100/19/198/19_198_000000_000001.wav"]
    assert (example.text, example.language, example.speaker) == (
        "Chapter two, line 1.", "en", "19"
    )  # fmt: skip
    assert example.details == {"subset": "train-clean-100"}
    assert {e.speaker for e in corpus.examples("validation")} == {"84"}
    assert {e.speaker for e in corpus.examples("test")} == {"61", "62"}
    audio = corpus.audio(example)
    assert (audio.sample_rate, audio.channels, audio.seconds) == (RATE, 1, 0.1)
    printed = build("speech-folder", path=str(libritts), original_text=True)
    assert by_id(printed, "train")[example.id].text == "Chap. II, line 1."


def test_subsets_can_be_chosen(build, libritts):
    corpus = build(
        "speech-folder", path=str(libritts), subsets=["train-clean-100", "test-clean"], validation=0
    )
    assert {e.details["subset"] for e in corpus.examples("train")} == {"train-clean-100"}
    assert {e.details["subset"] for e in corpus.examples("test")} == {"test-clean"}
    assert not list(corpus.examples("validation"))


def test_librispeech(build, tmp_path):
    folder = tmp_path / "train-clean-100" / "103" / "1240"
    for number in (0, 1):
        tone(folder / f"103-1240-000{number}.flac")
    write(folder / "103-1240.trans.txt", "103-1240-0000 CHAPTER ONE\n103-1240-0001 IT'S HE\n")
    write(tmp_path / "SPEAKERS.TXT", "; a list")
    corpus = build("speech-folder", path=str(tmp_path), layout="librispeech", validation=0, test=0)
    examples = by_id(corpus, "train")
    assert {name: e.text for name, e in examples.items()} == {
        "train-clean-100/103/1240/103-1240-0000.flac": "chapter one",
        "train-clean-100/103/1240/103-1240-0001.flac": "it's he",
    }
    assert {(e.speaker, e.language) for e in examples.values()} == {("103", "en")}
    assert all(corpus.audio(example).seconds == 0.1 for example in examples.values())


@pytest.fixture
def mls(tmp_path: Path) -> Path:
    for language, suffix in (("german", ".flac"), ("spanish_opus", ".opus")):
        for subset, speaker in (("train", "4"), ("train", "5"), ("dev", "6"), ("test", "7")):
            name = f"{speaker}_98_000000"
            folder = tmp_path / f"mls_{language}" / subset
            tone(folder / "audio" / speaker / "98" / f"{name}{suffix}")
            listing = folder / "transcripts.txt"
            known = listing.read_text() if listing.exists() else ""
            write(listing, f"{known}{name}\tein satz von {speaker}\n")
    (tmp_path / "mls_unheard").mkdir()
    return tmp_path


def test_mls(build, mls):
    corpus = build("speech-folder", path=str(mls), layout="mls")
    examples = by_id(corpus, "train")
    assert len(examples) == 4
    example = examples["mls_german/train/audio/4/98/4_98_000000.flac"]
    assert (example.text, example.language, example.speaker) == ("ein satz von 4", "de", "4")
    assert {e.language for e in corpus.examples("test")} == {"de", "es"}
    assert {e.speaker for e in corpus.examples("validation")} == {"6"}
    assert all(corpus.audio(e).seconds == pytest.approx(0.1, abs=0.03) for e in examples.values())
    spanish = build("speech-folder", path=str(mls), layout="mls", languages=["es"])
    assert {e.language for e in spanish.examples("train")} == {"es"}
    alone = build("speech-folder", path=str(mls / "mls_german"), layout="mls", subsets=["test"])
    assert list(by_id(alone, "test")) == ["test/audio/7/98/7_98_000000.flac"]


@pytest.fixture
def aishell3(tmp_path: Path) -> Path:
    write(
        tmp_path / "spk-info.txt",
        "# speaker\n# ID age gender accent\n\nSSB0005\tB\tfemale\tnorth\nSSB0009\tB\tmale\tsouth\n",
    )
    for subset in ("train", "test"):
        lines = []
        for speaker in ("SSB0005", "SSB0009"):
            tone(tmp_path / subset / "wav" / speaker / f"{speaker}000{len(subset)}.wav")
            lines.append(f"{speaker}000{len(subset)}.wav\t广 guang3 州 zhou1 女 nv3\n")
        write(tmp_path / subset / "content.txt", "".join(lines))
    return tmp_path


def test_aishell3(build, aishell3):
    corpus = build("speech-folder", path=str(aishell3), layout="aishell3", validation=0.5)
    example = by_id(corpus, "test")["test/wav/SSB0009/SSB00090004.wav"]
    assert (example.text, example.language, example.speaker) == ("广州女", "cmn", "SSB0009")
    assert example.details == {
        "subset": "test", "gender": "male", "accent": "south", "pinyin": "guang3 zhou1 nv3",
    }  # fmt: skip
    # It has no subset for validation: half of the two training speakers are held out for it.
    held_out = {e.speaker for e in corpus.examples("validation")}
    assert len(held_out) == 1
    assert {e.speaker for e in corpus.examples("train")} == {"SSB0005", "SSB0009"} - held_out
    assert corpus.audio(example).seconds == 0.1


@pytest.fixture
def common_voice(tmp_path: Path) -> Path:
    columns = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale"
    for locale, sentence in (("es", 'Dijo "hola" y se fue.'), ("zh-CN", "你好。"), ("eu", "Kaixo")):
        for number, subset in enumerate(("train", "dev", "test", "other")):
            name = f"common_voice_{locale}_{number}.mp3"
            tone(tmp_path / locale / "clips" / name, 0.2)
            row = f"speaker-{number}\t{name}\t{sentence}\t2\t0\ttwenties\t\tMéxico\t{locale}"
            write(tmp_path / locale / f"{subset}.tsv", f"{columns}\n{row}\n")
    return tmp_path


def test_common_voice(build, common_voice):
    corpus = build("speech-folder", path=str(common_voice), layout="common-voice")
    train = by_id(corpus, "train")
    example = train["es/clips/common_voice_es_0.mp3"]
    assert example.text == 'Dijo "hola" y se fue.'
    assert (example.language, example.speaker) == ("es", "speaker-0")
    assert example.details == {"subset": "train", "age": "twenties", "accent": "México"}
    assert {e.language for e in train.values()} == {"es", "cmn", "eu"}
    assert {e.speaker for e in corpus.examples("validation")} == {"speaker-1"}
    assert corpus.audio(example).seconds == pytest.approx(0.2, abs=0.1)
    options = {"path": str(common_voice), "layout": "common-voice", "validation": 0, "test": 0}
    mandarin = build("speech-folder", **options, languages=["cmn"], subsets=["other"])
    assert list(by_id(mandarin, "train")) == ["zh-CN/clips/common_voice_zh-CN_3.mp3"]
    alone = build("speech-folder", **{**options, "path": str(common_voice / "es")})
    assert list(by_id(alone, "train")) == ["clips/common_voice_es_0.mp3"]


def test_what_is_not_complete_is_skipped_and_named(
    build, libritts, mls, aishell3, common_voice, tmp_path
):
    """A recording without a transcript, and a transcript without a recording, in each layout."""
    name = "19_198_000000_000000"
    chapter = libritts / "train-clean-100" / "19" / "198"
    (chapter / f"{name}.normalized.txt").unlink()
    (chapter / "19_198_000000_000001.wav").unlink()
    write(chapter / "19_198_000000_000002.normalized.txt", " \n")
    tone(chapter / "19_198_000000_000002.wav")
    (mls / "mls_german" / "test" / "transcripts.txt").write_text("9_9_000000\tverloren\n")
    (aishell3 / "train" / "content.txt").write_text("SSB00110001.wav\t广 guang3\n")
    table = common_voice / "es" / "train.tsv"
    table.write_text(table.read_text().replace("Dijo", " ").replace(' "hola" y se fue.', " "))
    found = {}
    for layout in ("libritts", "mls", "aishell3", "common-voice"):
        corpus = build("speech-folder", path=str(tmp_path), layout=layout, subsets=[
            "train-clean-100", "test", "train",
        ])  # fmt: skip
        for split in ("train", "validation", "test"):
            for example in corpus.examples(split):
                try:
                    corpus.audio(example)
                except AudioError as error:
                    found[example.id] = str(error)
    reasons = {
        f"train-clean-100/19/198/{name}.wav": "has no transcript",
        "train-clean-100/19/198/19_198_000000_000001.wav": "there is no such file",
        "train-clean-100/19/198/19_198_000000_000002.wav": "has no transcript",
        "mls_german/test/audio/7/98/7_98_000000.flac": "has no transcript",
        "mls_german/test/audio/9/9/9_9_000000.flac": "there is no such file",
        "train/wav/SSB0005/SSB00050005.wav": "has no transcript",
        "train/wav/SSB0011/SSB00110001.wav": "there is no such file",
        "es/clips/common_voice_es_0.mp3": "has no transcript",
    }
    assert reasons.keys() <= found.keys()
    for name, reason in reasons.items():
        assert reason in found[name]
        assert name in found[name]


def test_short_recordings_are_skipped(build, libritts):
    corpus = build("speech-folder", path=str(libritts), min_seconds=0.5)
    with pytest.raises(AudioError, match="less than min_seconds"):
        corpus.audio(next(iter(corpus.examples("train"))))


def test_fingerprint_tells_texts_files_and_options(build, libritts):
    first = build("speech-folder", path=str(libritts)).fingerprint()
    assert build("speech-folder", path=str(libritts)).fingerprint() == first
    assert build("speech-folder", path=str(libritts), test=0.2).fingerprint() != first
    text = next(libritts.glob("dev-clean/*/*/*.normalized.txt"))
    text.write_text("Another text of the same file.")
    second = build("speech-folder", path=str(libritts)).fingerprint()
    assert second != first
    tone(next(libritts.glob("dev-clean/*/*/*.wav")), 0.2)
    assert build("speech-folder", path=str(libritts)).fingerprint() != second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "path = ''"),
        ({"path": "nowhere"}, "path = 'nowhere': there is no such folder"),
        ({}, "holds no recordings in the layout libritts; expected.*train-clean-100/SPEAKER"),
        ({"layout": "mls", "languages": ["pl"]}, "layout mls, languages pl; expected.*mls_german"),
        ({"subsets": ["dev"]}, "layout libritts, subsets dev; expected"),
        ({"layout": "timit"}, "layout = 'timit'"),
        ({"layout": "mls", "original_text": True}, "original_text = True: must be false, except"),
        ({"validation": 0.5, "test": 0.5}, "validation . test = 1.0: must be less than 1"),
        ({"min_seconds": -1}, "min_seconds = -1"),
    ],
)
def test_wrong_options_are_told(build, tmp_path, options, message):
    with pytest.raises(RecipeError, match=message):
        build("speech-folder", **{"path": str(tmp_path), **options})


def test_a_transcript_that_says_no_word_is_named_and_set_aside(build, libritts, tmp_path):
    name = "train-clean-100/19/198/19_198_000000_000000"
    write(libritts / f"{name}.normalized.txt", " ... - ...\n")
    corpus = build(
        "speech-folder", path=str(tmp_path), layout="libritts", subsets=["train-clean-100"]
    )
    examples = [e for split in ("train", "validation", "test") for e in corpus.examples(split)]
    (example,) = (e for e in examples if e.id == f"{name}.wav")
    with pytest.raises(
        AudioError, match=rf"{name}\.wav: its transcript, '... - ...', says no word"
    ):
        corpus.audio(example)


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("libritts", "train-clean-100/19/198/19_198_000000_000000.normalized.txt"),
        ("mls", "mls_german/test/transcripts.txt"),
        ("aishell3", "train/content.txt"),
        ("common-voice", "es/train.tsv"),
    ],
)
def test_a_transcript_that_is_no_text_is_named_before_any_training(
    build, libritts, mls, aishell3, common_voice, tmp_path, layout, file
):
    write(tmp_path / file, "")
    (tmp_path / file).write_bytes("Grüße\tüber\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=rf"{file}: is no UTF-8 text \(byte 2\); convert it"):
        build("speech-folder", path=str(tmp_path), layout=layout)
