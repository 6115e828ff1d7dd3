"""A small recogniser: characters by connectionist temporal classification (CTC)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from workbench import AudioDataset, TrainingSession, WeightsError, save_tensors
from workbench_speech.body import HOP, SAMPLE_RATE, SpeechBody, hide

if TYPE_CHECKING:
    from workbench_speech.plugin import JudgeSize

BLANK = 0
"""The class that says nothing; the alphabet's characters follow."""


class CharacterRecogniser(nn.Module):
    """Implements ``workbench.Recogniser`` and ``workbench.TrainableEncoder``.

    ``alphabet`` holds the characters that it can write, empty before training. Its features are
    those that its characters are read from. Greedy: the likeliest character in each frame.
    """

    sample_rate = SAMPLE_RATE
    frame_rate = SAMPLE_RATE / HOP

    def __init__(
        self,
        size: JudgeSize,
        alphabet: str = "",
        variety: float = 0.0,
        pace: float = 0.0,
        hidden: float = 0.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.size = size
        self.dim = size.width
        self.variety, self.pace, self.hidden = variety, pace, hidden
        self.smoothing = smoothing
        self.body = SpeechBody(size)
        self.set_alphabet(alphabet)
        self.eval()

    def set_alphabet(self, alphabet: str) -> None:
        """Take another alphabet, with new weights for its characters."""
        self.alphabet = alphabet
        self.head = nn.Linear(self.size.width, len(alphabet) + 1)
        self.head.to(next(self.body.parameters()).device)

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        features: Tensor = self.body(wav)
        return features

    def logits(
        self,
        wav: Tensor,
        lengths: Tensor | None = None,
        hidden: float = 0.0,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Scores ``[B, F, 1 + alphabet]`` of padded audio ``[B, T]``.

        The last two are for training: see ``hide`` and ``smooth_spectrum``.
        """
        spectrum = self.body.spectrum(wav, lengths, smoothing)
        features = self.body.read(hide(spectrum, hidden) if hidden else spectrum)
        scores: Tensor = self.head(features.transpose(1, 2))
        return scores

    @torch.inference_mode()
    def transcribe(self, wav: Tensor, language: str | None = None) -> str:
        """What is said in ``[T]``; it recognises all its languages without being told which."""
        del language
        if not self.alphabet:
            raise WeightsError(
                "the recogniser has random weights and knows no characters: train it "
                "(recipes/from_scratch/recogniser_tiny.yaml), or name trained weights"
            )
        device = self.head.weight.device
        best = self.logits(wav.to(device)[None])[0].argmax(dim=1)
        said = torch.unique_consecutive(best).tolist()
        return "".join(self.alphabet[index - 1] for index in said if index != BLANK).strip()

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on recordings and their texts; see ``ctc.py``."""
        from workbench_speech.ctc import train

        train(self, data, session)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` can name; ``half`` stores float16."""
        save_tensors(self, folder / "model.safetensors", half)
        config = {"judge": "recogniser", "size": asdict(self.size), "alphabet": self.alphabet}
        text = json.dumps(config, indent=1, ensure_ascii=False)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
