"""Builds judges from every place that weights may come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from workbench import WeightsError, load_tensors, read_json, read_tensors, weights_folder
from workbench_speech.plugin import JudgeSize, RecogniserOptions, SpeakerOptions
from workbench_speech.recogniser import CharacterRecogniser
from workbench_speech.speaker import VoiceEncoder

if TYPE_CHECKING:
    from workbench_speech.transformers_models import (
        PretrainedRecogniser,
        PretrainedVoiceEncoder,
        PretrainedWhisper,
    )

_WEIGHTS = Path(__file__).parent / "weights"
WHISPER = "whisper"


def load_recogniser(
    options: RecogniserOptions, seed: int
) -> CharacterRecogniser | PretrainedRecogniser | PretrainedWhisper:
    """The recogniser that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return CharacterRecogniser(options.size, "", *training_options(options))
    folder = weights_folder(options.weights, _WEIGHTS / "recogniser")
    config = read_json(folder / "config.json")
    if "judge" not in config:
        from workbench_speech.transformers_models import PretrainedRecogniser, PretrainedWhisper

        whisper = config.get("model_type") == WHISPER
        return (PretrainedWhisper if whisper else PretrainedRecogniser)(folder, options.weights)
    expect_judge(config, "recogniser", options.weights)
    model = CharacterRecogniser(
        JudgeSize(**config["size"]), config["alphabet"], *training_options(options)
    )
    load_tensors(model, read_tensors(folder), options.weights)
    return model


def training_options(options: RecogniserOptions) -> tuple[float, float, float, float]:
    """What training does to what the recogniser hears."""
    return options.variety, options.pace, options.hidden, options.smoothing


def load_voice_encoder(options: SpeakerOptions, seed: int) -> VoiceEncoder | PretrainedVoiceEncoder:
    """The speaker encoder that ``options`` describe, on the CPU."""
    if options.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return VoiceEncoder(options.size, options.dim, options.variety)
    folder = weights_folder(options.weights, _WEIGHTS / "speaker")
    config = read_json(folder / "config.json")
    if "judge" not in config:
        from workbench_speech.transformers_models import PretrainedVoiceEncoder

        return PretrainedVoiceEncoder(folder, options.weights)
    expect_judge(config, "speaker", options.weights)
    model = VoiceEncoder(JudgeSize(**config["size"]), config["embedding"], options.variety)
    load_tensors(model, read_tensors(folder), options.weights)
    return model


def expect_judge(config: dict[str, Any], wanted: str, source: str) -> None:
    """Complain where a folder holds another of our judges."""
    if config["judge"] != wanted:
        raise WeightsError(f"weights {source!r}: a {config['judge']}, not a {wanted}")
