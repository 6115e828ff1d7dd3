"""Builds taggers from every place that weights may come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from workbench import WeightsError, load_tensors, read_json, read_tensors, weights_folder
from workbench_tags.network import SoundTagger
from workbench_tags.plugin import TaggerOptions, TaggerSize

if TYPE_CHECKING:
    from workbench_tags.transformers_models import PretrainedTagger

_WEIGHTS = Path(__file__).parent / "weights" / "tagger"


def load_tagger(options: TaggerOptions, seed: int) -> SoundTagger | PretrainedTagger:
    """The tagger that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _tagger(options, options.size, tuple(options.classes))
    folder = weights_folder(options.weights, _WEIGHTS)
    config = read_json(folder / "config.json")
    if "tagger" not in config:
        from workbench_tags.transformers_models import PretrainedTagger

        return PretrainedTagger(
            folder,
            options.weights,
            options.window_seconds,
            options.hop_seconds,
            options.independent,
        )
    try:
        size, classes = TaggerSize(**config["size"]), tuple(config["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"weights {options.weights!r}: config.json is no tagger's ({error})"
        ) from error
    model = _tagger(options, size, classes)
    load_tensors(model, read_tensors(folder), options.weights)
    return model


def _tagger(options: TaggerOptions, size: TaggerSize, classes: tuple[str, ...]) -> SoundTagger:
    return SoundTagger(size, classes, options.variety, options.smoothing)
