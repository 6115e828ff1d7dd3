"""K-means finds separate groups, and is a function of its generator."""

from __future__ import annotations

import pytest
import torch

from workbench import kmeans, nearest


def groups() -> torch.Tensor:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    generator = torch.Generator().manual_seed(0)
    return (centres[:, None] + 0.1 * torch.randn(4, 50, 2, generator=generator)).flatten(0, 1)


def test_finds_separate_groups() -> None:
    points = groups()
    labels = nearest(points, kmeans(points, 4, 5, torch.Generator().manual_seed(1)))
    by_group = labels.view(4, 50)
    assert bool((by_group == by_group[:, :1]).all())
    assert len(set(by_group[:, 0].tolist())) == 4


def test_depends_on_the_generator_alone() -> None:
    points = groups()
    one, same = (kmeans(points, 7, 3, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(one, same)


def test_nearest_is_exact_across_chunks() -> None:
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(20_000, 3, generator=generator)
    centroids = torch.randn(9, 3, generator=generator)
    assert torch.equal(nearest(points, centroids), torch.cdist(points, centroids).argmin(1))


def test_equal_points_leave_no_cluster_undefined() -> None:
    centroids = kmeans(torch.ones(10, 2), 3, 4, torch.Generator().manual_seed(0))
    assert torch.equal(centroids, torch.ones(3, 2))


def test_too_few_points() -> None:
    with pytest.raises(ValueError, match="2 points can't make 3 clusters"):
        kmeans(torch.zeros(2, 1), 3, 1, torch.Generator())
