"""ABX: the same figures as its published definition, stated plainly, on the same items."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import mean

import pytest
import torch
from torch import Tensor

from workbench.evaluation.abx import (
    AbxErrors,
    Phone,
    abx_errors,
    abx_figures,
    angular,
    differing,
    draw_phones,
    frames_of,
)
from workbench.evaluation.dtw import Segments, warped_distances, whole_units

RATE = 50.0


def spoken(seed: int, speakers: int = 3, phones: str = "aiu", copies: int = 3):
    """Phones of 1 to 4 frames with some noise; each speaker is one recording. Integer features, so
    that ties happen."""
    generator = torch.Generator().manual_seed(seed)
    features, alignments = [], []
    for speaker in range(speakers):
        frames, spans = [], []
        for name in phones * copies:
            length = int(torch.randint(1, 5, (1,), generator=generator))
            centre = torch.full((length, 3), 1.0) + torch.eye(3)[phones.index(name) % 3] * 2
            noise = torch.randint(-2, 3, (length, 3), generator=generator)
            start = sum(len(f) for f in frames)
            frames.append(centre + noise)
            spans.append((start / RATE, (start + length) / RATE, name))
        features.append(torch.cat(frames))
        alignments.append((spans, f"speaker {speaker}"))
    return features, alignments


def plain_dtw(costs: list[list[float]]) -> float:
    """Cost over length of the cheapest path; ties: diagonal, then along the second item."""
    table: dict[tuple[int, int], tuple[float, int]] = {}
    for i in range(len(costs)):
        for j in range(len(costs[0])):
            ways = [table[p] for p in ((i - 1, j - 1), (i, j - 1), (i - 1, j)) if p in table]
            cost, steps = min(ways, key=lambda way: way[0]) if ways else (0, 0)
            table[i, j] = (cost + costs[i][j], steps + 1)
    cost, steps = table[len(costs) - 1, len(costs[0]) - 1]
    return cost / steps


def plain_distance(one: Tensor, other: Tensor, distance) -> float:
    return plain_dtw(whole_units(distance(one, other)).tolist()) / 1e6


def plain_abx(phones: list[Phone], features: list[Tensor], distance, across: bool) -> float:
    """Triple by triple; then the mean over contexts and Xs' speakers, speakers, pairs of phones."""

    def piece(phone: Phone) -> Tensor:
        return features[phone.clip][slice(*frames_of(phone, RATE, len(features[phone.clip])))]

    cells = defaultdict(list)
    for x in phones:
        for a in phones:
            fits = (a.speaker != x.speaker) if across else (a.speaker == x.speaker and a is not x)
            if a.name != x.name or a.context != x.context or not fits:
                continue
            near = plain_distance(piece(x), piece(a), distance)
            for b in phones:
                if b.name == a.name or b.context != a.context or b.speaker != a.speaker:
                    continue
                far = plain_distance(piece(x), piece(b), distance)
                error = 1.0 if far < near else 0.5 if far == near else 0.0
                cells[a.name, b.name, a.speaker, a.context, x.speaker].append(error)
    pairs = defaultdict(lambda: defaultdict(list))
    for (a, b, speaker, _, _), errors in cells.items():
        pairs[a, b][speaker].append(mean(errors))
    return mean(mean(mean(s) for s in speakers.values()) for speakers in pairs.values())


@pytest.mark.parametrize("context", ["any", "within", "triphone"])
@pytest.mark.parametrize("distance", [angular, differing])
def test_the_figures_are_those_of_the_definition(context, distance):
    # Two phones only, so that contexts repeat.
    sounds, copies = ("aiu", 3) if context == "any" else ("aiuaaiiuu", 2)
    features, alignments = spoken(1, phones=sounds, copies=copies)
    phones = draw_phones(alignments, context, most=5, seed=0)
    figures = abx_figures(abx_errors(phones, features, RATE, distance), {})
    assert [figure.name for figure in figures] == ["abx-within", "abx-across"]
    for figure, across in zip(figures, (False, True), strict=True):
        expected = plain_abx(phones, features, distance, across)
        assert 0 < figure.value < 1
        assert figure.value == pytest.approx(expected, abs=1e-9)


def test_warping_by_hand():
    # The cheapest path 0-0-1 has three steps; along the diagonal alone it can't go.
    costs = torch.tensor([[0, 4, 9], [4, 0, 3]]) * 1_000_000
    rows, columns = Segments(torch.tensor([0]), torch.tensor([2])), Segments(
        torch.tensor([0, 0]), torch.tensor([3, 2])
    )  # fmt: skip
    assert warped_distances(costs, rows, columns).tolist() == [[1.0, 0.0]]


def test_warped_distances_do_not_depend_on_the_other_items():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (12,), generator=generator)
    segments = Segments(lengths.cumsum(0) - lengths, lengths)
    frames = torch.randn(int(lengths.sum()), 4, generator=generator)
    costs = whole_units(torch.cdist(frames, frames))
    together = warped_distances(costs, segments, segments)
    for row in range(12):
        for column in range(12):
            one, other = (segments.pick(torch.tensor([n])) for n in (row, column))
            assert warped_distances(costs, one, other).item() == together[row, column]
            cut = costs[one.starts : one.starts + one.lengths]
            cut = cut[:, other.starts : other.starts + other.lengths]
            assert together[row, column] == pytest.approx(plain_dtw(cut.tolist()) / 1e6)


def test_phones_that_are_told_apart_give_no_error_and_noise_gives_chance():
    features, alignments = spoken(2, copies=6)
    phones = draw_phones(alignments, "any", most=10, seed=0)
    clear = [torch.zeros(len(f), 3) for f in features]
    for phone in phones:
        start, end = frames_of(phone, RATE, len(clear[phone.clip]))
        clear[phone.clip][start:end] = torch.eye(3)["aiu".index(phone.name)]
    for figure in abx_figures(abx_errors(phones, clear, RATE, angular), {}):
        assert figure.value == 0
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(f.shape, generator=generator) for f in features]
    for figure in abx_figures(abx_errors(phones, noise, RATE, angular), {}):
        assert figure.value == pytest.approx(0.5, abs=0.1)
        assert figure.low < figure.value < figure.high
    same = [torch.ones_like(f) for f in features]
    for figure in abx_figures(abx_errors(phones, same, RATE, angular), {}):
        assert figure.value == 0.5  # all ties


def test_one_speaker_has_no_figure_across_speakers():
    features, alignments = spoken(3, speakers=1)
    phones = draw_phones(alignments, "any", most=5, seed=0)
    (figure,) = abx_figures(abx_errors(phones, features, RATE, angular), {})
    assert figure.name == "abx-within"
    assert math.isnan(figure.low)


def test_the_draw_is_the_seeds_and_keeps_to_its_limit():
    _, alignments = spoken(4, copies=8)
    drawn = draw_phones(alignments, "any", most=4, seed=1)
    assert drawn == draw_phones(alignments, "any", most=4, seed=1)
    assert drawn != draw_phones(alignments, "any", most=4, seed=2)
    counts = defaultdict(int)
    for phone in drawn:
        counts[phone.speaker, phone.name] += 1
    assert set(counts.values()) == {4}


def test_frames_are_those_whose_middles_lie_in_a_phone():
    def cut(onset: float, offset: float, rate: float) -> tuple[int, int]:
        return frames_of(Phone(0, onset, offset, "a", (), "s"), rate, 10)

    assert cut(0.04, 0.10, 50) == (2, 5)  # middles at .05, .07, .09
    assert cut(0.051, 0.10, 50) == (3, 5)
    assert cut(0.03, 0.06, 50) == (1, 3)  # a middle on the border counts
    assert cut(0.041, 0.049, 50) == (2, 3)  # shorter than a frame: where its middle lies
    assert cut(0.19, 0.30, 50) == (9, 10)  # beyond the last frame


def test_an_empty_table_gives_no_figure():
    nothing = AbxErrors(torch.empty(0, 0).numpy(), torch.empty(0, 0).numpy())
    assert abx_figures(nothing, {}) == []
