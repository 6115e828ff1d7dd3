"""The embedded music: the same everywhere, split without overlap, and true to its score."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from workbench_corpora.options import SyntheticMusicOptions
from workbench_corpora.parts.drums import KICK, SNARE
from workbench_corpora.render import render
from workbench_corpora.score import INSTRUMENTS, Score, compose
from workbench_corpora.synthetic_music import GENERATOR_VERSION, SyntheticMusic

from workbench import SPLITS

RATE = 16000
SECONDS = 13.0

# SHA-256 of the samples of piece test-00003 by generator version. Another hash means that a change
# made other audio: raise GENERATOR_VERSION, so that nothing prepared from the old one is reused.
SAMPLES_OF_A_PIECE = {1: "7bafdfd292be8ee4c912be87dfd89ee2db8d2e00c9d3c0ca41c19633d3861da8"}

RENDER_A_PIECE = """
import hashlib
from workbench_corpora.render import render
from workbench_corpora.score import compose
wave = render(compose(0, "test", 3, 13.0), "0/test-00003", 13.0, 16000)
print(hashlib.sha256(wave.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def scores() -> dict[str, list[Score]]:
    sizes = {"train": 600, "validation": 48, "test": 96}
    return {split: [compose(0, split, i, SECONDS) for i in range(sizes[split])] for split in SPLITS}


@pytest.fixture(scope="module")
def corpus() -> SyntheticMusic:
    return SyntheticMusic(SyntheticMusicOptions(train=6, validation=2, test=8))


NEW_INSTRUCTIONS = (
    "FMA3 AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR "
    "X86_V3 X86_V4"
)


@pytest.mark.parametrize("features", ["", NEW_INSTRUCTIONS])
def test_samples_are_the_known_ones_in_any_process_and_on_older_processors(features):
    # NumPy ignores, with a warning, features that this processor lacks anyway.
    environment = {"NPY_DISABLE_CPU_FEATURES": features} if features else {}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RENDER_A_PIECE],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", **environment},
    )
    assert result.stdout.strip() == SAMPLES_OF_A_PIECE[GENERATOR_VERSION]


def test_a_piece_depends_on_nothing_but_its_seed_split_and_number(corpus):
    alone = list(corpus.examples("test"))[3]
    for other in corpus.examples("train"):
        corpus.audio(other)
    samples = corpus.audio(alone).samples.numpy()
    digest = hashlib.sha256(samples.tobytes()).hexdigest()
    assert digest == SAMPLES_OF_A_PIECE[GENERATOR_VERSION]
    fewer = SyntheticMusic(SyntheticMusicOptions(test=4))
    assert list(fewer.examples("test"))[3] == alone


def test_splits_share_no_key_loop_and_motif(scores):
    identities = {split: {score.identity for score in scores[split]} for split in SPLITS}
    assert not identities["train"] & identities["validation"]
    assert not identities["train"] & identities["test"]
    assert not identities["validation"] & identities["test"]


def test_identity_names_key_loop_and_motif(scores):
    """Two pieces with one identity have the same key and the same sequence of chords."""
    by_identity: dict[str, tuple[object, ...]] = {}
    for score in scores["train"]:
        loop = (score.tonic, score.mode, *((c.root, c.quality) for c in score.chords[:2]))
        assert by_identity.setdefault(score.identity, loop) == loop
    assert len(by_identity) > 500


def test_pieces_cover_all_keys_tempi_and_instruments(scores):
    train = scores["train"]
    assert len({(score.tonic, score.mode) for score in train}) == 24
    tempi = [score.tempo for score in train]
    assert min(tempi) < 85
    assert max(tempi) > 155
    assert 80 <= min(tempi) <= max(tempi) <= 160
    for role, names in INSTRUMENTS.items():
        assert {score.instruments[role] for score in train} == set(names)


def test_the_first_five_seconds_hold_a_whole_loop(scores):
    """The chords from 5 s on can be foretold from those before, in nearly all pieces."""
    foretold = 0
    for score in scores["test"]:
        names = [(chord.root, chord.quality) for chord in score.chords]
        heard = sum(chord.end <= 5.05 for chord in score.chords)
        foretold += any(
            names[: len(names) - period] == names[period:] for period in (2, 4) if period <= heard
        )
    assert foretold / len(scores["test"]) >= 0.95


def test_chords_follow_each_other_from_the_first_beat_to_the_end(scores):
    for score in scores["test"]:
        assert score.chords[0].start == score.beat_offset
        assert score.chords[-1].end == SECONDS
        for one, two in pairwise(score.chords):
            assert one.end == two.start


def test_bass_plays_the_root_at_each_chord(scores):
    for score in scores["test"]:
        bass = {round(n.onset, 6): n.pitch for n in score.notes if n.role == "bass"}
        for chord in score.chords[:-1]:
            assert bass[round(chord.start, 6)] % 12 == chord.root


def test_details_are_plain_json_and_hold_the_score(corpus, scores):
    example = next(iter(corpus.examples("test")))
    score = scores["test"][0]
    details = json.loads(json.dumps(example.details))
    assert details == example.details
    assert details["key"] == {"tonic": score.tonic, "mode": score.mode}
    assert details["tempo"] == score.tempo
    assert len(details["notes"]) == len(score.notes)
    assert details["instruments"] == score.instruments


def test_levels_are_even_and_nothing_clips(corpus):
    for example in corpus.examples("test"):
        wave = corpus.audio(example).samples.numpy()
        assert wave.shape == (1, int(SECONDS * RATE))
        assert np.abs(wave).max() <= 0.9
        assert -23.5 < 20 * np.log10(np.sqrt(np.mean(wave**2))) < -16.5
        assert abs(wave.mean()) < 1e-4
        assert np.array_equal(wave, np.round(wave * 32768) / 32768)


def test_melody_sounds_at_the_pitches_of_its_notes():
    """Harmonics of each note are louder than those a semitone beside it."""
    right, total = 0, 0
    for index in range(6):
        score = compose(0, "train", index, SECONDS)
        wave = render(score, f"0/train-{index:05d}", SECONDS, RATE, roles=("melody",))
        for note in score.notes:
            if note.role == "melody" and note.duration > 0.2 and note.onset + 0.3 < SECONDS:
                total += 1
                right += _loudest_shift(wave, note.onset, note.duration, note.pitch) == 0
    assert total > 100
    assert right / total > 0.97


def _loudest_shift(wave: np.ndarray, onset: float, duration: float, pitch: int) -> int:
    """Which of -1, 0, +1 semitones from ``pitch`` sounds loudest within a note."""
    part = wave[int((onset + 0.02) * RATE) : int((onset + duration) * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 32768))
    bins = np.fft.rfftfreq(32768, 1 / RATE)
    levels = []
    for shift in (-1, 0, 1):
        frequency = 440 * 2 ** ((pitch + shift - 69) / 12)
        near = [np.abs(bins / (frequency * k) - 1) < 0.015 for k in (1, 2, 3)]
        levels.append(sum(spectrum[mask].max() for mask in near))
    return int(np.argmax(levels)) - 1


def test_drums_sound_at_the_times_of_their_notes():
    for index in range(4):
        score = compose(0, "train", index, SECONDS)
        wave = render(score, f"0/train-{index:05d}", SECONDS, RATE, roles=("drums",))
        level = np.abs(np.diff(wave))  # without the slow swing that the rumble filter leaves
        hits = sorted({n.onset for n in score.notes if n.pitch in (KICK, SNARE)})
        before_music = level[: max(int(hits[0] * RATE) - 80, 0)]
        assert before_music.max(initial=0.0) < 0.01 * level.max()
        for onset in hits[1:-1]:
            at = round(onset * RATE)
            after, before = level[at : at + 240].max(), level[at - 240 : at - 16].max()
            assert after > 2 * before, (index, onset)


def test_each_option_changes_the_fingerprint():
    changed = [
        {"train": 5},
        {"validation": 5},
        {"test": 5},
        {"seconds": 5.0},
        {"seed": 5},
        {"sample_rate": 24000},
    ]
    prints = {SyntheticMusic(SyntheticMusicOptions(**c)).fingerprint() for c in [{}, *changed]}
    assert len(prints) == 1 + len(changed)


def test_seconds_seed_and_rate_shape_the_audio():
    options = SyntheticMusicOptions(train=1, seconds=4.0, seed=9, sample_rate=24000)
    corpus = SyntheticMusic(options)
    example = next(iter(corpus.examples("train")))
    audio = corpus.audio(example)
    assert audio.sample_rate == 24000
    assert audio.samples.shape == (1, 96000)
    assert all(chord["end"] <= 4.0 for chord in example.details["chords"])
    default = SyntheticMusic(SyntheticMusicOptions(train=1, seconds=4.0))
    assert next(iter(default.examples("train"))).details != example.details


@pytest.mark.parametrize("wrong", [{"train": -1}, {"seconds": 0.1}, {"sample_rate": 100}])
def test_wrong_options_are_refused_by_name(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} = {value}: must be"):
        SyntheticMusicOptions(**wrong)
