"""A transformers model of the HuBERT family as a semantic encoder.

HuBERT, WavLM, MERT and their kin share one interface: raw audio in, a stack of hidden states out,
one frame for each stride of the convolutions. This module gives it the form that the workbench's
engine wants; plugins supply the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.api.errors import RecipeError
from workbench.audio.longform import (
    LANDMARKS,
    Geometry,
    Survey,
    hear_window,
    survey_recording,
)
from workbench.weights import read_json, save_tensors

_PREPROCESSOR = "preprocessor_config"

Layers = str | Sequence[int]
"""``"mean"`` (over all hidden states, the embedding output included) or hidden-state indices."""


class WaveformEncoder(nn.Module):
    """Features ``[B, D, F]`` of mono audio ``[B, T]``: the mean over chosen hidden states.

    Hidden state 0 is the embedding output (what the first layer is given), i the output of layer i;
    the last one is the model's output, final layer norm included where the model has one. The
    default, the mean over all of them, is X-Codec's target S* (arXiv 2408.17175).

    It does not pad: F = (T - receptive field) // hop + 1, where audio shorter than the receptive
    field is filled up with zeros to give one frame. The engine that aligns frames pads by half a
    hop on each side, which gives T / hop frames for whole hops. ``normalize`` scales each waveform
    to zero mean and unit variance first, as checkpoints with ``do_normalize`` expect; X-Codec's
    reference feeds its teachers raw audio.
    """

    def __init__(
        self, model: nn.Module, sample_rate: int, layers: Layers = "mean", normalize: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        config: Any = model.config
        self.sample_rate = sample_rate
        self.normalize = normalize
        self.dim = int(config.hidden_size)
        self.hop, self.receptive_field = convolution_geometry(
            config.conv_kernel, config.conv_stride
        )
        self.geometry = Geometry(sample_rate, self.hop, self.receptive_field)
        self.landmarks = LANDMARKS
        self.frame_rate = sample_rate / self.hop
        self.depth = int(config.num_hidden_layers)
        self.layers = check_layers(layers, self.depth)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Float32 ``[B, D, F]`` of float32 ``[B, T]``, T at least 1."""
        return self._features(self.hidden_states(wav))

    def survey(self, blocks: Iterable[Tensor], samples: int) -> Survey:
        """What stretches need to know of a long recording: see :mod:`workbench.audio.longform`."""
        return survey_recording(
            self.model, self.geometry, self.normalize, blocks, samples, self.landmarks
        )

    def within(self, wav: Tensor, survey: Survey, start: int) -> Tensor:
        """Features of the stretch ``[1, T]`` of a recording from sample ``start`` on."""
        output = hear_window(self.model, wav, survey, start, self.geometry)
        return self._features((*output.hidden_states[:-1], output.last_hidden_state))

    def _features(self, states: Sequence[Tensor]) -> Tensor:
        """Mean over the chosen hidden states, ``[B, D, F]``."""
        chosen = [states[index] for index in self.layers]
        return torch.stack(chosen).mean(dim=0).transpose(1, 2)

    def hidden_states(self, wav: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """All hidden states, each ``[B, F, D]``; frames where bool ``mask`` ``[B, F]`` are hidden.

        Transformers 5 records the last state of models with ``do_stable_layer_norm`` before their
        final layer norm; earlier versions, with which the published layer choices were made,
        recorded it after. This keeps to the latter.
        """
        if self.normalize:
            mean = wav.mean(dim=-1, keepdim=True)
            variance = wav.var(dim=-1, keepdim=True, unbiased=False)
            wav = (wav - mean) / torch.sqrt(variance + 1e-7)
        wav = F.pad(wav, (0, max(0, self.receptive_field - wav.shape[-1])))
        output: Any = self.model(wav, mask_time_indices=mask, output_hidden_states=True)
        return (*output.hidden_states[:-1], output.last_hidden_state)

    def save(
        self, folder: Path, half: bool = False, extra: Mapping[str, Any] | None = None
    ) -> None:
        """Write model and preprocessing to ``folder`` in Hugging Face's layout.

        ``half`` stores float16: half the size, at the price of three decimal digits. ``extra`` goes
        into ``config.json``.
        """
        save_tensors(self.model, folder / "model.safetensors", half)
        config: Any = self.model.config
        described = {**config.to_dict(), "sample_rate": self.sample_rate, **(extra or {})}
        preprocessor = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "do_normalize": self.normalize,
            "sampling_rate": self.sample_rate,
        }
        for name, content in (("config", described), (_PREPROCESSOR, preprocessor)):
            text = json.dumps(content, indent=2, sort_keys=True)
            (folder / f"{name}.json").write_text(text + "\n")

    def frames(self, samples: int) -> int:
        """Number of frames F for ``samples`` at ``sample_rate``."""
        return self.geometry.frames(samples)


def convolution_geometry(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Hop and receptive field, in samples, of a stack of unpadded convolutions."""
    hop, field = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return hop, field


def wants_normalized(folder: Path) -> bool:
    """Whether a checkpoint's preprocessing scales audio to zero mean and unit variance."""
    path = folder / f"{_PREPROCESSOR}.json"
    return path.is_file() and bool(read_json(path).get("do_normalize", False))


def check_layers(layers: Layers, depth: int) -> tuple[int, ...]:
    """Indices into the ``depth + 1`` hidden states; negative ones count from the end."""
    if layers == "mean":
        return tuple(range(depth + 1))
    allowed = f"'mean' or a list of integers from {-depth - 1} to {depth}"
    if isinstance(layers, str) or not layers:
        raise RecipeError([f"layers: {layers!r} is not allowed; give {allowed}"], "encoder options")
    wrong = [index for index in layers if not -depth - 1 <= index <= depth]
    if wrong:
        raise RecipeError([f"layers: no hidden states {wrong}; give {allowed}"], "encoder options")
    return tuple(index % (depth + 1) for index in layers)
