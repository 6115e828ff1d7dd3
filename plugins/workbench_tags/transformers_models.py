"""Published taggers through transformers: AST and every other audio classifier.

Only tensors are read, and no code that lies beside them is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from workbench import WeightsError
from workbench_tags.windows import pieces, windows

LONGEST_SECONDS = 10.0
"""AST hears 10.24 s; longer recordings are heard in pieces."""
_BATCH = 8


class PretrainedTagger(nn.Module):
    """Implements ``workbench.Tagger`` with an ``AutoModelForAudioClassification``.

    It hears windows around the segments of a recording. ``independent`` says whether its classes
    are audible side by side (sigmoids, AudioSet's) or one at a time (softmax).
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        window_seconds: float,
        hop_seconds: float,
        independent: bool,
    ) -> None:
        super().__init__()
        self.extractor = _load(AutoFeatureExtractor, folder, source)
        self.model = _load(AutoModelForAudioClassification, folder, source).eval()
        labels = self.model.config.id2label
        self.classes = tuple(str(labels[index]) for index in range(len(labels)))
        self.sample_rate = int(self.extractor.sampling_rate)
        self.window_seconds = window_seconds
        self.hop_seconds = hop_seconds
        self.independent = independent
        self.tag_rate = 1.0 / hop_seconds
        self.frame_rate = self.tag_rate
        self.dim = int(self.model.config.hidden_size)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Mean last hidden state of each window, float32 ``[B, D, S]`` of ``[B, T]``."""
        return torch.stack([self._states(self._windows(item)) for item in wav])

    @torch.inference_mode()
    def tag(self, wav: Tensor) -> Tensor:
        """Probabilities ``[S, C]`` that each class is audible in the window around each segment."""
        scores = self._logits(self._windows(wav))
        return scores.sigmoid() if self.independent else scores.softmax(dim=1)

    @torch.inference_mode()
    def classify(self, wav: Tensor) -> Tensor:
        """One distribution ``[C]`` for ``[T]``: softmax of the pieces' mean scores."""
        parts = pieces(wav, self.sample_rate, LONGEST_SECONDS)
        scores = torch.cat([self._logits(part[None]) for part in parts])
        return scores.mean(dim=0).softmax(dim=0)

    def _windows(self, wav: Tensor) -> Tensor:
        return windows(wav, self.sample_rate, self.window_seconds, self.hop_seconds)

    def _logits(self, wav: Tensor) -> Tensor:
        """Scores ``[N, C]`` of audio ``[N, W]``."""
        parts = [
            self.model(**self._input(part)).logits.float() for part in torch.split(wav, _BATCH)
        ]
        return torch.cat(parts)

    def _states(self, wav: Tensor) -> Tensor:
        """``[D, N]`` of audio ``[N, W]``."""
        parts = []
        for part in torch.split(wav, _BATCH):
            states = self.model(**self._input(part), output_hidden_states=True).hidden_states[-1]
            parts.append(states.float().mean(dim=1))
        return torch.cat(parts).T

    def _input(self, wav: Tensor) -> dict[str, Tensor]:
        """What the checkpoint's own feature extractor makes of audio ``[N, W]``."""
        heard = list(wav.detach().cpu().numpy())
        made = self.extractor(heard, sampling_rate=self.sample_rate, return_tensors="pt")
        return {name: value.to(self.model.device) for name, value in made.items()}


def _load(kind: Any, folder: Path, source: str) -> Any:
    """transformers' ``from_pretrained``, from the folder alone; errors say ``source``."""
    try:
        return kind.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"weights {source!r}: no audio classifier ({reason})") from error
