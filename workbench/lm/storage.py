"""Build, save and load language models: a folder with ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import torch

from workbench.api.errors import WeightsError
from workbench.lm.config import LMConfig
from workbench.lm.transformer import TransformerLM
from workbench.weights import SAFETENSORS, load_tensors, read_json, read_tensors, save_tensors

CONFIG = "config.json"


def build_model(config: LMConfig, seed: int, start: Path | None = None) -> TransformerLM:
    """A new model, initialised from ``seed`` alone, or from the weights in the folder ``start``.

    The weights of ``start`` must have the same shapes; dropout and context may differ.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TransformerLM(config)
    if start is not None:
        load_tensors(model, read_tensors(start / SAFETENSORS), str(start))
    return model


def save_model(model: TransformerLM, folder: Path) -> None:
    """Write configuration and weights to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(asdict(model.config), indent=2) + "\n")
    save_tensors(model, folder / SAFETENSORS)


def load_model(folder: Path, device: str | torch.device = "cpu") -> TransformerLM:
    """The model that :func:`save_model` wrote to ``folder``, in eval mode."""
    settings = read_json(folder / CONFIG)
    unknown = sorted(set(settings) - {field.name for field in fields(LMConfig)})
    if unknown:
        raise WeightsError(f"{folder / CONFIG}: unknown settings {', '.join(unknown)}")
    try:
        config = LMConfig(**settings)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{folder / CONFIG}: {error}") from error
    model = TransformerLM(config)
    load_tensors(model, read_tensors(folder / SAFETENSORS), str(folder))
    return model.to(device).eval()
