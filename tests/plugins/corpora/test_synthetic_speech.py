"""The embedded speech: the same each time, new sentences by new voices in the test, true labels."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from workbench_corpora import synthetic_speech as module
from workbench_corpora.draws import Draws
from workbench_corpora.options import SyntheticSpeechOptions
from workbench_corpora.speech.acoustics import recorded
from workbench_corpora.speech.sentences import sentence_split
from workbench_corpora.speech.words import GAPS, WORDS
from workbench_corpora.synthetic_speech import GENERATOR_VERSION, SyntheticSpeech

from workbench import SPLITS, Espeak, Example, RecipeError, phonemise, resample

RATE = 16000

# What is said in test-00000 to test-00002, and every 3000th sample from the 5000th of each in steps
# of 16 bits, by generator version. Another answer means that a change made other recordings: raise
# GENERATOR_VERSION, so that nothing prepared from the old ones is reused.
RECORDINGS = {
    2: [
        (
            "sugar summer music evening guitar chicken",
            [44, -966, 249, 4492, 132, 2027, 244, 482, -910, 2012, 849, -76],
        ),
        (
            "chaqueta trueno verde música azúcar",
            [871, 29, 284, -172, 22, -813, 616, -431, -2628, -100, 64],
        ),
        ("慢走牛奶铅笔吉他吉他", [-33, -650, -179, 2243, 246, 228, 1585, 134]),
    ]
}


def corpus(**options) -> SyntheticSpeech:
    sizes = {"train": 0, "validation": 0, "test": 0}
    return SyntheticSpeech(SyntheticSpeechOptions(**{**sizes, **options}))


def wave(made: SyntheticSpeech, example: Example) -> np.ndarray:
    audio = made.audio(example)
    assert audio.sample_rate == made._options.sample_rate
    return audio.samples[0].numpy()


def level(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2)) + 1e-12)


@pytest.fixture(scope="module")
def mixed() -> SyntheticSpeech:
    """Enough of everything to count; only listed, never spoken."""
    return corpus(train=600, validation=120, test=240)


def listed(made: SyntheticSpeech, split: str) -> list[Example]:
    return list(made.examples(split))


def test_recordings_are_those_of_the_version():
    made = corpus(test=3, variety=0.5)
    found = [
        (e.text, (wave(made, e)[5000::3000] * 32768).astype(int).tolist())
        for e in made.examples("test")
    ]
    expected = RECORDINGS[GENERATOR_VERSION]
    assert [text for text, _ in found] == [text for text, _ in expected]
    for (_, samples), (_, known) in zip(found, expected, strict=True):
        np.testing.assert_allclose(samples, known, atol=3)


def test_a_recording_depends_on_nothing_but_its_seed_split_and_number():
    one, other = corpus(train=6, test=6, variety=1.0), corpus(train=8, test=9, variety=1.0)
    first = {e.id: (e, wave(one, e)) for split in ("train", "test") for e in one.examples(split)}
    for name, (example, samples) in reversed(first.items()):
        same = next(e for e in other.examples(example.split) if e.id == name)
        assert same == example
        assert np.array_equal(wave(other, same), samples), name
    seeded = listed(corpus(train=6, seed=1), "train")
    assert [e.text for e in seeded] != [e.text for e in one.examples("train")]


def test_no_sentence_is_in_two_splits_whatever_the_seed(mixed):
    judge = corpus(train=600, test=240, seed=9, voice_pool="b")
    trained = {e.text for made in (mixed, judge) for e in made.examples("train")}
    for made in (mixed, judge):
        for split in ("validation", "test"):
            held_out = {e.text for e in made.examples(split)}
            assert not held_out & trained
            assert {sentence_split(text) for text in held_out} <= {split}


def test_test_voices_are_new_and_validation_voices_known(mixed):
    voices = {split: {e.speaker for e in mixed.examples(split)} for split in SPLITS}
    assert len(voices["train"]) == 24
    assert len(voices["test"]) == 8
    assert voices["validation"] <= voices["train"]
    assert not voices["test"] & voices["train"]
    timbres = {split: {timbre(e) for e in mixed.examples(split)} for split in SPLITS}
    assert not timbres["test"] & timbres["train"]
    seen = corpus(train=300, test=60, test_voices=0, voices=4)
    assert {e.speaker for e in seen.examples("test")} == {e.speaker for e in seen.examples("train")}


def timbre(example: Example) -> str:
    return example.details["voice"].split("+")[1]


def test_pools_share_no_voice(mixed):
    other = corpus(train=300, test=60, voice_pool="b")
    one = [e for split in ("train", "test") for e in mixed.examples(split)]
    two = [e for split in ("train", "test") for e in other.examples(split)]
    assert not {e.speaker for e in one} & {e.speaker for e in two}
    assert not {timbre(e) for e in one} & {timbre(e) for e in two}


def test_sentences_keep_to_the_rules(mixed):
    examples = listed(mixed, "train")
    assert [e.language for e in examples[:4]] == ["en", "es", "cmn", "en"]
    for example in examples:
        words = split_words(example)
        assert 3 <= len(words) <= 6
        assert set(words) <= set(WORDS[example.language])
    assert len({word for e in examples for word in split_words(e)}) == 180
    few = corpus(train=90, languages=["es"], vocabulary=5, min_words=4, max_words=4)
    spoken = listed(few, "train")
    assert {e.language for e in spoken} == {"es"}
    assert {word for e in spoken for word in split_words(e)} == set(WORDS["es"][:5])
    assert {len(split_words(e)) for e in spoken} == {4}


def split_words(example: Example) -> list[str]:
    gap = GAPS[example.language]
    return example.text.split(gap) if gap else [example.text[i : i + 2] for i in
                                                range(0, len(example.text), 2)]  # fmt: skip


@pytest.mark.parametrize("language", WORDS)
def test_words_of_a_language_sound_unlike(language):
    lines = phonemise(WORDS[language], language, Espeak())
    assert len(set(WORDS[language])) == len(set(lines)) == 60


def test_labels_are_true(mixed):
    espeak = Espeak()
    for example in listed(mixed, "test")[:30]:
        assert [example.details["phonemes"]] == phonemise([example.text], example.language, espeak)
    accents = Counter(e.details["accent"] for e in mixed.examples("train") if e.language == "en")
    assert set(accents) == {"native", "es", "de", "fr"}
    assert 0.15 < 1 - accents["native"] / accents.total() < 0.35
    for example in mixed.examples("train"):
        accent, voice = example.details["accent"], example.details["voice"].split("+")[0]
        expected = {"en": "en-us"}.get(example.language, example.language)
        assert voice == (expected if accent == "native" else accent)
        if accent != "native":
            assert example.language == "en"
            assert example.details["language_accent"] == f"en ({accent})"
        else:
            assert example.details["language_accent"] == example.language
    assert json.loads(json.dumps([dict(e.details) for e in mixed.examples("test")]))


def test_accents_are_heard_and_can_be_left_out():
    options = {"test": 40, "languages": ["en"], "accents": ["de"], "alignments": True}
    accented, native = corpus(accented=1.0, **options), corpus(accented=0.0, **options)
    assert {e.details["accent"] for e in accented.examples("test")} == {"de"}
    assert {e.details["accent"] for e in native.examples("test")} == {"native"}
    pairs = zip(accented.examples("test"), native.examples("test"), strict=True)
    for one, other in pairs:
        assert (one.text, one.details["phonemes"]) == (other.text, other.details["phonemes"])
        assert spoken(one) != spoken(other)


def spoken(example: Example) -> list[str]:
    return [phoneme for _, _, phoneme in example.details["alignment"]]


def test_phonemes_are_timed():
    made = corpus(test=9, alignments=True)
    found = {"hiss": [], "vowel": []}
    for example in made.examples("test"):
        samples, marks = wave(made, example), example.details["alignment"]
        times = [time for start, end, _ in marks for time in (start, end)]
        assert times == sorted(times)
        seconds = len(samples) / RATE
        assert marks[0][0] == pytest.approx(0.08)
        assert seconds - 0.09 < marks[-1][1] < seconds - 0.07
        before = samples[: int((marks[0][0] - 0.02) * RATE)]
        within = samples[int(marks[0][0] * RATE) : int(marks[-1][1] * RATE)]
        assert level(before) < level(within) - 40
        for start, end, phoneme in marks:
            kind = "hiss" if phoneme in ("s", "ʃ", "ɕ") else "vowel" if "ˈ" in phoneme else ""
            if kind:
                found[kind].append(crossings(samples[int(start * RATE) : int(end * RATE)]))
    assert np.mean(found["hiss"]) > 2.5 * np.mean(found["vowel"])
    assert "alignment" not in listed(corpus(test=1), "test")[0].details


def crossings(samples: np.ndarray) -> float:
    """Sign changes a sample: many in hisses, few in vowels."""
    return float(np.mean(np.diff(np.signbit(samples))))


def test_a_longer_throat_is_a_lower_voice(monkeypatch):
    made = corpus(test=1, languages=["es"])
    (example,) = made.examples("test")
    utterance = made._utterance("test", 0)
    spectra = {}
    for formants in (0.9, 1.1):
        speaker = dataclasses.replace(utterance.speaker, formants=formants)
        changed = dataclasses.replace(utterance, speaker=speaker)
        monkeypatch.setattr(made, "_utterance", lambda *_, changed=changed: changed)
        samples = wave(made, example)
        power = np.abs(np.fft.rfft(samples, 65536)) ** 2
        spectra[formants] = float((power * np.arange(len(power))).sum() / power.sum())
    assert spectra[1.1] / spectra[0.9] == pytest.approx(1.1 / 0.9, rel=0.05)


def test_plain_recordings_are_level_and_silent_around_speech():
    made = corpus(test=6)
    for example in made.examples("test"):
        samples = wave(made, example)
        assert level(samples) == pytest.approx(-23, abs=0.5)
        assert np.array_equal(samples, np.round(samples * 32768) / 32768)
        assert not samples[: int(0.05 * RATE)].any()


def test_variety_scales_what_differs():
    plain, some, full = (corpus(test=24, variety=v) for v in (0.0, 0.3, 1.0))
    differences = {}
    for name, made in (("some", some), ("full", full)):
        pairs = list(zip(made.examples("test"), plain.examples("test"), strict=True))
        assert all(one == other for one, other in pairs)
        waves = [(wave(made, one), wave(plain, other)) for one, other in pairs]
        assert all(len(one) == len(other) for one, other in waves)
        assert all(np.abs(one).max() <= 0.95 for one, _ in waves)
        levels = [level(one) for one, _ in waves]
        floors = [level(one[: int(0.05 * RATE)]) - level(one) for one, _ in waves]
        differences[name] = (max(levels) - min(levels), np.median(floors))
    assert differences["some"][0] < 0.5 * differences["full"][0]
    assert differences["full"][0] > 6
    assert -30 < differences["full"][1] < -12
    assert differences["some"][1] < differences["full"][1] - 10


def test_noise_has_the_ratio_it_should():
    """Speech that begins after a second of silence shows the noise by itself."""
    rng = np.random.default_rng(0)
    speech = np.concatenate([np.zeros(RATE), rng.standard_normal(RATE)]).astype(np.float32)
    ratios = []
    for number in range(60):
        samples = recorded(speech, RATE, Draws("test", number), 1.0)
        noise = level(samples[: RATE * 9 // 10])
        ratios.append(level(samples) - noise)
    assert 9 < min(ratios) < 14
    assert 26 < max(ratios) < 31


def test_sample_rate():
    one, other = corpus(test=1), corpus(test=1, sample_rate=24000)
    (example,) = one.examples("test")
    high, low = other.audio(example).samples, one.audio(example).samples
    down = resample(high, 24000, RATE)[:, : low.shape[-1]]
    assert abs(down.shape[-1] - low.shape[-1]) <= 2
    assert float((down - low[:, : down.shape[-1]]).abs().max()) < 0.02


def test_lengths_suit_small_models():
    made = corpus(test=45)
    seconds = {"en": [], "es": [], "cmn": []}
    for example in made.examples("test"):
        seconds[example.language].append(made.audio(example).seconds)
    for found in seconds.values():
        assert 1.3 < np.mean(found) < 2.4
        assert max(found) < 4


def test_fingerprint_tells_content_and_versions(monkeypatch):
    first = corpus(test=2).fingerprint()
    assert corpus(test=2).fingerprint() == first
    for change in ({"seed": 1}, {"variety": 0.1}, {"languages": ["en"]}, {"test": 3}):
        assert corpus(**{"test": 2, **change}).fingerprint() != first
    monkeypatch.setattr(module.Espeak, "version", "0.1")
    assert corpus(test=2).fingerprint() != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ["en", "xx"]}, "languages = .*one or more of en, es, cmn"),
        ({"languages": []}, "languages = "),
        ({"vocabulary": 61}, "vocabulary = 61: must be from 2 to 60"),
        ({"min_words": 0}, "min_words = 0"),
        ({"min_words": 4, "max_words": 3}, "max_words = 3: must be at least 4, min_words"),
        ({"vocabulary": 7, "max_words": 3}, "max_words = 3: must be more: there are too few"),
        ({"voices": 0}, "voices = 0"),
        ({"variety": 1.5}, "variety = 1.5: must be from 0 to 1"),
        ({"accented": -0.1}, "accented = -0.1"),
        ({"train": -1}, "train = -1"),
        ({"sample_rate": 100}, "sample_rate = 100"),
        ({"accents": ["xx", "fr-fr"]}, "accents = 'xx': espeak-ng has no such voice"),
        ({"voice_pool": "c"}, "voice_pool"),
    ],
)
def test_wrong_options_are_told(build, options, message):
    with pytest.raises(RecipeError, match=message):
        build("synthetic-speech", **options)
