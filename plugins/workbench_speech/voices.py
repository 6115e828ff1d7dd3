"""Trains the small speaker encoder to tell a corpus' speakers apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench import (
    AudioDataset,
    TrainingSession,
    TrainingSettings,
    WorkbenchError,
    adamw,
    vary_by,
)
from workbench_speech.body import SAMPLE_RATE
from workbench_speech.utterances import Utterances, usable, utterance_batches

if TYPE_CHECKING:
    from workbench import Optimise
    from workbench_speech.speaker import VoiceEncoder

SCALE = 20.0
MARGIN = 0.2
"""Scale and margin of the additive-margin softmax (arXiv 1801.05599)."""


def train(model: VoiceEncoder, data: AudioDataset, session: TrainingSession) -> None:
    """Train ``model`` in place for the session's steps, and leave it in eval mode."""
    clips = [clip for clip in usable(data, list(data.clips("train"))) if clip.example.speaker]
    speakers = sorted({str(clip.example.speaker) for clip in clips})
    if len(speakers) < 2:
        raise WorkbenchError(
            f"the corpus names {len(speakers)} speakers in its training recordings; a speaker "
            "encoder learns to tell at least 2 apart"
        )
    model.to(session.device).train()
    batches = utterance_batches(data, clips, session, vary_by(model.variety, SAMPLE_RATE))
    session.fit(VoiceTrainee(model, speakers, session.settings, session.seed), batches)
    model.eval()


class VoiceTrainee:
    """The encoder, one direction for each speaker, and their optimiser."""

    def __init__(
        self, model: VoiceEncoder, speakers: list[str], settings: TrainingSettings, seed: int
    ) -> None:
        self.model = model
        self.numbers = {speaker: index for index, speaker in enumerate(speakers)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            directions = nn.Linear(model.project.out_features, len(speakers), bias=False)
        self.directions = directions.to(model.project.weight.device)
        parameters = [*model.parameters(), *self.directions.parameters()]
        self.optimizer = adamw(parameters, settings)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and directions."""
        return {"encoder": self.model, "directions": self.directions}

    def optimizers(self) -> dict[str, Optimizer]:
        """One AdamW over all."""
        return {"speaker": self.optimizer}

    def step(self, batch: Utterances, step: int, optimise: Optimise) -> dict[str, float | Tensor]:
        """One step; logs loss and accuracy on the batch."""
        del step
        self.model.train()
        voices = self.model.embed(batch.wav, batch.lengths)
        numbers = [self.numbers[str(clip.example.speaker)] for clip in batch.clips]
        truth = torch.tensor(numbers, device=voices.device)
        cosines = voices @ F.normalize(self.directions.weight, dim=1).T
        margins = MARGIN * F.one_hot(truth, cosines.shape[1])
        loss = F.cross_entropy(SCALE * (cosines - margins), truth)
        optimise(loss, "speaker")
        accuracy = (cosines.argmax(dim=1) == truth).float().mean()
        return {"loss": loss.detach(), "accuracy": accuracy}
