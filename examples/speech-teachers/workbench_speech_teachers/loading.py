"""Transformers' models with random weights, or with those of a checkpoint."""

from __future__ import annotations

from typing import Any

import torch

from workbench import (
    load_tensors,
    model_config,
    read_json,
    read_tensors,
    strip_prefix,
    weights_folder,
)


def random_model(kind: Any, config: Any, seed: int) -> Any:
    """A model of class ``kind``, a function of ``seed``; the global random state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


def load_model(
    kind: Any,
    config_class: Any,
    weights: str,
    prefixes: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> Any:
    """The model that ``weights`` names, of a checkpoint that may keep it below ``prefixes``."""
    folder = weights_folder(weights)
    config = model_config(config_class, read_json(folder / "config.json"), weights)
    model = kind(config)
    tensors = read_tensors(folder)
    for prefix in prefixes:
        tensors = strip_prefix(tensors, prefix)
    load_tensors(model, tensors, weights, optional)
    return model
