"""Key, tempo and chords: heard rightly, and scored against what belongs there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from workbench_metrics.music import (
    ChordAgreement,
    KeyAgreement,
    TempoAgreement,
    mirex_key_score,
    tempo_matches,
)
from workbench_metrics.music_analysis import (
    Triad,
    estimate_key,
    estimate_tempo,
    recognise_chords,
)

from workbench import Audio, Catalog, Context, EvaluationItem, Example, resample

RATE = 16000
PROMPT = 5.0
METRICS = {
    "key-agreement": KeyAgreement,
    "tempo-agreement": TempoAgreement,
    "chord-agreement": ChordAgreement,
}


def cut(audio: Audio, start: float, end: float) -> Audio:
    rate = audio.sample_rate
    return Audio(audio.samples[:, int(start * rate) : int(end * rate)], rate)


@pytest.fixture(scope="module")
def items(catalog: Catalog) -> list[EvaluationItem]:
    """24 pieces of the embedded music, whose true continuation counts as generated."""
    context = Context(catalog=catalog, device="cpu", seed=0)
    corpus = context.build("corpus", "synthetic-music", {"test": 24, "seconds": 10.0})
    result = []
    for example in corpus.examples("test"):
        audio = corpus.audio(example)
        truth = cut(audio, PROMPT, 10.0)
        result.append(EvaluationItem(example.id, example, truth, truth, cut(audio, 0, PROMPT)))
    return result


def figures(metric, items):
    for item in items:
        metric.update(item)
    return {figure.name: figure for figure in metric.compute()}


def synthetic_chord(root: int, quality: str, seconds: float = 2.0) -> np.ndarray:
    """A bass note and a triad, each with four harmonics."""
    time = np.arange(int(seconds * RATE)) / RATE
    third = 4 if quality == "major" else 3
    pitches = [36 + root, 60 + root, 60 + root + third, 60 + root + 7]
    notes = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    return sum(np.sin(2 * np.pi * f * k * time) / k for f in notes for k in (1, 2, 3, 4)) * 0.05


def audio_of(samples: np.ndarray) -> Audio:
    return Audio(torch.from_numpy(samples).float()[None], RATE)


def test_the_right_key_tempo_and_chords_are_heard_in_most_pieces(items):
    found = {}
    for metric in METRICS.values():
        found |= figures(metric(), items)
    assert found["key-agreement"].value > 0.9
    assert found["key-agreement-weighted"].value >= found["key-agreement"].value
    assert found["tempo-agreement"].value > 0.95
    assert 0.6 < found["tempo-agreement-strict"].value <= found["tempo-agreement"].value
    assert found["chord-agreement"].value > 0.9
    assert all(figure.higher_is_better and figure.n == len(items) for figure in found.values())


def test_other_pieces_agree_by_chance_only(items):
    swapped = [
        replace(item, generated=items[(number + 5) % len(items)].generated)
        for number, item in enumerate(items)
    ]
    found = {}
    for metric in METRICS.values():
        found |= figures(metric(), swapped)
    assert found["key-agreement"].value < 0.3
    assert found["tempo-agreement"].value < 0.5
    assert found["chord-agreement"].value < 0.3


def test_figures_hold_each_items_score_and_say_what_they_mean(items):
    found = figures(KeyAgreement(), items[:4])
    figure = found["key-agreement"]
    assert set(figure.per_item) == {item.id for item in items[:4]}
    assert set(figure.per_item.values()) <= {0.0, 1.0}
    assert figure.settings["against"] == "score"
    assert "key" in figure.settings["definition"]


def test_without_a_score_the_prompt_and_the_truth_stand_in(items):
    bare = [replace(item, example=Example(item.id, "test")) for item in items[:8]]
    key = figures(KeyAgreement(), bare)["key-agreement"]
    tempo = figures(TempoAgreement(), bare)["tempo-agreement"]
    chords = figures(ChordAgreement(), bare)["chord-agreement"]
    assert key.settings["against"] == tempo.settings["against"] == "estimate of the prompt"
    assert "true continuation" in chords.settings["against"]
    assert key.value > 0.7
    assert tempo.value > 0.7
    assert chords.value == 1.0  # the generated audio is the truth here
    alone = [replace(item, prompt=None) for item in bare]
    assert figures(KeyAgreement(), alone)["key-agreement"].value == 1.0
    against = figures(TempoAgreement(), alone)["tempo-agreement"].settings["against"]
    assert against == "estimate of the truth"


def test_chords_are_looked_for_after_the_prompt(items):
    """The prompt itself, taken for the continuation, has its chords at the wrong times."""
    right = figures(ChordAgreement(), items)["chord-agreement"].value
    late = [replace(item, generated=item.prompt) for item in items]
    assert figures(ChordAgreement(), late)["chord-agreement"].value < right - 0.2
    # Without a prompt, audio starts with the piece.
    whole = [
        replace(item, generated=item.prompt, reference=item.prompt, prompt=None) for item in items
    ]
    assert figures(ChordAgreement(), whole)["chord-agreement"].value > 0.9


def test_audio_that_ends_early_loses_the_chords_it_lacks(items):
    half = [replace(item, generated=cut(item.generated, 0, 2.5)) for item in items]
    assert 0.35 < figures(ChordAgreement(), half)["chord-agreement"].value < 0.65


@pytest.mark.parametrize("name", METRICS)
def test_silence_scores_nothing_and_a_silent_prompt_is_left_out(items, name):
    silence = Audio(torch.zeros(1, 5 * RATE), RATE)
    silent = [replace(item, generated=silence) for item in items[:3]]
    scored = figures(METRICS[name](), silent)
    assert scored
    assert all(figure.value == 0.0 for figure in scored.values())
    nothing = [
        replace(item, example=Example(item.id, "test"), prompt=silence, reference=silence)
        for item in items[:3]
    ]
    assert figures(METRICS[name](), nothing) == {}


def test_loudness_rate_and_channels_do_not_matter(items):
    for item in items[:4]:
        audio = item.generated
        louder = Audio(audio.samples * 3, RATE)
        stereo = Audio(resample(audio.samples, RATE, 44100).repeat(2, 1), 44100)
        segments = [(start, start + 0.5) for start in (0.5, 1.0, 1.5)]
        for other in (louder, stereo):
            assert estimate_key(other) == estimate_key(audio)
            assert estimate_tempo(other) == pytest.approx(estimate_tempo(audio), rel=0.02)
            assert recognise_chords(other, segments) == recognise_chords(audio, segments)


@pytest.mark.parametrize("quality", ["major", "minor"])
def test_plain_triads_are_recognised_on_every_root(quality):
    for root in range(12):
        chord = audio_of(synthetic_chord(root, quality))
        assert recognise_chords(chord, [(0.5, 1.5)]) == [Triad(root, quality)]


def test_each_segment_gets_the_chord_that_sounds_in_it():
    chords = [Triad(0, "major"), Triad(9, "minor"), Triad(5, "major"), Triad(7, "major")]
    sound = np.concatenate([synthetic_chord(c.root, c.quality, 0.6) for c in chords])
    segments = [(0.6 * i, 0.6 * (i + 1)) for i in range(4)]
    assert recognise_chords(audio_of(sound), segments) == chords
    assert recognise_chords(audio_of(sound), [(2.4, 3.0)]) == [None]


def test_very_short_audio_and_segments_are_heard_too():
    chord = audio_of(synthetic_chord(2, "minor", 0.1))
    assert estimate_key(chord) is not None
    assert recognise_chords(chord, [(0.04, 0.05)])[0] is not None
    assert estimate_tempo(chord) is None


@pytest.mark.parametrize("tempo", [80, 96, 110, 127, 140, 160])
def test_the_tempo_of_clicks_is_found(tempo):
    rng = np.random.default_rng(0)
    samples = np.zeros(5 * RATE)
    for beat in np.arange(0.1, 4.9, 60 / tempo):
        start = int(beat * RATE)
        samples[start : start + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
    assert tempo_matches(estimate_tempo(audio_of(samples)), tempo, octaves=True)


@pytest.mark.parametrize(
    ("heard", "truth", "score"),
    [
        ((0, "major"), (0, "major"), 1.0),
        ((7, "major"), (0, "major"), 0.5),
        ((5, "major"), (0, "major"), 0.0),
        ((4, "minor"), (9, "minor"), 0.5),
        ((9, "minor"), (0, "major"), 0.3),
        ((0, "major"), (9, "minor"), 0.3),
        ((0, "minor"), (0, "major"), 0.2),
        ((0, "major"), (0, "minor"), 0.2),
        ((3, "minor"), (0, "major"), 0.0),
        ((2, "major"), (0, "major"), 0.0),
    ],
)
def test_mirex_scores_of_near_misses(heard, truth, score):
    assert mirex_key_score(Triad(*heard), Triad(*truth)) == score


@pytest.mark.parametrize(
    ("heard", "strict", "loose"),
    [
        (100, True, True),
        (107.9, True, True),
        (108, True, True),
        (92.1, True, True),
        (109, False, False),
        (200, False, True),
        (50, False, True),
        (300, False, True),
        (33.4, False, True),
        (150, False, False),
    ],
)
def test_tempi_match_within_eight_percent_and_with_or_without_octaves(heard, strict, loose):
    assert tempo_matches(heard, 100, octaves=False) is strict
    assert tempo_matches(heard, 100, octaves=True) is loose


def test_metrics_come_from_the_catalog(catalog, items):
    context = Context(catalog=catalog, device="cpu", seed=0)
    for name in METRICS:
        assert name in figures(context.build("metric", name), items[:2])
