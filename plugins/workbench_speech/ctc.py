"""Trains the small recogniser on recordings and their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench import (
    AudioDataset,
    Clip,
    TrainingSession,
    TrainingSettings,
    WorkbenchError,
    adamw,
    vary_by,
)
from workbench_speech.body import SAMPLE_RATE, frame_counts
from workbench_speech.error_rates import errors
from workbench_speech.text import normalise
from workbench_speech.utterances import Utterances, heard, usable, utterance_batches

if TYPE_CHECKING:
    from workbench import Optimise
    from workbench_speech.recogniser import CharacterRecogniser

VALIDATION_CLIPS = 100


def train(model: CharacterRecogniser, data: AudioDataset, session: TrainingSession) -> None:
    """Train ``model`` in place for the session's steps, and leave it in eval mode."""
    clips = with_text(data, list(data.clips("train")))
    if not clips:
        raise WorkbenchError(
            "the corpus has no training recordings with a text, which a recogniser learns from"
        )
    alphabet = "".join(sorted({char for clip in clips for char in target_text(clip)}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(session.seed)
        model.set_alphabet(alphabet)
    model.to(session.device).train()
    vary = vary_by(model.variety, SAMPLE_RATE)
    batches = utterance_batches(data, clips, session, vary, model.pace)
    held_out = with_text(data, list(data.clips("validation")))[:VALIDATION_CLIPS]
    validate = (lambda: held_out_errors(model, data, held_out)) if held_out else None
    session.fit(CTCTrainee(model, session.settings), batches, validate=validate)
    model.eval()


class CTCTrainee:
    """The recogniser and its optimiser, as the training loop wants them."""

    def __init__(self, model: CharacterRecogniser, settings: TrainingSettings) -> None:
        self.model = model
        self.numbers = {char: index + 1 for index, char in enumerate(model.alphabet)}
        self.optimizer = adamw(model.parameters(), settings)

    def modules(self) -> dict[str, nn.Module]:
        """The recogniser."""
        return {"recogniser": self.model}

    def optimizers(self) -> dict[str, Optimizer]:
        """One AdamW over all of it."""
        return {"recogniser": self.optimizer}

    def step(self, batch: Utterances, step: int, optimise: Optimise) -> dict[str, float | Tensor]:
        """One step; logs the loss in nats a character."""
        del step
        self.model.train()
        texts = [target_text(clip) for clip in batch.clips]
        targets = torch.tensor([self.numbers[char] for text in texts for char in text])
        counts = torch.tensor([len(text) for text in texts])
        model = self.model
        scores = model.logits(batch.wav, batch.lengths, model.hidden, model.smoothing).float()
        nats = F.ctc_loss(
            scores.log_softmax(dim=2).transpose(0, 1),
            targets.to(scores.device),
            frame_counts(batch.lengths),
            counts.to(scores.device),
            zero_infinity=True,  # a text too long for its audio teaches nothing
            reduction="sum",
        )
        loss = nats / counts.sum()
        optimise(loss, "recogniser")
        return {"loss": loss.detach()}


def target_text(clip: Clip) -> str:
    """What the recogniser is to write down for a recording."""
    return normalise(clip.example.text or "", clip.example.language)


def with_text(data: AudioDataset, clips: list[Clip]) -> list[Clip]:
    """Those recordings that say something and are not too long."""
    return [clip for clip in usable(data, clips) if target_text(clip)]


def held_out_errors(
    model: CharacterRecogniser, data: AudioDataset, clips: list[Clip]
) -> dict[str, float]:
    """Character error rate on held-out recordings."""
    model.eval()
    device = next(model.parameters()).device
    counts = [
        errors(target_text(clip), model.transcribe(heard(data, clip, device))) for clip in clips
    ]
    model.train()
    wrong, total = (sum(column) for column in zip(*counts, strict=True))
    return {"cer": wrong / total}
