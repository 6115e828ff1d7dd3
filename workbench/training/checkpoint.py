"""Checkpoints from which a killed run goes on exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from workbench.api.errors import WeightsError


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` so that a kill at any moment leaves either the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; tensors and plain values only, never code."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"{path}: can't be read as a checkpoint ({error}). Delete it to train from the start."
        ) from error
    return state
