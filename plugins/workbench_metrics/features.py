"""Features of audio from any registered semantic encoder, computed once a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from workbench import (
    Audio,
    BuildContext,
    SemanticEncoder,
    audio_hash,
    convert,
    freeze_judge,
    judge_key,
)

MEMORY_LIMIT = 512 * 2**20
"""Bytes of features kept; clips beyond that are computed anew for each system."""


class FeatureExtractor:
    """A frozen encoder that resamples, and remembers what it has already heard.

    The truth and the prompts are the same for every system of a table, so remembering halves the
    work. Clips are recognised by their content.
    """

    def __init__(
        self, encoder: SemanticEncoder, device: str, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self.encoder = encoder
        self.device = device
        self.memory_limit = memory_limit
        self.fingerprint = freeze_judge(encoder)
        self._known: dict[str, NDArray[np.float32]] = {}
        self._bytes = 0

    def __call__(self, audio: Audio) -> NDArray[np.float32]:
        """Features float32 ``[F, D]`` of ``audio``, its channels averaged."""
        key = audio_hash(audio)
        if key in self._known:
            return self._known[key]
        features = self._compute(audio)
        if self._bytes + features.nbytes <= self.memory_limit:
            self._bytes += features.nbytes
            self._known[key] = features
        return features

    @torch.inference_mode()
    def _compute(self, audio: Audio) -> NDArray[np.float32]:
        wav = convert(audio, self.encoder.sample_rate, 1).samples.to(self.device)
        features: NDArray[np.float32] = self.encoder(wav)[0].T.float().cpu().numpy()
        return features


_shared: WeakValueDictionary[str, FeatureExtractor] = WeakValueDictionary()


def shared_extractor(
    name: str, options: Mapping[str, Any], context: BuildContext
) -> FeatureExtractor:
    """The extractor of this encoder and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    extractor = _shared.get(key)
    if extractor is None:
        encoder = context.build("semantic_encoder", name, options)
        extractor = _shared[key] = FeatureExtractor(encoder, context.device)
    return extractor
