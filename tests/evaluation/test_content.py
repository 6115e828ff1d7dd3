"""Probes: they find what features hold, on recordings they were not fitted on, and nothing else."""

from __future__ import annotations

import pytest
import torch

from workbench import Example
from workbench.evaluation.content import Features, held_out, probe_frames, probe_whole
from workbench.evaluation.labels import (
    UNKNOWN,
    chords,
    frame_labels,
    labels_of,
    melody,
    numbered,
    phones,
)
from workbench.evaluation.probes import PENALTIES, linear_scores

CENTRES = torch.randn(4, 6, generator=torch.Generator().manual_seed(9)) * 3
NAMES = "abcd"


def spoken(seed: int, clips: int = 6, spread: float = 0.3):
    """Recordings of 20 frames at 10 a second, a label for each half second, then a pause."""
    generator = torch.Generator().manual_seed(seed)
    features, spans = [], []
    for _ in range(clips):
        kinds = torch.randint(4, (3,), generator=generator)
        frames = torch.cat([CENTRES[kinds].repeat_interleave(5, 0), torch.zeros(5, 6)])
        features.append(frames + spread * torch.randn(frames.shape, generator=generator))
        spans.append([(i / 2, (i + 1) / 2, NAMES[kind]) for i, kind in enumerate(kinds)])
    return features, spans


def frame_figure(seed: int = 0, spread: float = 0.3, noise: bool = False):
    (train, known), (test, asked) = spoken(1, 12, spread), spoken(2, 6, spread)
    if noise:
        generator = torch.Generator().manual_seed(3)
        test = [torch.randn(x.shape, generator=generator) for x in test]
        train = [torch.randn(x.shape, generator=generator) for x in train]
    ids = [f"clip {number}" for number in range(6)]
    return probe_frames("phone", Features(10.0, train, test), known, asked, ids, seed)


def test_labels_of_frames_are_found_where_they_are_there():
    assert frame_figure().value > 0.97
    assert frame_figure(noise=True).value < 0.5


def test_a_frame_figure_weighs_recordings_by_their_labelled_frames():
    figure = frame_figure(spread=3.0)
    assert figure.n == 6
    assert set(figure.weights.values()) == {15.0}  # the pause does not count
    assert figure.low < figure.value < figure.high


def test_labels_that_training_lacks_are_never_found():
    features, spans = spoken(1, 8)
    renamed = [[(s, e, "new") for s, e, _ in each] for each in spans]
    ids = [str(n) for n in range(8)]
    figure = probe_frames("phone", Features(10.0, features, features), spans, renamed, ids, 0)
    assert figure.value == 0


def whole(seed: int, clips: int = 24):
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(4, (clips,), generator=generator).tolist()
    features = [
        CENTRES[kind] + torch.randn(7, 6, generator=generator) for kind in kinds
    ]  # fmt: skip
    return features, [[NAMES[kind]] for kind in kinds]


def test_labels_of_whole_recordings():
    (train, known), (test, asked) = whole(1), whole(2)
    ids = [str(n) for n in range(24)]
    figure = probe_whole("genre", Features(10.0, train, test), known, asked, ids)
    assert figure.value > 0.95
    assert figure.settings["definition"].startswith("share of test recordings whose genre")
    shuffled = asked[5:] + asked[:5]
    assert probe_whole("genre", Features(10.0, train, test), known, shuffled, ids).value < 0.6


def test_speakers_are_sought_among_the_test_recordings_alone():
    test, asked = whole(3)
    ids = [str(n) for n in range(24)]
    figure = probe_whole("speaker", Features(10.0, [], test), [], asked, ids)
    assert figure.value > 0.9
    assert figure.n == 24


def test_several_labels_are_ranked():
    generator = torch.Generator().manual_seed(4)
    table = torch.rand(60, 4, generator=generator) < 0.4
    table[:, 0] |= ~table.any(dim=1)
    features = [
        row.float() @ CENTRES + 0.1 * torch.randn(5, 6, generator=generator) for row in table
    ]
    labels = [[NAMES[i] for i in row.nonzero().flatten().tolist()] for row in table]
    ids = [str(n) for n in range(30)]
    figure = probe_whole(
        "event", Features(10.0, features[:30], features[30:]), labels[:30], labels[30:], ids
    )
    assert figure.value > 0.95
    nothing = [torch.zeros(5, 1)] * 30
    floor = probe_whole("event", Features(10.0, nothing, nothing), labels[:30], labels[30:], ids)
    assert 0.4 < floor.value < 0.9  # the ranking by how common labels are


def test_average_precision_by_hand():
    # Trained so that the ranking is a, b, c: wanted a and c are at ranks 1 and 3: (1 + 2/3) / 2.
    known = [["a"], ["a"], ["a"], ["b"], ["b"], ["c"]]
    flat = [torch.zeros(1, 1)] * 6
    figure = probe_whole("event", Features(1.0, flat, flat[:2]), known, [["a", "c"], ["b"]], "xy")
    assert figure.per_item == {"x": pytest.approx(5 / 6), "y": pytest.approx(1 / 2)}


def test_recordings_of_tested_speakers_are_not_trained_on():
    def by(*speakers: str | None) -> list[Example]:
        return [Example(str(n), "train", speaker=s) for n, s in enumerate(speakers)]

    assert held_out(by("x", "y", None, "x"), by("x", "z", None)) == [1, 2]


def test_the_penalty_suits_the_features():
    """A wide and noisy table, as a probe gets it from a large codec: near the best of all."""
    generator = torch.Generator().manual_seed(5)
    truth = torch.randn(5, 2, generator=generator, dtype=torch.float64)

    def rows(count: int, width: int):
        points = torch.randn(count, width, generator=generator, dtype=torch.float64)
        noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        return points, points[:, :5] @ truth + noise

    for width in (20, 300):  # fewer columns than rows, and more
        train, test = rows(120, width), rows(400, width)
        error = (linear_scores(*train, test[0]) - test[1]).square().mean()
        ridge = [
            torch.linalg.solve(
                train[0].T @ train[0] + p * 120 * torch.eye(width), train[0].T @ train[1]
            )
            for p in PENALTIES
        ]
        best = min((test[0] @ w - test[1]).square().mean() for w in ridge)
        assert error < 1.15 * best


def test_constant_features_predict_the_mean():
    targets = torch.tensor([[1.0, 0], [0, 1], [0, 1]])
    found = linear_scores(torch.ones(3, 2), targets, torch.ones(1, 2))
    assert found.tolist() == [[pytest.approx(1 / 3), pytest.approx(2 / 3)]]


def test_what_details_say():
    example = Example(
        "x", "test", speaker="s", language="en",
        details={
            "alignment": [[0.0, 0.1, "ˈa"]],
            "chords": [{"start": 0, "end": 1.5, "root": 7, "quality": "minor"}],
            "notes": [[0.5, 0.25, 62, "melody"], [0.5, 0.25, 38, "drums"]],
            "key": {"tonic": 7, "mode": "minor"},
            "instruments": {"melody": "flute", "bass": "sub bass"},
            "events": [{"kind": "dog"}, {"kind": "rain"}, {"kind": "dog"}],
            "accent": "native", "fold": 3, "inner": {"tags": ["x", "y"]},
        },
    )  # fmt: skip
    assert phones(example) == [(0.0, 0.1, "a")]
    assert chords(example) == [(0, 1.5, "7 minor")]
    assert melody(example) == [(0.5, 0.75, "2")]
    wanted = {
        "speaker": ["s"], "language": ["en"], "accent": ["native"], "key": ["7 minor"],
        "instrument": ["flute"], "event": ["dog", "rain"], "fold": ["3"], "inner.tags": ["x", "y"],
        "emotion": [], "genre": [], "nothing": [],
    }  # fmt: skip
    assert {name: labels_of(example, name) for name in wanted} == wanted
    assert labels_of(Example("x", "test", details={"labels": ["bell"]}), "event") == ["bell"]


def test_frames_are_labelled_at_their_middles():
    spans = [(0.0, 0.26, "a"), (0.26, 0.4, "b"), (0.6, 0.7, "c")]
    found = frame_labels(spans, 8, 10.0, numbered(["a", "b"]))
    assert found.tolist() == [0, 0, 0, 1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
