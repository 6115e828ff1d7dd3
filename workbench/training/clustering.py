"""K-means on the tensor's own device, deterministic for a given generator."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 16384
"""Points compared with all centroids at a time; bounds the memory of the distance table."""


def nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Index int64 ``[N]`` of the centroid (``[K, D]``) nearest to each of ``[N, D]`` points."""
    offsets = centroids.square().sum(dim=1)
    parts = [
        torch.addmm(offsets, chunk, centroids.T, alpha=-2.0).argmin(dim=1)
        for chunk in torch.split(points, _CHUNK)
    ]
    return torch.cat(parts)


def kmeans(points: Tensor, clusters: int, iterations: int, generator: torch.Generator) -> Tensor:
    """Centroids float32 ``[clusters, D]`` of points ``[N, D]``, by Lloyd's algorithm.

    Starts from k-means++ (Arthur and Vassilvitskii, 2007); a cluster that loses all its points is
    given a random one. ``generator`` lives on the CPU.
    """
    if len(points) < clusters:
        raise ValueError(f"{len(points)} points can't make {clusters} clusters")
    centroids = _spread_seeds(points, clusters, generator)
    for _ in range(iterations):
        labels = nearest(points, centroids)
        sums = torch.zeros_like(centroids).index_add_(0, labels, points)
        counts = torch.bincount(labels, minlength=clusters)
        centroids = sums / counts.clamp_min(1).unsqueeze(1)
        empty = torch.nonzero(counts == 0).flatten()
        if len(empty):
            spare = torch.randint(len(points), (len(empty),), generator=generator)
            centroids[empty] = points[spare.to(points.device)]
    return centroids


def _spread_seeds(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """Points drawn one by one, each in proportion to its squared distance from those before."""
    first = int(torch.randint(len(points), (1,), generator=generator))
    chosen = [points[first]]
    distance = (points - chosen[0]).square().sum(dim=1)
    for _ in range(clusters - 1):
        cumulative = distance.double().cumsum(dim=0)
        draw = float(torch.rand(1, generator=generator, dtype=torch.float64))
        target = (draw * cumulative[-1]).unsqueeze(0)
        index = int(torch.searchsorted(cumulative, target, right=True).clamp_max(len(points) - 1))
        chosen.append(points[index])
        distance = torch.minimum(distance, (points - chosen[-1]).square().sum(dim=1))
    return torch.stack(chosen)
