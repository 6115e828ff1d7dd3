"""The kinds of sound events: their traits are heard, and no two sound alike."""

from __future__ import annotations

import numpy as np
import pytest
from workbench_corpora.draws import Draws
from workbench_corpora.options import SyntheticSoundOptions
from workbench_corpora.sounds import KINDS
from workbench_corpora.sounds.mix import render
from workbench_corpora.sounds.scene import DISTANCE, LOUDNESS, Event, Scene
from workbench_corpora.sounds.take import Take
from workbench_corpora.sounds.timing import Counted, Moment
from workbench_corpora.synthetic_sound import SyntheticSound

from workbench import log_mel

RATE = 16000
TRAITS = [(kind.name, trait.name) for kind in KINDS.values() for trait in kind.traits]


def middle(kind: str) -> dict[str, float]:
    """The middle of every trait's range."""
    return {
        t.name: float(np.sqrt(t.low * t.high)) for t in (*KINDS[kind].traits, LOUDNESS, DISTANCE)
    }


def play(kind: str, traits: dict[str, float], name: str = "x", seconds: float = 2.0) -> np.ndarray:
    """An event of a kind, as loud as it comes, with nothing around it."""
    found = KINDS[kind]
    bus = np.zeros(int((seconds + 3) * RATE))
    for number, moment in enumerate(found.timing.moments(Draws(name), seconds, traits)):
        wave = found.render(Take(traits, moment.seconds, RATE, name, number))
        assert wave.shape == (round(moment.seconds * RATE),)
        start = int(moment.onset * RATE)
        bus[start : start + len(wave)] += wave
    return bus


def centroid(wave: np.ndarray) -> float:
    """Mean frequency in octaves, weighted by power."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    heard = hz > 20
    return float(np.sum(np.log2(hz[heard]) * power[heard]) / np.sum(power[heard]))


def test_there_are_two_dozen_kinds_and_more():
    assert len(KINDS) >= 24


@pytest.mark.parametrize(("kind", "trait"), TRAITS)
def test_each_trait_changes_the_sound(kind, trait):
    found = KINDS[kind].trait(trait)
    low, high = ({**middle(kind), trait: value} for value in (found.low, found.high))
    waves = [play(kind, traits) for traits in (low, high)]
    assert not np.allclose(*waves)
    if trait == "pitch" and kind != "snoring":  # its pitch is the rate of a rattle
        gains = [
            centroid(play(kind, high, name, 1.5)) - centroid(play(kind, low, name, 1.5))
            for name in "abc"
        ]
        assert np.mean(gains) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_sounds_are_finite_and_differ_from_draw_to_draw(kind):
    traits = middle(kind)
    one, other = play(kind, traits, "one", 1.0), play(kind, traits, "other", 1.0)
    assert np.isfinite(one).all()
    assert np.abs(one).max() > 0
    assert np.array_equal(one, play(kind, traits, "one", 1.0))
    if kind not in {"alarm", "doorbell", "horn"}:  # nothing in a single one is left to chance
        length = min(len(one), len(other))
        assert not np.allclose(one[:length], other[:length])


def test_fast_events_have_more_sounds_than_slow_ones():
    paced = [k for k in KINDS.values() if k.timing.lasts and "rate" in {t.name for t in k.traits}]
    checked = 0
    for kind in paced:
        slow, fast = (
            kind.timing.moments(Draws("x"), 4.0, {**middle(kind.name), "rate": rate})
            for rate in (kind.trait("rate").low, kind.trait("rate").high)
        )
        if len(slow) > 1:
            assert len(fast) > 1.5 * len(slow)
            checked += 1
    assert checked >= 8


def test_levels_split_a_trait_in_thirds():
    trait = KINDS["dog"].trait("pitch")
    draws = Draws("levels")
    values = [trait.draw(draws) for _ in range(3000)]
    assert trait.low <= min(values) < max(values) <= trait.high
    levels = [trait.level(value) for value in values]
    for level in ("low", "middle", "high"):
        assert 0.3 < levels.count(level) / 3000 < 0.37
    assert trait.level(trait.low) == "low"
    assert trait.level(trait.high) == "high"
    assert trait.words("middle") is None


def test_counted_events_keep_within_their_number():
    for kind in KINDS.values():
        if not isinstance(kind.timing, Counted):
            continue
        counts = {
            len(kind.timing.moments(Draws(kind.name, n), 6.0, middle(kind.name))) for n in range(60)
        }
        assert counts == set(range(1, max(counts) + 1))
        assert max(counts) == kind.timing.most


def mixed(kind: str, space: str = "open", reverberance: float = 0.2, **traits: float) -> np.ndarray:
    """A scene of one event half a second long, at 0.5 s."""
    event = Event(KINDS[kind], (Moment(0.5, 0.5),), {**middle(kind), **traits})
    scene = Scene((event,), "single", space, reverberance, 3.0)
    return render(scene, "x", RATE).astype(np.float64)


def level(wave: np.ndarray, start: float, end: float) -> float:
    return 10 * np.log10(np.mean(wave[int(start * RATE) : int(end * RATE)] ** 2) + 1e-12)


def test_loud_is_louder_and_far_is_fainter_and_duller():
    quiet, loud = (mixed("vacuum", loudness=value) for value in (LOUDNESS.low, LOUDNESS.high))
    assert level(loud, 0.5, 1.0) > level(quiet, 0.5, 1.0) + 9
    near, far = (mixed("vacuum", distance=value) for value in (DISTANCE.low, DISTANCE.high))
    assert level(near, 0.5, 1.0) > level(far, 0.5, 1.0) + 6
    assert centroid(near) > centroid(far) + 0.2


def test_a_hall_rings_on_and_the_open_does_not():
    open_air = mixed("clapping", "open", 0.2)
    hall = mixed("clapping", "hall", 2.5)
    assert level(open_air, 1.4, 1.8) < -55
    assert level(hall, 1.3, 1.6) > level(open_air, 1.3, 1.6) + 10


def test_a_background_is_softer():
    moments = (Moment(0.0, 2.0),)
    events = [Event(KINDS["rain"], moments, middle("rain"), back) for back in (False, True)]
    fore, back = (render(Scene((event,), "while", "open", 0.2, 2.0), "x", RATE) for event in events)
    assert 5 < level(fore, 0.2, 1.8) - level(back, 0.2, 1.8) < 7


def test_neighbours_of_a_clip_are_of_its_kind():
    """The nearest clip by means and spreads of log-mel bands is of the same kind, mostly."""
    clips = 5
    rows, names = [], []
    for kind in KINDS:
        options = SyntheticSoundOptions(train=clips, most_events=1, kinds=[kind], seconds=2.5)
        corpus = SyntheticSound(options)
        for example in corpus.examples("train"):
            mel = log_mel(corpus.audio(example).samples, RATE, 512, 160, 40)[0].double().numpy()
            loud = mel[:, mel.max(axis=0) > mel.max() - 6]
            loud = loud - loud.mean()
            change = np.abs(np.diff(loud, axis=1, prepend=loud[:, :1])).mean(axis=1)
            rows.append(np.concatenate([loud.mean(axis=1), loud.std(axis=1), 2 * change]))
            names.append(kind)
    features = np.stack(rows)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = np.asarray(names)[distance.argmin(axis=1)]
    assert np.mean(nearest == np.asarray(names)) > 0.6  # chance: 0.02
