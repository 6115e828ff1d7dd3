"""Published judges through transformers: CTC recognisers, Whisper, and x-vector speaker encoders.

Only tensors are read: transformers loads pickles with ``weights_only`` and runs no remote code
unless it is told to. One recording at a time, since padding changes what these models hear.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoFeatureExtractor,
    AutoModelForAudioXVector,
    AutoModelForCTC,
    AutoProcessor,
    WhisperForConditionalGeneration,
)

from workbench import WeightsError

WHISPER_LANGUAGES = {"cmn": "zh"}
"""Whisper's codes where they differ from espeak's."""
WHISPER_SECONDS = 30
"""Whisper hears windows of this length."""


class PretrainedRecogniser(nn.Module):
    """A CTC model (HuBERT, wav2vec 2.0, WavLM) with the tokenizer that lies beside it."""

    def __init__(self, folder: Path, source: str) -> None:
        super().__init__()
        self.processor = _load(AutoProcessor, folder, source)
        self.model = _load(AutoModelForCTC, folder, source).eval()
        self.sample_rate = int(self.processor.feature_extractor.sampling_rate)
        self.frame_rate = self.sample_rate / _hop(self.model.config)
        self.dim = int(self.model.config.hidden_size)

    def forward(self, wav: Tensor) -> Tensor:
        """Last hidden state float32 ``[B, D, F]`` of mono audio float32 ``[B, T]``."""
        heard = _at_least(_normalised(wav, self.processor.feature_extractor), self.model.config)
        features: Tensor = self.model(heard, output_hidden_states=True).hidden_states[-1]
        return features.transpose(1, 2)

    @torch.inference_mode()
    def transcribe(self, wav: Tensor, language: str | None = None) -> str:
        """What is said in ``[T]``, greedily; a CTC model has the language it was trained on."""
        del language
        audio = wav[None].to(self.model.device)
        heard = _normalised(audio, self.processor.feature_extractor)
        best = self.model(_at_least(heard, self.model.config)).logits.argmax(dim=-1)
        said: str = self.processor.batch_decode(best.cpu())[0]
        return said.strip()


class PretrainedWhisper(nn.Module):
    """A Whisper; recordings beyond 30 s are heard window by window."""

    def __init__(self, folder: Path, source: str) -> None:
        super().__init__()
        self.processor = _load(AutoProcessor, folder, source)
        self.model = _load(WhisperForConditionalGeneration, folder, source).eval()
        self.sample_rate = int(self.processor.feature_extractor.sampling_rate)
        self.hop = 2 * int(self.processor.feature_extractor.hop_length)
        self.frame_rate = self.sample_rate / self.hop
        self.dim = int(self.model.config.d_model)

    def forward(self, wav: Tensor) -> Tensor:
        """The audio encoder's features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]``."""
        parts = []
        for window in torch.split(wav, WHISPER_SECONDS * self.sample_rate, dim=1):
            features = self.model.get_encoder()(self._spectrum(window)).last_hidden_state
            parts.append(features[:, : max(1, window.shape[1] // self.hop)])
        return torch.cat(parts, dim=1).transpose(1, 2)

    @torch.inference_mode()
    def transcribe(self, wav: Tensor, language: str | None = None) -> str:
        """What is said in ``[T]``; Whisper guesses the language where it is not told."""
        told = {}
        if language is not None and getattr(self.model.generation_config, "is_multilingual", False):
            told = {"language": WHISPER_LANGUAGES.get(language, language.split("-")[0])}
        said = []
        for window in torch.split(wav, WHISPER_SECONDS * self.sample_rate):
            tokens = self.model.generate(self._spectrum(window[None]), **told)
            said.append(self.processor.batch_decode(tokens, skip_special_tokens=True)[0].strip())
        return " ".join(said)

    def _spectrum(self, wav: Tensor) -> Tensor:
        """Log-mel windows of 30 s, as the checkpoint's feature extractor makes them."""
        extractor = self.processor.feature_extractor
        heard = list(wav.detach().cpu().numpy())
        spectrum = extractor(heard, sampling_rate=self.sample_rate, return_tensors="pt")
        features: Tensor = spectrum.input_features.to(self.model.device)
        return features


class PretrainedVoiceEncoder(nn.Module):
    """An x-vector model: WavLM's or wav2vec 2.0's speaker verification checkpoints."""

    def __init__(self, folder: Path, source: str) -> None:
        super().__init__()
        self.extractor = _load(AutoFeatureExtractor, folder, source)
        self.model = _load(AutoModelForAudioXVector, folder, source).eval()
        self.sample_rate = int(self.extractor.sampling_rate)
        self.frame_rate = self.sample_rate / _hop(self.model.config)
        self.dim = int(self.model.config.hidden_size)

    def forward(self, wav: Tensor) -> Tensor:
        """Last hidden state float32 ``[B, D, F]`` of mono audio float32 ``[B, T]``."""
        heard = _at_least(_normalised(wav, self.extractor), self.model.config)
        features: Tensor = self.model.base_model(heard).last_hidden_state
        return features.transpose(1, 2)

    @torch.inference_mode()
    def embed_speaker(self, wav: Tensor) -> Tensor:
        """The voice in ``[T]`` as a vector ``[E]`` of length 1."""
        heard = _normalised(wav[None].to(self.model.device), self.extractor)
        # Its time-delay layers need more frames than features do.
        shortest = self.sample_rate // 2
        heard = nn.functional.pad(heard, (0, max(0, shortest - heard.shape[-1])))
        vector: Tensor = self.model(heard).embeddings[0]
        return nn.functional.normalize(vector.float(), dim=0)


def _load(kind: Any, folder: Path, source: str) -> Any:
    """transformers' ``from_pretrained``, from the folder alone; errors say ``source``."""
    try:
        return kind.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"weights {source!r}: not a model for this ({reason})") from error


def _hop(config: Any) -> int:
    hop = 1
    for stride in config.conv_stride:
        hop *= int(stride)
    return hop


def _normalised(wav: Tensor, extractor: Any) -> Tensor:
    """Audio at mean 0 and variance 1 where the checkpoint's feature extractor says so."""
    if not extractor.do_normalize:
        return wav
    mean, variance = wav.mean(dim=1, keepdim=True), wav.var(dim=1, keepdim=True, unbiased=False)
    return (wav - mean) / (variance + 1e-7).sqrt()


def _at_least(wav: Tensor, config: Any) -> Tensor:
    """Audio long enough for one frame."""
    reach = 1
    for kernel, stride in zip(
        reversed(config.conv_kernel), reversed(config.conv_stride), strict=True
    ):
        reach = (reach - 1) * int(stride) + int(kernel)
    return nn.functional.pad(wav, (0, max(0, reach - wav.shape[-1])))
