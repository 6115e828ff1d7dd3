"""Probes and purity: what they find in features whose content is known."""

import math

import pytest
import torch

from workbench import cluster_purity, linear_probe, normalised_information


def labelled(spread: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around five fixed centres, and the number of each one's centre."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)) * 3
    labels = torch.randint(5, (600,), generator=generator)
    return centres[labels] + spread * torch.randn(600, 8, generator=generator), labels


def test_a_probe_finds_what_is_linearly_there() -> None:
    features, labels = labelled(0.5, 1)
    test_features, truth = labelled(0.5, 2)
    assert (linear_probe(features, labels, test_features) == truth).double().mean() > 0.98


def test_a_probe_names_labels_as_they_were_given() -> None:
    features, labels = labelled(0.5, 1)
    found = linear_probe(features, labels * 100 + 7, features)
    assert set(found.tolist()) <= {7, 107, 207, 307, 407}


def test_a_probe_finds_nothing_in_noise() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(5, (600,), generator=generator)
    found = linear_probe(
        torch.randn(600, 8, generator=generator), labels, torch.randn(600, 8, generator=generator)
    )
    assert (found == labels).double().mean() < 0.3


def test_information_by_hand() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    assert normalised_information(torch.tensor([5, 5, 9, 9]), labels) == pytest.approx(1.0)
    assert normalised_information(torch.tensor([4, 4, 4, 4]), labels) == pytest.approx(0.0)
    # Units 0 0 0 1: H(labels | units) = 3/4 H(1/3), H(labels) = ln 2.
    third = -(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3)
    told = normalised_information(torch.tensor([0, 0, 0, 1]), labels)
    assert told == pytest.approx(1 - 0.75 * third / math.log(2))


def test_purity_is_high_where_clusters_are_labels_and_low_in_noise() -> None:
    features, _ = labelled(0.3, 1)
    test_features, truth = labelled(0.3, 2)
    noise = torch.randn(600, 8, generator=torch.Generator().manual_seed(4))
    assert cluster_purity(features, test_features, truth, clusters=5) > 0.95
    assert cluster_purity(noise, noise, truth, clusters=5) < 0.1
