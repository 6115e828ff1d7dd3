"""A small speaker encoder: features pooled over time to one vector a voice."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench import AudioDataset, TrainingSession, save_tensors
from workbench_speech.body import HOP, SAMPLE_RATE, SpeechBody, frame_counts

if TYPE_CHECKING:
    from workbench_speech.plugin import JudgeSize


class VoiceEncoder(nn.Module):
    """Implements ``workbench.SpeakerEncoder`` and ``workbench.TrainableEncoder``."""

    sample_rate = SAMPLE_RATE
    frame_rate = SAMPLE_RATE / HOP

    def __init__(self, size: JudgeSize, embedding: int, variety: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.dim = size.width
        self.variety = variety
        self.body = SpeechBody(size)
        self.project = nn.Linear(2 * size.width, embedding)
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        features: Tensor = self.body(wav)
        return features

    def embed(self, wav: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Vectors ``[B, E]`` of length 1 for padded audio ``[B, T]``: mean and spread over time."""
        features = self.body(wav, lengths)
        total = features.shape[2]
        counts = torch.full((len(wav),), total, device=wav.device)
        counts = counts if lengths is None else frame_counts(lengths).clamp_max(total)
        valid = (torch.arange(total, device=wav.device) < counts[:, None]).unsqueeze(1)
        mean = (features * valid).sum(dim=2) / counts[:, None]
        spread = ((features - mean.unsqueeze(2)).square() * valid).sum(dim=2) / counts[:, None]
        pooled = torch.cat([mean, (spread + 1e-5).sqrt()], dim=1)
        return F.normalize(self.project(pooled), dim=1)

    @torch.inference_mode()
    def embed_speaker(self, wav: Tensor) -> Tensor:
        """The voice in ``[T]`` as a vector ``[E]`` of length 1."""
        return self.embed(wav.to(self.project.weight.device)[None])[0]

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on recordings and their speakers; see ``voices.py``."""
        from workbench_speech.voices import train

        train(self, data, session)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` can name; ``half`` stores float16."""
        save_tensors(self, folder / "model.safetensors", half)
        embedding = self.project.out_features
        config = {"judge": "speaker", "size": asdict(self.size), "embedding": embedding}
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
