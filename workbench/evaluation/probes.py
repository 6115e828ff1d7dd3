"""What features tell: linear probes, and the share of a label's entropy that clusters explain.

:func:`linear_probe` has one fixed penalty. :func:`linear_scores` chooses it from the training data,
so that features of any width are probed alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.training.clustering import kmeans, nearest

RIDGE = 10.0
"""Penalty on a probe's weights; features are z-scored first."""
PENALTIES = tuple(10.0**power for power in range(-6, 2))
"""What :func:`linear_scores` chooses from, for each row of features."""
CLUSTER_POINTS = 20_000
CLUSTER_ITERATIONS = 25


def linear_probe(features: Tensor, labels: Tensor, test_features: Tensor) -> Tensor:
    """Labels int64 ``[M]`` of ``test_features [M, D]``, by ridge regression to one-hot labels.

    Fitted in closed form on ``features [N, D]`` and ``labels [N]``, so that there is nothing to
    tune and two runs agree.
    """
    classes, indices = torch.unique(labels, return_inverse=True)
    mean, scale = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
    points = _with_bias((features - mean) / scale)
    targets = torch.nn.functional.one_hot(indices, len(classes)).double()
    gram = points.T @ points + RIDGE * torch.eye(points.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, points.T @ targets)
    scores = _with_bias((test_features - mean) / scale) @ weights
    found: Tensor = classes[scores.argmax(dim=1)]
    return found


def linear_scores(features: Tensor, targets: Tensor, test_features: Tensor) -> Tensor:
    """Predictions float64 ``[M, C]`` for ``test_features [M, D]``, by ridge regression.

    Fitted on ``features [N, D]``, z-scored, and ``targets [N, C]``, with the penalty that has the
    least generalised cross-validation error (Golub, Heath and Wahba 1979), in closed form.
    """
    mean, scale = features.double().mean(dim=0), features.double().std(dim=0)
    scale = torch.where(scale > 1e-6, scale, 1.0)  # what is the same everywhere tells nothing
    points, centre = (features.double() - mean) / scale, targets.double().mean(dim=0)
    wanted, count = targets.double() - centre, len(features)
    wide = points.shape[1] > count
    # The eigenvalues of points^T points, or those of points points^T where that is the smaller.
    values, vectors = torch.linalg.eigh(points @ points.T if wide else points.T @ points)
    values = values.clamp_min(0)
    shares = vectors.T @ (wanted if wide else points.T @ wanted)
    squares = shares.square().sum(dim=1) * (values if wide else 1)
    penalties = [power * count for power in PENALTIES]
    errors = []
    for penalty in penalties:
        explained = (squares * (values + 2 * penalty) / (values + penalty).square()).sum()
        freedom = float((values / (values + penalty)).sum()) + 1
        left = max(1e-9, 1 - freedom / count)
        errors.append(float(wanted.square().sum() - explained) / left**2)
    penalty = penalties[errors.index(min(errors))]
    weights = vectors @ (shares / (values + penalty)[:, None])
    weights = points.T @ weights if wide else weights
    predicted: Tensor = (test_features.double() - mean) / scale @ weights + centre
    return predicted


def cluster_purity(
    features: Tensor, test_features: Tensor, labels: Tensor, clusters: int = 100, seed: int = 0
) -> float:
    """:func:`normalised_information` of ``labels [M]`` in clusters of ``test_features [M, D]``.

    The clusters are found in ``features [N, D]``, z-scored.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, scale = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
    chosen = torch.randperm(len(features), generator=generator)[:CLUSTER_POINTS]
    points = (features[chosen] - mean) / scale
    centroids = kmeans(points, clusters, CLUSTER_ITERATIONS, generator)
    return normalised_information(nearest((test_features - mean) / scale, centroids), labels)


def normalised_information(units: Tensor, labels: Tensor) -> float:
    """Share of the labels' entropy that the units tell, 0 to 1; both int64 ``[N]``.

    With phones as labels this is HuBERT's phone-normalised mutual information (PNMI, arXiv
    2106.07447, section IV-C). It grows with the number of units: compare like with like.
    """
    classes, rows = torch.unique(labels, return_inverse=True)
    kinds, columns = torch.unique(units, return_inverse=True)
    joint = torch.bincount(columns * len(classes) + rows, minlength=len(kinds) * len(classes))
    table = (joint.double() / len(labels)).view(len(kinds), len(classes))
    marginal = table.sum(dim=0)
    product = table.sum(dim=1, keepdim=True) * marginal
    seen = table > 0
    information = (table[seen] * (table[seen] / product[seen]).log()).sum()
    return float(information / -(marginal * marginal.log()).sum())


def _with_bias(points: Tensor) -> Tensor:
    return torch.cat([points.double(), torch.ones(len(points), 1, dtype=torch.float64)], dim=1)
