"""The embedded sounds: the same everywhere, new combinations in the test, true captions."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from itertools import combinations, pairwise

import numpy as np
import pytest
from workbench_corpora.options import SyntheticSoundOptions
from workbench_corpora.sounds import KINDS
from workbench_corpora.sounds.scene import pair_split, scene_split
from workbench_corpora.synthetic_sound import GENERATOR_VERSION, SyntheticSound

from workbench import SPLITS, Example, RecipeError

RATE = 16000

# SHA-256 of the samples of scenes test-00000 to test-00002 by generator version. Another hash means
# that a change made other audio: raise GENERATOR_VERSION, so that nothing prepared from the old one
# is reused.
SAMPLES_OF_SCENES = {4: "89d0e930c492ed3a8b289be54b13250efeefd068b7cd1a66adbe60bdb6f62434"}

RENDER_SCENES = """
import hashlib
from workbench_corpora.options import SyntheticSoundOptions
from workbench_corpora.synthetic_sound import SyntheticSound
corpus = SyntheticSound(SyntheticSoundOptions(test=3))
digest = hashlib.sha256()
for example in corpus.examples("test"):
    digest.update(corpus.audio(example).samples.numpy().tobytes())
print(digest.hexdigest())
"""
NEW_INSTRUCTIONS = (
    "FMA3 AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR "
    "X86_V3 X86_V4"
)


def scenes(split: str = "train", count: int = 400, **options: object) -> list[Example]:
    corpus = SyntheticSound(SyntheticSoundOptions(**{split: count}, **options))
    return list(corpus.examples(split))


def kinds(example: Example) -> list[str]:
    return [event["kind"] for event in example.details["events"]]


def pairs(examples: list[Example]) -> set[frozenset[str]]:
    return {frozenset(pair) for e in examples for pair in combinations(kinds(e), 2)}


def wave(corpus: SyntheticSound, example: Example) -> np.ndarray:
    return corpus.audio(example).samples[0].numpy().astype(np.float64)


@pytest.fixture(scope="module")
def train() -> list[Example]:
    return scenes("train", 1500)


@pytest.fixture(scope="module")
def test() -> list[Example]:
    return scenes("test", 200)


@pytest.mark.parametrize("features", ["", NEW_INSTRUCTIONS])
def test_samples_are_the_known_ones_in_any_process_and_on_older_processors(features):
    environment = {"NPY_DISABLE_CPU_FEATURES": features} if features else {}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RENDER_SCENES],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", **environment},
    )
    assert result.stdout.strip() == SAMPLES_OF_SCENES[GENERATOR_VERSION]


def test_a_scene_depends_on_nothing_but_its_seed_split_and_number():
    corpus = SyntheticSound(SyntheticSoundOptions(train=5, test=3))
    for other in corpus.examples("train"):
        corpus.audio(other)
    digest = hashlib.sha256()
    for example in corpus.examples("test"):
        digest.update(corpus.audio(example).samples.numpy().tobytes())
    assert digest.hexdigest() == SAMPLES_OF_SCENES[GENERATOR_VERSION]
    assert scenes("test", 2) == scenes("test", 3)[:2]


def test_every_test_scene_holds_a_pair_of_kinds_that_no_training_scene_holds(train, test):
    known = pairs(train)
    assert len(known) > 600  # training has seen most of its own pairs
    for example in test:
        assert any(frozenset(pair) not in known for pair in combinations(kinds(example), 2))
        assert scene_split(kinds(example)) == "test"
    for example in train:
        assert all(pair_split(*pair) == "train" for pair in combinations(kinds(example), 2))


def test_another_draw_holds_out_the_same_pairs(test):
    other = scenes("train", 1500, seed=7)
    held_out = {p for p in pairs(test) if pair_split(*p) == "test"}
    assert not pairs(other) & held_out
    assert {e.caption for e in other} != {e.caption for e in scenes("train", 1500)}


def test_validation_and_test_share_no_held_out_pair(test):
    validation = scenes("validation", 100)
    assert not {p for p in pairs(validation) if pair_split(*p) != "train"} & pairs(test)
    assert {len(kinds(example)) for example in validation + test} == {2, 3}


def test_an_eighth_of_all_pairs_is_held_out_for_each_purpose():
    counts = dict.fromkeys(SPLITS, 0)
    for pair in combinations(KINDS, 2):
        counts[pair_split(*pair)] += 1
        assert pair_split(*pair) == pair_split(*reversed(pair))
    for split in ("validation", "test"):
        assert 0.08 < counts[split] / sum(counts.values()) < 0.17


def test_details_are_plain_json_and_place_each_event_in_the_recording(train):
    for example in train:
        assert json.loads(json.dumps(example.details)) == example.details
        events = example.details["events"]
        for event in events:
            assert 0 <= event["onset"] < event["onset"] + event["duration"] <= 5.0 + 1e-6
            assert event["onsets"][0] == event["onset"]
            assert event["onsets"] == sorted(event["onsets"])
            if event["count"] is not None:
                assert event["count"] == len(event["onsets"])
        foreground = [event for event in events if not event["background"]]
        for one, two in pairwise(foreground):
            assert one["onset"] + 0.2 < two["onset"]
        layouts = {1: "single", 2: "then", 3: "then-then"}
        if len(foreground) < len(events):
            layouts = {1: "while", 2: "then-while"}
            assert events[-1]["background"]
            assert events[-1]["duration"] > 0.7 * 5.0
        assert example.details["layout"] == layouts[len(foreground)]


def phrases(kind: str, unseen: bool) -> list[re.Pattern[str]]:
    """What a caption may call a kind, whatever the adjectives and endings."""
    wording = KINDS[kind].wording
    texts = wording.unseen_clauses + wording.unseen_nouns
    if not unseen:
        texts = wording.clauses + wording.nouns
    found = []
    for text in texts:
        for form in (1, 2):
            words = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda m, form=form: f"|{m[form]}", text)
            words = re.sub(r"(?<![eo])e\|ing", "ing", words).replace("|", "")
            words = re.sub(r"\b(a|an) ", "an? ", words).replace("{} ", r"(?:[\w-]+ )?")
            found.append(re.compile(rf"\b{words}\b"))
    return found


@pytest.mark.parametrize("wording", ["standard", "unseen"])
def test_captions_name_the_kinds_that_sound(wording):
    known = {kind: phrases(kind, wording == "unseen") for kind in KINDS}
    examples = scenes("test", 150, test_wording=wording)
    for example in examples:
        for text in example.details["captions"]:
            for kind in kinds(example):
                assert any(p.search(text) for p in known[kind]), (kind, text)


def test_captions_tell_the_order():
    """What follows is named later."""
    known = {kind: phrases(kind, False) for kind in KINDS}
    checked = 0
    for example in scenes("train", 300):
        if example.details["layout"] not in ("then", "then-then"):
            continue
        for text in example.details["captions"]:
            places = [
                min(m.start() for p in known[kind] if (m := p.search(text)))
                for kind in kinds(example)
            ]
            assert places == sorted(places), text
            checked += 1
    assert checked > 300


def test_captions_vary(train):
    texts = [text for example in train for text in example.details["captions"]]
    assert len(set(texts)) > 0.9 * len(texts)
    assert all(example.caption == example.details["captions"][0] for example in train)
    assert all(len(example.details["captions"]) == 5 for example in train)


def test_captions_count_truly():
    words = {"once": 1, "twice": 2, "two times": 2, "three times": 3, "four times": 4}
    told = 0
    for example in scenes("train", 600, most_events=1):
        (event,) = example.details["events"]
        for text in example.details["captions"]:
            for word, count in words.items():
                if re.search(rf"\b{word}\b", text):
                    assert event["count"] == count, text
                    told += 1
            if "several" in text:
                assert event["count"] > 2, text
    assert told > 300


def test_what_a_caption_says_of_an_event_is_so():
    """Every remark belongs to an extreme third of the trait that it is about."""
    told = 0
    for example in scenes("train", 600, most_events=1):
        (event,) = example.details["events"]
        kind = KINDS[event["kind"]]
        for text in example.details["captions"]:
            for words, level, name in (
                (("quietly", "faintly", "faint"), "low", "loudness"),
                (("loudly", "loud"), "high", "loudness"),
                (("nearby", "close by"), "low", "distance"),
                (("in the distance", "far away", "distant"), "high", "distance"),
                (("slowly", "slow"), "low", "rate"),
                (("rapidly", "rapid"), "high", "rate"),
                (("high-pitched",), "high", "pitch"),
            ):
                if any(re.search(rf"\b{word}\b", text) for word in words):
                    assert event["levels"][name] == level, (text, kind.name)
                    told += 1
            if "hall" in text or "church," in text or text.endswith("church"):
                assert example.details["space"] == "hall"
    assert told > 800


def test_captions_read_as_english(train, test):
    for example in train + test:
        for text in example.details["captions"]:
            assert not re.search(r"[{}\[\]|]|  | ,|\ba [aeiou]|\ban [^aeiou]", text), text
            assert text == text.strip()


def test_unseen_wording_shares_no_phrase_or_template_with_the_standard_one(test):
    """A caption of the one kind never fits a caption of the other, and the recordings stay."""
    unseen = scenes("test", 200, test_wording="unseen")
    standard = {text for example in test for text in example.details["captions"]}
    assert not standard & {text for e in unseen for text in e.details["captions"]}
    for kind in KINDS.values():
        w = kind.wording
        assert not set(w.clauses + w.nouns) & set(w.unseen_clauses + w.unseen_nouns)
        assert w.unseen_clauses
        assert w.unseen_nouns
    for one, other in zip(test, unseen, strict=True):
        same = {k: v for k, v in one.details.items() if k != "captions"}
        assert same == {k: v for k, v in other.details.items() if k != "captions"}
    corpora = [
        SyntheticSound(SyntheticSoundOptions(test=1, test_wording=wording))
        for wording in ("standard", "unseen")
    ]
    one, other = (wave(corpus, next(corpus.examples("test"))) for corpus in corpora)
    assert np.array_equal(one, other)


def test_unseen_wording_leaves_training_as_it_is():
    assert scenes("train", 20, test_wording="unseen") == scenes("train", 20)


def test_nothing_clips_and_each_event_is_above_the_noise():
    corpus = SyntheticSound(SyntheticSoundOptions(train=60))
    for example in corpus.examples("train"):
        samples = wave(corpus, example)
        assert samples.shape == (5 * RATE,)
        assert np.abs(samples).max() <= 0.9
        assert np.array_equal(samples, np.round(samples * 32768) / 32768)
        for event in example.details["events"]:
            start = int(event["onset"] * RATE)
            part = samples[start : start + int(max(0.1, event["duration"]) * RATE)]
            assert 20 * np.log10(np.sqrt(np.mean(part**2)) + 1e-9) > -48, event


def test_silence_lies_where_nothing_sounds():
    """Without much reverberation, a recording is quiet before its first event."""
    corpus = SyntheticSound(SyntheticSoundOptions(train=120, most_events=1))
    checked = 0
    for example in corpus.examples("train"):
        (event,) = example.details["events"]
        if event["onset"] > 0.3:
            samples = wave(corpus, example)
            before = samples[: int((event["onset"] - 0.05) * RATE)]
            assert np.sqrt(np.mean(before**2)) < 0.004, example.details
            checked += 1
    assert checked > 20


def test_each_option_changes_the_fingerprint():
    changed = [
        {"train": 5},
        {"validation": 5},
        {"test": 5},
        {"seconds": 4.0},
        {"most_events": 2},
        {"singles": 0.5},
        {"kinds": ["dog", "cat", "bell"], "validation": 0, "test": 0},
        {"captions": 2},
        {"test_wording": "unseen"},
        {"seed": 5},
        {"sample_rate": 24000},
    ]
    prints = {SyntheticSound(SyntheticSoundOptions(**c)).fingerprint() for c in [{}, *changed]}
    assert len(prints) == 1 + len(changed)


def test_options_shape_the_scenes():
    corpus = SyntheticSound(SyntheticSoundOptions(train=2, seconds=4.0, sample_rate=24000))
    audio = corpus.audio(next(corpus.examples("train")))
    assert audio.sample_rate == 24000
    assert audio.samples.shape == (1, 96000)
    assert {len(kinds(e)) for e in scenes("train", 60, most_events=2)} == {1, 2}
    assert {len(kinds(e)) for e in scenes("test", 10, most_events=1)} == {1}
    assert {len(kinds(e)) for e in scenes("train", 60, singles=0.0)} == {2, 3}
    assert {len(kinds(e)) for e in scenes("train", 20, singles=1.0)} == {1}
    chosen = {"dog", "cat", "bell"}
    few = scenes("train", 40, kinds=list(chosen), validation=0, test=0)
    assert {kind for example in few for kind in kinds(example)} == chosen
    held_out = [pair for pair in combinations(KINDS, 2) if pair_split(*pair) == "test"]
    assert {
        len(kinds(e)) for e in scenes("test", 5, kinds=list(held_out[0]), train=0, validation=0)
    } == {2}
    assert all(len(e.details["captions"]) == 2 for e in scenes("train", 3, captions=2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": -1},
        {"seconds": 1.0},
        {"most_events": 4},
        {"singles": 1.5},
        {"captions": 0},
        {"sample_rate": 100},
    ],
)
def test_wrong_options_are_refused_by_name(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} = {value}: must be"):
        SyntheticSoundOptions(**wrong)


def test_unknown_kinds_are_named_with_those_there_are():
    with pytest.raises(RecipeError, match=r"kinds = 'unicorn': no such kind.*\bbell\b.*\brain\b"):
        SyntheticSound(SyntheticSoundOptions(kinds=["rain", "unicorn"]))


def test_kinds_too_few_to_hold_out_a_pair_are_refused():
    pair = next(pair for pair in combinations(KINDS, 2) if pair_split(*pair) == "train")
    with pytest.raises(RecipeError, match="no two of them are a pair kept for test; name more"):
        SyntheticSound(SyntheticSoundOptions(kinds=list(pair), validation=0))
